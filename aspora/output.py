"""Rendered objects as bytes: JSON lines, YAML, or a tree of files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import yaml

from aspora.errors import EnvironmentFailure
from aspora.render import Object, Rendered

MANIFEST = ".aspora-rendered"
"""Lists the files that the last rendering wrote, so that the next one can remove the rest."""


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Without anchors: parts that objects share are written out in each."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_json_lines(objects: Iterable[Object]) -> bytes:
    """One object a line."""
    return b"".join([orjson.dumps(obj, option=orjson.OPT_APPEND_NEWLINE) for obj in objects])


def json_chunks(objects: Iterable[Object]) -> Iterator[bytes]:
    """As `to_json_lines`, in pieces of some megabytes: the whole need not be held at once."""
    rest = iter(objects)
    while batch := list(islice(rest, 2000)):
        yield to_json_lines(batch)


def to_yaml(objects: Iterable[Object]) -> bytes:
    """A stream of documents."""
    text: bytes = yaml.dump_all(
        objects,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        explicit_start=True,
        encoding="utf-8",
        width=100,
    )
    return text


def tree(rendered: Rendered, style: str) -> dict[str, bytes]:
    """Path to content: `system`, `cluster`, `services`, `guardrails/<domain>`, and
    `<domain>/<skill>` for Argo CD."""
    dump = to_json_lines if style == "json" else to_yaml
    files: dict[str, bytes] = {}
    shared = {
        "system": rendered.system,
        "cluster": rendered.cluster + rendered.databases + rendered.stores,
        "services": rendered.services,
    }
    files |= {f"{name}.{style}": dump(objects) for name, objects in shared.items() if objects}
    for domain in rendered.domains:
        files[f"guardrails/{domain.name}.{style}"] = dump(domain.guardrails + domain.handover)
        for skill in domain.skills:
            files[f"{domain.name}/{skill.name}.{style}"] = dump(skill.objects)
    return files


def write_tree(rendered: Rendered, out: Path, style: str) -> tuple[int, int]:
    """Write the tree to `out`; (files written, files of an earlier rendering removed).

    Each file is replaced whole, and files that this command did not write are left alone.
    Raises EnvironmentFailure when the folder cannot be written.
    """
    files = tree(rendered, style)
    try:
        out.mkdir(parents=True, exist_ok=True)
        before = _manifest(out)
        for name, data in files.items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            _replace(out / name, data)
        stale = sorted(before - files.keys())
        for name in stale:
            (out / name).unlink(missing_ok=True)
        _replace(out / MANIFEST, "".join(f"{name}\n" for name in sorted(files)).encode())
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot write {error.filename or out}: {error.strerror}",
            hint="free some space or choose another folder with --out; run it again afterwards",
        ) from None
    return len(files), len(stale)


def write_file(path: Path, data: bytes, *, hint: str = "choose another file with --output") -> None:
    """Write the whole file or none; raises EnvironmentFailure when it cannot be written.

    A link is followed, and a device or a pipe (`/dev/stdout`, `>(less)`) is written into: neither
    is ever replaced by a file.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            _replace(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise EnvironmentFailure(f"cannot write {path}: {error.strerror}", hint=hint) from None


def _manifest(out: Path) -> set[str]:
    path = out / MANIFEST
    if not path.is_file():
        return set()
    names = path.read_text("utf-8").split("\n")
    # The file may have been edited: nothing outside the folder is ever removed.
    return {name for name in names if name and not name.startswith("/") and ".." not in name}


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
