"""The code that renders: which it is, and how that of another revision is run.

A change of the platform's own code changes objects too, so a base is rendered by the base's code
(decision 62). Only code that is part of main is ever run: to look at a stranger's branch must not
mean to run it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from hashlib import new, sha256
from pathlib import Path
from typing import Any

import orjson

import aspora
from aspora.problems import Problem, printable
from local.revisions import Entry, Repository

PACKAGE = "aspora"
SECONDS = 120
_ASIDE = ("changes/", "cli/", "page/", "docs.py")
"""Parts that decide no object: reports, commands and documents."""
_SUFFIXES = (".py", ".json", ".sql")


def running() -> dict[str, bytes]:
    """The files of the package that runs here, by their paths below it."""
    return files(Path(aspora.__file__).parent)


def runs_here(folder: Path) -> bool:
    """Whether a folder's own package, if it has one, is what runs: the same place or the same
    content."""
    own = folder / PACKAGE
    if not own.is_dir() or own.resolve() == Path(aspora.__file__).parent.resolve():
        return True
    return files(own) == running()


def files(folder: Path) -> dict[str, bytes]:
    """The files of a package that decide objects."""
    found = {}
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            path = Path(where, name)
            below = path.relative_to(folder).as_posix()
            if decides(below):
                found[below] = path.read_bytes()
    return found


def decides(path: str) -> bool:
    """Whether a file of the package can decide what the objects are."""
    return path.endswith(_SUFFIXES) and not path.startswith(_ASIDE)


def digest(code: Mapping[str, bytes]) -> str:
    """Of code, for keys of what it made."""
    total = sha256()
    for path, data in sorted(code.items()):
        total.update(f"{path} {len(data)}\n".encode() + data)
    return total.hexdigest()


def same(entries: tuple[Entry, ...], code: Mapping[str, bytes]) -> bool:
    """Whether a revision's code is the one that runs, by Git's own hashes; none counts as same."""
    if not entries:
        return True
    theirs = {e.path.removeprefix(f"{PACKAGE}/"): e.hash for e in entries}
    theirs = {path: sha for path, sha in theirs.items() if decides(path)}
    return theirs == {path: _git_hash(data, theirs.get(path, "")) for path, data in code.items()}


def _git_hash(data: bytes, like: str) -> str:
    found = new("sha256" if len(like) == 64 else "sha1", usedforsecurity=False)
    found.update(b"blob %d\0" % len(data) + data)
    return found.hexdigest()


def render(
    repository: Repository,
    entries: tuple[Entry, ...],
    texts: Mapping[str, str | Problem],
    stack: str,
) -> tuple[dict[str, Any], ...] | str:
    """The objects that a revision's own code makes of its own files, or why there are none."""
    if any(not entry.mode.startswith("100") for entry in entries):
        return "it holds symbolic links or submodules"
    with tempfile.TemporaryDirectory(prefix="aspora-base-") as folder:
        code, root = Path(folder, "code"), Path(folder, "root")
        for path, data in repository.contents(entries).items():
            _write(code / path, data)
        for path, text in texts.items():
            if isinstance(text, str):
                _write(root / path, text.encode())
        shutil.copy(repository.root / "Pulumi.yaml", root)
        return _run(code, root, stack)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _run(code: Path, root: Path, stack: str) -> tuple[dict[str, Any], ...] | str:
    """`aspora render` with that code and none of ours; it sees no credentials of the user's."""
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(root),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(code),
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "ASPORA_ROOT": str(root),
    }
    command = [sys.executable, "-m", PACKAGE, "render", "--stack", stack, "--format", "json"]
    try:
        done = subprocess.run(  # noqa: S603 - code that is part of main
            command,
            cwd=root,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {SECONDS} s"
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return printable(words[-1])[:200] if words else f"it ended with {done.returncode}"
    try:
        return tuple(orjson.loads(line) for line in done.stdout.splitlines())
    except orjson.JSONDecodeError:
        return "it printed something else than objects"
