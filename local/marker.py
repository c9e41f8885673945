"""Whether the engine's state can be trusted, told by two small files.

The marker stands from the beginning of a run to its good end; `applied-to` names the control plane
and the moto that the state speaks of. The engine writes its state once, when it ends (decisions 32
and 37): whoever finds the marker of a run that was killed knows that the state is worth nothing.
After a run in which resources failed the state is whole: the next one goes on from it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aspora.errors import EnvironmentFailure

if TYPE_CHECKING:
    from pathlib import Path

    from local.paths import Paths

BEGUN = "a run has begun and not ended\n"
FAILED = "a run has ended, and not everything could be made\n"


@dataclass(frozen=True)
class Trust:
    """`state`: it is whole and speaks of what runs; `complete`: nothing else is there."""

    state: bool
    complete: bool


def trust(paths: Paths, identity: str) -> Trust:
    """What to believe about a platform whose control plane and moto are `identity`."""
    same = _text(_record(paths)) == identity
    if not paths.dirty.exists():
        return Trust(same, same)
    return Trust(same and _text(paths.dirty) == FAILED, complete=False)


def cut_short(paths: Paths) -> bool:
    """Whether the last run was killed: nobody knows what it had done."""
    return paths.dirty.exists() and _text(paths.dirty) != FAILED


def begin(paths: Paths) -> None:
    """Write the marker, and make sure that it is on the disk before anything is changed."""
    _write(paths, paths.dirty, BEGUN)


def failed(paths: Paths, identity: str) -> None:
    """The engine has ended and written its state, with resources missing."""
    _write(paths, _record(paths), identity)
    _write(paths, paths.dirty, FAILED)


def end(paths: Paths, identity: str) -> None:
    """Everything is as the state says."""
    _write(paths, _record(paths), identity)
    paths.dirty.unlink(missing_ok=True)


def _record(paths: Paths) -> Path:
    return paths.pulumi / "applied-to"


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, ValueError):
        return ""


def _write(paths: Paths, file: Path, text: str) -> None:
    """Write a file through to the disk; raises EnvironmentFailure."""
    try:
        with file.open("w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise EnvironmentFailure(
            f"{file} cannot be written: {error.strerror}",
            hint=f"free some space there, or set ASPORA_STATE to another folder than {paths.state}",
        ) from None
