"""Files that a person names: written whole or not at all, and nothing else is ever replaced."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from aspora.errors import EnvironmentFailure
from aspora.output import write_file


def test_a_file_is_replaced_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there/report.html", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_file(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_link_to_nothing_makes_what_it_names(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "new")
    write_file(link, b"x")
    assert link.is_symlink()
    assert (tmp_path / "new").read_bytes() == b"x"


def test_what_is_no_file_is_written_into_and_stays(tmp_path: Path) -> None:
    """As root, a rename would put an ordinary file in the place of /dev/null or /dev/stdout."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write_file(pipe, b"the report")
    reader.join(10)
    assert found == [b"the report"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match=r"cannot write .*nowhere/x: No such file"):
        write_file(tmp_path / "nowhere/x", b"x")
