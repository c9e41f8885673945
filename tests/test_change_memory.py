"""What a diff remembers: never wrong, never in the way."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aspora.changes.model import as_json
from local.change_memory import FileMemory
from tests.changes_lab import Lab, edited, own


@pytest.fixture
def memory(tmp_path: Path) -> FileMemory:
    return FileMemory(tmp_path / "diff")


def entries(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "diff").rglob("*") if path.is_file())


def test_what_was_put_is_there(memory: FileMemory, tmp_path: Path) -> None:
    assert memory.get("data-1") is None
    memory.put("data-1", b"x")
    assert memory.get("data-1") == b"x"
    assert FileMemory(tmp_path / "diff").get("data-1") == b"x"


@pytest.mark.parametrize("damage", [b"", b"x" * 10, b"0" * 64 + b"[]"])
def test_a_damaged_entry_is_none(memory: FileMemory, tmp_path: Path, damage: bytes) -> None:
    memory.put("data-1", b"[1]")
    (path,) = entries(tmp_path)
    path.write_bytes(damage)
    assert memory.get("data-1") is None
    assert entries(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "diff").write_text("a file")
    memory = FileMemory(tmp_path / "diff")
    memory.put("data-1", b"x")
    assert memory.get("data-1") is None


def test_the_least_used_go_first(tmp_path: Path) -> None:
    memory = FileMemory(tmp_path / "diff", max_bytes=300)
    for number in range(3):
        memory.put(f"data-{number}", b"x" * 60)
        os.utime(tmp_path / "diff/data" / str(number), (number, number))
    assert memory.get("data-0")
    memory.prune()
    assert memory.get("data-1") is None
    assert memory.get("data-0")
    assert memory.get("data-2")


def test_runs_beside_one_another(memory: FileMemory) -> None:
    values = [bytes([number]) * 100_000 for number in range(8)]

    def work(value: bytes) -> bool:
        for _ in range(20):
            memory.put("data-1", value)
            found = memory.get("data-1")
            if found is not None and found not in values:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, values))


def test_a_report_is_the_same_with_and_without_memory(memory: FileMemory, tmp_path: Path) -> None:
    """Cold, warm, with another head, and with every entry damaged."""
    plain, remembering = Lab("staging"), Lab("staging", memory)
    for head in (edited("pods: 60", "pods: 61"), edited("fraud-risk:v2.0.1", "fraud-risk:v2.0.2")):
        wanted = as_json(plain.report(own(), head))
        assert as_json(remembering.report(own(), head)) == wanted
        assert as_json(remembering.report(own(), head)) == wanted
    assert entries(tmp_path)
    for path in entries(tmp_path):
        path.write_bytes(path.read_bytes()[:-3])
    assert as_json(remembering.report(own(), head)) == wanted


class Counting(FileMemory):
    """Notes what it was asked for and had."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.found: list[str] = []
        self.missed: list[str] = []

    def get(self, key: str) -> bytes | None:
        value = super().get(key)
        (self.missed if value is None else self.found).append(key.partition("-")[0])
        return value


@pytest.fixture
def counting(tmp_path: Path) -> Counting:
    return Counting(tmp_path / "diff")


def test_only_what_changed_is_made_anew(counting: Counting) -> None:
    lab = Lab("staging", counting)
    lab.report(own(), edited("pods: 60", "pods: 61"))
    counting.found, counting.missed = [], []
    lab.report(own(), edited("pods: 60", "pods: 62"))
    assert sorted(counting.missed) == ["data", "holds", "shared"]
    assert counting.found.count("data") == 7
    assert counting.found.count("shared") == 1


def test_other_code_remembers_nothing_of_ours(counting: Counting) -> None:
    from dataclasses import replace

    from aspora.changes import snapshot

    lab = Lab("staging", counting)
    source = lab.source(own(), "x")
    assert snapshot.read(source, "staging", counting).shared
    counting.found = []
    assert snapshot.read(replace(source, code="other"), "staging", counting).shared
    assert counting.found == []
