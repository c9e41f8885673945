"""What the documents name exists, and what exists is named."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest

from aspora import crds, names
from aspora.cli import COMMANDS
from aspora.models import Sandbox
from aspora.render import render
from tests.core import ROOT, repository, settings
from tests.pages import README, anchors, documents, links, prose, repository_files, spans, table

CODE = ("aspora", "components", "infra", "local")
MADE_BY_THE_README = {"domains/lending/domain.yaml"}
PATH = re.compile(r"[\w.<>*-]+(/[\w.<>*-]+)*/?")
SUFFIXES = (".py", ".md", ".yaml", ".toml", ".lock", ".json", ".txt", ".go", ".mod")
PAGES = pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(ROOT)))


@cache
def source_texts() -> tuple[str, ...]:
    """Every text in our code; what is put in at run time is a line break in it."""
    found: list[str] = []
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    found.append("".join(_part(value) for value in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return tuple(found)


def _part(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else "\n"


def named_paths(page: Path) -> Iterator[str]:
    top = {name.split("/")[0] for name in repository_files()}
    for span in spans(prose(page)):
        if PATH.fullmatch(span) and span not in MADE_BY_THE_README:
            is_ours = "/" in span and span.split("/")[0] in top
            if is_ours or (span.endswith(SUFFIXES) and not span.startswith(".")):
                yield span


def is_there(name: str) -> bool:
    pattern = re.sub(r"<[^>]*>", "*", name).rstrip("/")
    files = repository_files()
    if "/" not in name:  # a file's name alone
        return any(fnmatch(file.rpartition("/")[2], pattern) for file in files)
    return any(fnmatch(file, pattern) or fnmatch(file, f"{pattern}/*") for file in files)


@PAGES
def test_every_path_that_is_named_exists(page: Path) -> None:
    assert [name for name in named_paths(page) if not is_there(name)] == []


def test_paths_are_found_at_all() -> None:
    assert {"aspora/crds.py", "docs/reference/"} <= {
        name for page in documents() for name in named_paths(page)
    }
    assert not is_there("aspora/nowhere.py")
    assert not is_there("nowhere.md")


@PAGES
def test_links_lead_to_a_place_in_the_repository(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_relative_to(ROOT.resolve()), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@PAGES
def test_every_command_that_is_named_exists_with_its_options(page: Path) -> None:
    for span in spans(prose(page)):
        words = span.split()
        if words[:1] != ["aspora"] or len(words) < 2:
            continue
        assert words[1].rstrip(";") in COMMANDS, span
        command = _command(words[1])
        if isinstance(command, click.Group) and len(words) > 2:
            command = command.commands[words[2]]
        known = {option for param in command.params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= known | {"--help"}, span


def _command(name: str) -> click.Command:
    module, _, attribute = COMMANDS[name.rstrip(";")][0].partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    return command


def test_the_table_of_commands_is_complete() -> None:
    rows = table(README, "Command")
    assert [spans(row[0]) for row in rows] == [[f"aspora {name}"] for name in COMMANDS]


def makefile_targets() -> set[str]:
    text = (ROOT / "Makefile").read_text("utf-8")
    return set(re.findall(r"(?m)^([a-z-]+):(?!=)", text))


def test_make_help_and_the_readme_list_every_target() -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    assert set(re.findall(r"(?m)^([a-z-]+):.*## ", text)) == makefile_targets()
    listed = [span for row in table(README, "Target") for span in spans(row[0])]
    assert sorted(listed) == sorted(f"make {target}" for target in makefile_targets())


@PAGES
def test_every_target_that_is_named_exists(page: Path) -> None:
    for span in spans(prose(page)):
        words = span.split()
        if words[:1] == ["make"] and len(words) == 2:
            assert words[1] in makefile_targets(), span


def test_the_readme_names_the_variables_that_the_code_reads_and_no_others() -> None:
    variable = re.compile(r"(ASPORA|XDG)_[A-Z_]+")
    read = {text for text in source_texts() if variable.fullmatch(text)}
    documented = {
        span
        for row in table(README, "Variable")
        for span in spans(row[0])
        if variable.fullmatch(span)
    }
    assert documented == read
    assert len(read) >= 5


def test_every_message_under_troubleshooting_is_one_of_ours() -> None:
    rows = table(README, "It says")
    assert len(rows) > 10
    for row in rows:
        (message,) = spans(row[0])
        parts = [part.strip() for part in message.split("…") if part.strip()]
        assert parts
        assert any(_in_order(parts, text) for text in source_texts()), message


def _in_order(parts: list[str], text: str) -> bool:
    at = 0
    for part in parts:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True


def metadata(value: Any, kind: str) -> Iterator[dict[str, Any]]:
    """The metadata of an object and of every template in it."""
    if isinstance(value, dict):
        if isinstance(value.get("metadata"), dict):
            yield value["metadata"]
        for below in value.values():
            yield from metadata(below, kind)
    elif isinstance(value, list | tuple):
        for below in value:
            yield from metadata(below, kind)


def rendered_keys() -> tuple[set[str], set[str]]:
    """Labels and annotations of everything: both ways of delivery, both runtimes, two stacks."""
    first, second, *others = repository()
    runc = Sandbox(runtime="runc", reason="A device driver that gVisor does not know.")
    changed = [
        first.model_copy(update={"delivery": "argocd"}),
        second.model_copy(update={"sandbox": runc}),
        *others,
    ]
    objects: list[Any] = [crds.owned(crds.open_crd(kind)) for kind in crds.CUSTOM_KINDS]
    for stack in ("local", "staging"):
        objects += render(changed, settings(stack))
    found = [meta for obj in objects for meta in metadata(obj, obj["kind"])]
    return (
        {key for meta in found for key in meta.get("labels", {})},
        {key for meta in found for key in meta.get("annotations", {})},
    )


def test_the_catalogue_lists_every_label_and_annotation() -> None:
    page = ROOT / "docs/labels.md"
    labels, annotations = rendered_keys()
    on_nodes = {names.RUNTIME_LABEL}
    listed = [spans(row[0])[0] for row in table(page, "Label")]
    assert sorted(listed) == sorted(labels | on_nodes)
    listed = [spans(row[0])[0] for row in table(page, "Annotation")]
    assert sorted(listed) == sorted(annotations)
    own = {value for key, value in vars(names).items() if key.endswith("_LABEL")}
    assert own <= labels | on_nodes


def decisions() -> list[Path]:
    return sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))


def test_the_index_lists_every_decision_in_order() -> None:
    rows = [f"[{_title(path)[1]}]({path.name})" for path in decisions()]
    numbers = [_title(path)[0] for path in decisions()]
    assert [row[1] for row in table(ROOT / "docs/decisions/README.md", "No.")] == rows
    assert [row[0] for row in table(ROOT / "docs/decisions/README.md", "No.")] == numbers
    assert numbers == sorted(set(numbers), key=int)
    assert all(path.name.startswith(f"{int(_title(path)[0]):04}-") for path in decisions())


def _title(path: Path) -> tuple[str, str]:
    number, _, title = path.read_text("utf-8").splitlines()[0].removeprefix("# ").partition(". ")
    return number, title


@pytest.mark.parametrize("path", decisions(), ids=lambda path: path.name[:4])
def test_a_decision_is_short_and_says_why_what_and_what_follows(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("## ")] == [
        "## Context",
        "## Decision",
        "## Consequences",
    ]
    assert 10 <= len(lines) <= 25
