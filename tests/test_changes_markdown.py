"""The comment on a pull request: within its limit, always the same, hostile values harmless."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from aspora.changes import build, snapshot
from aspora.changes.escape import block, code, html, sentence
from aspora.changes.markdown import LIMIT, markdown, marker
from aspora.changes.model import Section
from aspora.changes.text import text
from benchmarks.generate import repository
from local.sides import Sides
from tests.changes_lab import Lab, edited, own
from tests.core import MINIMAL, ROOT
from tests.platform_lab import Lab as PlatformLab

GOLDEN = ROOT / "tests/golden/change-report.md"
PETS = "domains/pets/domain.yaml"
HOSTILE = (
    "`</details><script>alert(1)</script> | @aspora/platform-team #1 GH-2 "
    "[x](https://evil.example.com) ![i](http://evil.example.com/i.png) www.evil.example.com "
    "```` --> \\ *b* ~~s~~ $x$ 0123456789abcdef0123456789abcdef01234567"
)

DANGERS = ("<script", "evil.example.com", "@aspora/platform-team #", "GH-2", "0123456789abcdef")


def hostile(kind: str) -> str:
    """A domain of which one field holds all of it, in a YAML string."""
    quoted = "'" + HOSTILE.replace("'", "''") + "'"
    if kind == "reason":
        sandbox = f"sandbox:\n  runtime: runc\n  reason: {quoted}\n"
        return MINIMAL.replace("owner:\n", sandbox + "owner:\n")
    if kind == "description":
        return MINIMAL.replace("Says whether a pet should see a vet.", quoted)
    return MINIMAL.replace("model: claude-haiku-4-5", f"model: {quoted}")


def visible(comment: str) -> str:
    """What is left of a comment as GitHub would read it outside of code: spans and blocks gone."""
    without = re.sub(r"(?ms)^(`{3,})diff\n.*?^\1$", "", comment)
    without = re.sub(r"(?<![`\\])(`+)(?!`)(.+?)(?<!`)\1(?!`)", "CODE", without)
    return without.replace(marker("local"), "")


@pytest.mark.parametrize("kind", ["reason", "description"])
def test_values_of_strangers_do_nothing(kind: str) -> None:
    before = {**own(), PETS: MINIMAL}
    changed = Lab().report(before, {**own(), PETS: hostile(kind)})
    back = Lab().report({**own(), PETS: hostile(kind)}, before)
    for report in (changed, back):
        comment = markdown(report)
        assert "alert(1)" in comment, "or this shows nothing"
        outside = visible(comment)
        for danger in DANGERS:
            assert danger not in outside, outside
        assert outside.count("<details>") == outside.count("</details>")
        tags = set(re.findall(r"<[^>]*>", outside))
        assert tags <= {"<details>", "</details>", "<summary>", "</summary>", "<br>"}
        assert _tables_are_whole(outside)


def _tables_are_whole(text: str) -> bool:
    """Each row of a table has as many cells as its head."""
    lines = text.splitlines()
    heads = [i for i, line in enumerate(lines) if re.fullmatch(r"\|(---\|)+", line)]
    for head in heads:
        width = lines[head].count("|")
        at = head + 1
        while at < len(lines) and lines[at].startswith("|"):
            if len(re.findall(r"(?<!\\)\|", lines[at])) != width:
                return False
            at += 1
    return bool(heads)


def test_a_head_that_does_not_hold_repeats_values_harmlessly() -> None:
    lab = Lab()
    source = lab.source({**own(), "domains/pets/domain.yaml": hostile("model")}, "x")
    try:
        snapshot.read(source, "local", lab.memory)
    except Exception as error:  # noqa: BLE001 - its type is another test's
        report = build.invalid(source.side, source.side, "local", error.problems)  # type: ignore[attr-defined]
    comment = markdown(report)
    assert comment.splitlines()[2].startswith("### 🔴 Invalid: 1 problem in the files")
    assert "ASP307" in comment
    assert "<script" not in visible(comment)
    assert _tables_are_whole(visible(comment))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "`plain`"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        ("a\nb\x1b[0m\u202e", "`a\\nb\\x1b[0m\\u202e`"),
        ("a|b", "`a\\|b`"),
        ("", "` `"),
    ],
)
def test_a_value_is_a_code_span(value: str, shown: str) -> None:
    assert code(value, cell=True) == shown


def test_a_block_is_closed_by_its_own_fence_alone() -> None:
    lines = [" ```", "+````", "-x"]
    fence = "`" * 5
    assert block(lines) == f"{fence}diff\n ```\n+````\n-x\n{fence}"


def test_a_sentence_links_and_mentions_nothing() -> None:
    assert "@a" not in sentence("@aspora/all")
    assert "#1" not in sentence("see #12")
    assert "://" not in sentence("https://x")
    assert sentence("a*b_c<d>") == "a\\*b\\_c&lt;d&gt;"
    assert html('<a href="x">') == "&lt;a href=&quot;x&quot;&gt;"


def test_the_comment_is_as_it_was() -> None:
    """A change that has a bit of everything, as a reviewer sees it."""
    files = edited("min: 3, max: 12", "min: 3, max: 14")
    path = "domains/fraud/domain.yaml"
    files[path] = files[path].replace("pods: 60", "pods: 65")
    made = Lab().report(own(), files)
    rows = (("fraud", 12),)
    section = Section("Cost a month", "ok", "+12 USD", ("Domain", "USD"), rows, "As of 1 November.")
    # Hashes and numbers of what has nothing to do with this change are those of today.
    comment = re.sub(r"\b[0-9a-f]{16}\b", "0" * 16, markdown(replace(made, cost=section)))
    comment = re.sub(r"\d+ objects stay", "all other objects stay", comment)
    if os.environ.get("ASPORA_UPDATE"):
        GOLDEN.write_text(comment, encoding="utf-8")
    assert comment == GOLDEN.read_text("utf-8")
    assert len(comment.splitlines()) < 300


def test_a_terminal_gets_the_same_in_short() -> None:
    made = Lab().report(own(), edited("min: 3, max: 12", "min: 3, max: 14"))
    shown = text(made)
    assert shown.splitlines()[0].startswith("routine: the next run of model-gateway-sync")
    assert (
        "fraud/risk/analyze-transaction: 1 updated (scaling.max: 12 → 14): @aspora/fraud-team"
        in shown
    )
    assert "    spec.maxReplicaCount: 12 → 14" in shown
    assert "\x1b" not in shown
    assert "\x1b" in text(made, colour=True)


def test_a_change_in_a_thousand_objects_fits_and_is_the_same_each_time(tmp_path: Path) -> None:
    """Each skill of 20 domains, 4,500 objects, gets another image."""
    for name in ("before", "after"):
        repository(tmp_path / name, 20)
    for path in (tmp_path / "after").glob("domains/*/domain.yaml"):
        changed = re.sub(r":v1\.(\d)\.0", r":v1.\1.1", path.read_text("utf-8"))
        path.write_text(changed, encoding="utf-8")
    comments = []
    for _ in range(2):
        sides = [
            snapshot.read(
                Sides(tmp_path, "staging", PlatformLab.make(tmp_path / f"x{name}{_}").paths).one(
                    str(tmp_path / name)
                ),
                "staging",
                snapshot.Forgetful(),
            )
            for name in ("before", "after")
        ]
        made = build.report(sides[0], sides[1])
        assert made.counts.update == 400
        comments.append(markdown(made))
    assert comments[0] == comments[1]
    assert len(comments[0].encode()) < LIMIT
    assert "in the artifact `changes.json`" in comments[0]
    assert comments[0].count("<details>") == comments[0].count("</details>")


def test_everything_at_once_fits() -> None:
    """All domains new, with the longest of sections beside them."""
    rows = tuple((f"domain-{index}", "x" * 900) for index in range(500))
    section = Section("Cost", "attention", "s" * 5000, ("A", "B"), rows, "n" * 9000)
    made = Lab("staging").report({PETS: MINIMAL}, {**own(), PETS: MINIMAL})
    full = replace(made, cost=section, isolation=section, check=section, notes=("n" * 4000,) * 50)
    assert len(markdown(full).encode()) < LIMIT
