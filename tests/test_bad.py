"""What a person reads when a file is wrong: the full text, for a corpus of wrong files.

tests/bad/<case>.yaml (a domain file), tests/bad/<case>/ (several of them) and
tests/bad/Pulumi.<case>.yaml (a stack) each stand beside <case>.txt. Cases named prod-* are
checked with prod's rules, and those with approvals are compared with them. After a change of
words: `python -m tests.update_bad`, then read the difference.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aspora import approvals
from aspora.errors import InvalidInput
from aspora.load import load, load_stack, unverified
from aspora.problem_formats import format_text
from aspora.problems import CODES, Problem
from aspora.stack import ToolServerAddress
from tests.core import settings

BAD = Path(__file__).parent / "bad"


def cases() -> list[str]:
    """Names of files and folders, without the expected texts."""
    return sorted(path.name for path in BAD.iterdir() if path.suffix != ".txt")


def expectation(case: str) -> Path:
    """Where the expected text of a case stands."""
    return BAD / f"{case.removesuffix('.yaml')}.txt"


def output(case: str) -> str:
    """What `aspora validate` prints of a case, called in tests/bad."""
    return format_text(_problems(Path(case)))


def _problems(path: Path) -> tuple[Problem, ...]:
    if path.name.startswith("Pulumi."):
        stack = path.name.split(".")[1]
        try:
            load_stack(stack, path.parent)
        except InvalidInput as error:
            return error.problems
        return unverified(stack, path.parent)
    if path.is_dir():
        paths: list[Path] = sorted({file.parent.parent for file in path.rglob("domain.yaml")})
    else:
        paths = [path]
    stack = "prod" if path.name.startswith("prod-") else "local"
    servers = tuple(
        ToolServerAddress(name=name, url=f"https://{name}.example.com/mcp")
        for name in ("calendar", "mail", "tickets")
    )
    loaded = load(paths, settings(stack, tool_servers=servers))
    agreed = approvals.check(path, loaded.files) if (path / approvals.FILE).exists() else ()
    return (*loaded.problems, *agreed)


@pytest.mark.parametrize("case", cases())
def test_says(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    text = output(case)
    assert text, "nothing was found wrong"
    assert text == expectation(case).read_text("utf-8")


def test_every_code_has_a_case() -> None:
    seen = set(re.findall(r"ASP\d{3}", "".join(p.read_text("utf-8") for p in BAD.glob("*.txt"))))
    assert sorted(CODES.keys() - seen) == []


def test_no_expected_text_is_left_over() -> None:
    kept = {expectation(case) for case in cases()}
    assert sorted(path.name for path in BAD.glob("*.txt") if path not in kept) == []


def test_the_corpus_is_not_small() -> None:
    assert len(cases()) >= 45
