"""Finished tools: one folder each, complete or not there at all."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.progress import Progress
    from local.toolchain.table import Tool

_WORK = ".work-"


@dataclass(frozen=True)
class Cache:
    """The folder of finished tools."""

    folder: Path

    def path(self, tool: Tool) -> Path:
        """Where the tool stands once it is finished."""
        return self.folder / tool.folder / tool.name

    def find(self, tool: Tool) -> tuple[Path | None, str]:
        """The finished tool, or None and why: not there, or not as it was when it was finished.

        Its content is read only when size or time differ from the record, as after a copy.
        """
        program = self.path(tool)
        try:
            now = program.stat()
        except OSError:
            return None, "not there"
        try:
            record = json.loads(_record(program).read_text())
            size, when, wanted = record["size"], record["mtime_ns"], record["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            return None, "there, but without its checksum"
        if now.st_size != size:
            return None, f"damaged: {now.st_size} bytes instead of {size}"
        if now.st_mtime_ns != when:
            if sha256(program) != wanted:
                return None, "damaged: its checksum is wrong"
            _write_record(program, wanted)
        return program, ""

    @contextmanager
    def work_folder(self, tool: Tool) -> Iterator[Path]:
        """A folder on the same file system, for what is not finished; removed at the end."""
        folder = self.folder / f"{_WORK}{os.getpid()}-{tool.name}"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, tool: Tool, program: Path) -> Path:
        """Take a finished program from a work folder into the cache, in one step."""
        program.chmod(0o755)
        _flush(program)
        _write_record(program, sha256(program))
        ready = program.parent / "ready"
        ready.mkdir()
        program.rename(ready / tool.name)
        _record(program).rename(_record(ready / tool.name))
        target = self.path(tool).parent
        shutil.rmtree(target, ignore_errors=True)  # a damaged one
        ready.rename(target)
        return self.path(tool)

    @contextmanager
    def making(self, progress: Progress) -> Iterator[None]:
        """Make tools alone: a second process waits here, says so, and finds them finished."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _wait_for(descriptor, progress)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            for left in self.folder.glob(f"{_WORK}*"):  # of a build that was killed
                shutil.rmtree(left, ignore_errors=True)
            yield
        finally:
            os.close(descriptor)


def sha256(path: Path) -> str:
    """The checksum of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _wait_for(descriptor: int, progress: Progress) -> None:
    if _locked(descriptor):
        return
    holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
    with progress.step(f"Waiting for another process ({holder}) that is making tools"):
        while not _locked(descriptor):
            time.sleep(0.2)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _record(program: Path) -> Path:
    return program.with_name(program.name + ".json")


def _write_record(program: Path, checksum: str) -> None:
    now = program.stat()
    record = {"sha256": checksum, "size": now.st_size, "mtime_ns": now.st_mtime_ns}
    new = program.with_name(program.name + ".json.new")
    new.write_text(json.dumps(record))
    new.replace(_record(program))


def _flush(path: Path) -> None:
    """To the disk, so that a power cut after the rename does not leave an empty file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
