"""Whatever is done to a valid file: problems with positions, or a platform that renders."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from aspora import rules, yamldoc
from aspora.load import load_stack, validate
from aspora.model_keys import walk
from aspora.models import Domain
from aspora.output import to_json_lines
from aspora.problem_formats import STYLES
from aspora.problems import Problem
from aspora.render import ref, render
from aspora.stack import StackSettings
from tests.core import ROOT

EXAMPLES = settings(max_examples=300, deadline=None)
KEYS = sorted({path.rpartition(".")[2].removesuffix("[]") for path, _ in walk(Domain)})


@cache
def texts() -> tuple[str, ...]:
    """The repository's files without calls between domains, since each is checked by itself."""
    return tuple(_alone(p) for p in sorted((ROOT / "domains").glob("*/domain.yaml")))


def _alone(path: Path) -> str:
    data = yaml.safe_load(path.read_text("utf-8"))
    for agent in data["agents"]:
        agent.pop("calls", None)
        for skill in agent["skills"]:
            skill.pop("callers", None)
    return yaml.safe_dump(data, sort_keys=False)


@cache
def stack(name: str) -> StackSettings:
    return load_stack(name, ROOT)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path of a tree."""
    if path:
        yield path
    if isinstance(node, dict):
        for key, value in node.items():
            yield from places(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from places(value, (*path, index))


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["0", "1e400", "9" * 30, "1Gi", "-1", "0 0 30 2 *", "Etc/UTC", "a/b/c", "é"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """One to three nodes dropped, replaced, doubled, moved or renamed."""
    data = yaml.safe_load(draw(st.sampled_from(texts())))
    for _ in range(draw(st.integers(1, 3))):
        here = draw(st.sampled_from(sorted(places(data), key=repr)))
        parent = data
        for step in here[:-1]:
            parent = parent[step]
        last, action = (
            here[-1],
            draw(st.sampled_from(["drop", "replace", "double", "graft", "name"])),
        )
        if action == "drop":
            del parent[last]
        elif action == "replace":
            parent[last] = draw(VALUES)
        elif action == "double" and isinstance(parent, list):
            parent.insert(last, copy.deepcopy(parent[last]))
        elif action == "graft":
            other = draw(st.sampled_from(sorted(places(data), key=repr)))
            node = data
            for step in other:
                node = node[step]
            parent[last] = copy.deepcopy(node)
        elif isinstance(parent, dict):
            parent[draw(st.sampled_from(KEYS) | st.text(max_size=8))] = parent.pop(last)
        if not data:
            break
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


@st.composite
def scribbled(draw: st.DrawFn) -> str:
    """A text with pieces cut out, doubled or written over."""
    text = draw(st.sampled_from(texts()))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(start + 40, len(text))))
        piece = draw(
            st.text(max_size=4)
            | st.sampled_from(
                ["\t", "\n", ": ", "- ", "&a", "*a", "<<: ", "!!x", "---\n", '"', "#"]
            )
            | st.just(text[start:end] * 2)
        )
        text = text[:start] + piece + text[end:]
    return text


def problems_of(text: str, stack_name: str) -> tuple[list[Problem], Domain | None]:
    document = yamldoc.parse(text, "domain.yaml")
    if not document.complete:
        return list(document.problems), None
    domain = validate(Domain, document.data, document)
    if isinstance(domain, list) or document.problems:
        found = domain if isinstance(domain, list) else []
        return [*document.problems, *found], None
    found = [
        Problem(f.code, str(f.path), f.message, document.position(f.path), f.hint)
        for f in rules.check([domain], stack(stack_name))
    ]
    return found, domain


def holds(text: str, stack_name: str) -> bool:
    """Checks one text; whether it was valid."""
    found, domain = problems_of(text, stack_name)
    lines = text.splitlines() or [""]
    for problem in found:
        at = problem.position
        assert 1 <= at.line <= len(text.split("\n")) + text.count("\r") + 1
        assert 1 <= at.column <= max(map(len, lines)) + 2
        assert problem.message
    for style in STYLES.values():
        style(found).encode()
    if found:
        return False
    assert domain is not None
    rendered = list(render([domain], stack(stack_name)))
    assert len({ref(obj) for obj in rendered}) == len(rendered)
    for line in to_json_lines(rendered).splitlines():
        orjson.loads(line)
    return True


@EXAMPLES
@given(text=mutated(), stack_name=st.sampled_from(["local", "staging", "prod"]))
def test_mutated_trees(text: str, stack_name: str) -> None:
    holds(text, stack_name)


@EXAMPLES
@given(text=scribbled())
def test_scribbled_texts(text: str) -> None:
    holds(text, "staging")


@EXAMPLES
@given(data=VALUES)
def test_any_tree_at_all(data: Any) -> None:
    document = yamldoc.parse("name: x", "domain.yaml")
    found = validate(Domain, data, document)
    assert isinstance(found, Domain | list)


@EXAMPLES
@given(raw=st.binary(max_size=200))
def test_any_bytes_at_all(raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(raw)
    document = yamldoc.load(path)
    assert document.problems or document.complete


def test_what_is_mutated_was_valid_before() -> None:
    """Else every mutation would be refused for a reason of its own, and nothing rendered."""
    assert [holds(text, "staging") for text in texts()] == [True] * 4
