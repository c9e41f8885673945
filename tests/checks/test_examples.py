"""Every rule on its examples: YAML that passes and YAML that fails, by name.

tests/checks/<ID>/pass-<what>.yaml and fail-<what>.yaml; the lines `# finding:` at the head of one
that fails are what `aspora check` says of it, word for word. `# stack: prod` asks for that stack's
settings; staging's else. After a change of words: `ASPORA_UPDATE=1`, then read the difference.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from aspora.checks import BY_ID, RULES, findings
from aspora.checks.world import where
from aspora.problems import CODES
from aspora.stack import StackSettings
from tests.core import ROOT, settings

HERE = Path(__file__).parent
EXAMPLES = sorted(HERE.glob("*/*.yaml"))
FINDING = "# finding: "


def said(path: Path) -> list[str]:
    """What the rule says of an example, as its head has it."""
    text = path.read_text("utf-8")
    stack = re.match(r"# stack: (\w+)\n", text)
    objects = list(yaml.safe_load_all(text))
    names = {id(obj): f"{obj['kind']} {where(obj)}" for obj in objects}
    assert len(set(names.values())) == len(objects), "two objects of one name"
    rule = BY_ID[path.parent.name]
    found = findings(objects, of(stack[1] if stack else "staging"), [rule])
    return [f"{one.ref.kind} {'/'.join(filter(None, one.ref[2:]))}: {one.message}" for one in found]


@cache
def of(stack: str) -> StackSettings:
    return settings(stack)


def expected(path: Path) -> list[str]:
    lines = path.read_text("utf-8").splitlines()
    return [line.removeprefix(FINDING) for line in lines if line.startswith(FINDING)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_example_is_judged_as_its_name_says(path: Path) -> None:
    found = said(path)
    if os.environ.get("ASPORA_UPDATE"):
        _write(path, found)
    assert found == expected(path)
    assert path.stem.startswith("fail-" if found else "pass-")


def _write(path: Path, found: list[str]) -> None:
    lines = path.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(FINDING)]
    head = 1 if kept[0].startswith("# stack: ") else 0
    kept[head:head] = [f"{FINDING}{line}\n" for line in found]
    path.write_text("".join(kept), encoding="utf-8")


def test_every_rule_has_both_kinds_of_examples() -> None:
    kinds: dict[str, set[str]] = {}
    for path in EXAMPLES:
        kinds.setdefault(path.parent.name, set()).add(path.stem.partition("-")[0])
    assert kinds == {rule.id: {"pass", "fail"} for rule in RULES}


def test_one_rule_is_one_file_and_every_file_is_in_the_list() -> None:
    files = sorted((ROOT / "aspora" / "checks" / "rules").glob("asp*.py"))
    assert [path.stem.partition("_")[0].upper() for path in files] == [rule.id for rule in RULES]
    assert len(BY_ID) == len(RULES)
    assert not BY_ID.keys() & CODES.keys()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_why_and_where_to_read_on(rule: object) -> None:
    from aspora.checks.rule import DECISIONS, Rule

    assert isinstance(rule, Rule)
    assert len(rule.why) > 60
    assert rule.title[0].isupper()
    assert not rule.title.endswith(".")
    if rule.link.startswith(DECISIONS):
        assert (ROOT / rule.link).is_file()
    else:
        assert rule.link.startswith("https://")
