"""Reading our own documents: fenced blocks, code spans, links, tables, headings."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.core import ROOT

README = ROOT / "README.md"

_SPAN = re.compile(r"``(.+?)``|`([^`]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@cache
def repository_files() -> tuple[str, ...]:
    """Every file that is or would be committed, as git lists them, with / between folders."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        cwd=ROOT,
        check=True,
    )
    names = set(done.stdout.decode().split("\0")) - {""}
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


def documents() -> tuple[Path, ...]:
    """The README, CONTRIBUTING and everything in docs/."""
    return (README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))


@dataclass(frozen=True)
class Block:
    """A fenced block: what it is, where it starts (1-based), its lines, the text line before."""

    info: str
    line: int
    lines: tuple[str, ...]
    before: str


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page."""
    info, start, inside, before = "", 0, None, ""
    for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1):
        if line.startswith("```") and inside is None:
            info, start, inside = line[3:].strip(), number, list[str]()
        elif line.startswith("```") and inside is not None:
            yield Block(info, start, tuple(inside), before)
            inside = None
        elif inside is not None:
            inside.append(line)
        elif line.strip():
            before = line
    assert inside is None, f"{page}: the block of line {start} is never closed"


def prose(page: Path) -> str:
    """The page without its fenced and indented blocks."""
    text = re.sub(r"(?ms)^```.*?^```$", "", page.read_text("utf-8"))
    return re.sub(r"(?m)^ {4}.*$", "", text)


def spans(text: str) -> list[str]:
    """Everything in backticks."""
    return [first or second for first, second in _SPAN.findall(text)]


def links(page: Path) -> list[str]:
    """The targets of a page's links."""
    return _LINK.findall(prose(page))


def table(page: Path, heading: str) -> list[list[str]]:
    """The rows of the first table whose first column has that heading."""
    lines = page.read_text("utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))])
    return rows


def anchors(page: Path) -> set[str]:
    """The headings as GitHub makes links of them."""
    headings = re.findall(r"(?m)^#+ (.+)$", prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
