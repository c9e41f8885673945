"""What must not stand in the repository, and that hooks and editors find what they need."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.core import ROOT
from tests.pages import repository_files

MYSELF = Path(__file__).relative_to(ROOT).as_posix()
LOCKS = [name for name in repository_files() if name.endswith((".lock", "go.sum"))]
# In parts, so that this file names none of them either.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("registry", "npmjs", "org"),
    )
)
WRITTEN_BY = r"chatgpt|copilot|co-authored-by|generated (with|by) (claude|an? ai)|claude code"


def texts() -> dict[str, str]:
    """Every file but this one, whose words would match themselves."""
    return {
        name: (ROOT / name).read_bytes().decode("utf-8", errors="replace")
        for name in repository_files()
        if name != MYSELF
    }


def hosts_of_this_machine() -> set[str]:
    """The package registries that this machine is set up to use."""
    variables = (
        *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"),
        *("GOPROXY", "GOSUMDB", "NPM_CONFIG_REGISTRY"),
    )
    words = " ".join(os.environ.get(name, "") for name in variables)
    for file in (Path("/etc/pip.conf"), Path.home() / ".config/pip/pip.conf"):
        if file.is_file():
            words += " " + file.read_text("utf-8")
    return {host for url in re.findall(r"https?://[^\s,|]+", words) if (host := _host(url))}


def _host(url: str) -> str:
    host = urlsplit(url).hostname or ""
    return "" if host in ("localhost", "127.0.0.1") else host


def found(pattern: str) -> list[str]:
    matcher = re.compile(pattern, re.IGNORECASE)
    return [name for name, text in texts().items() if matcher.search(text)]


def test_files_are_found_at_all() -> None:
    assert {"README.md", "Makefile", "requirements.lock", "aspora/names.py"} <= set(texts())
    assert found("five minutes for a domain team") == ["README.md"]


def test_no_file_names_a_package_registry() -> None:
    hosts = {*REGISTRIES, *hosts_of_this_machine()}
    assert found("|".join(re.escape(host) for host in sorted(hosts))) == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_holds_no_address(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert re.search(r"[a-z]://[a-z]", text) is None
    assert re.search(r"(?m)^\s*(-i|-f|--index-url|--extra-index-url|--find-links)\b", text) is None


@pytest.mark.parametrize("name", [name for name in LOCKS if name.endswith(".lock")])
def test_every_requirement_is_pinned_with_a_hash(name: str) -> None:
    text = (ROOT / name).read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.match(r"[\w.\[\]-]+==[\w.+!]+", line), line
        assert "--hash=sha256:" in line, line


def test_no_file_names_a_path_of_this_machine() -> None:
    places = {str(ROOT)}
    if len(Path.home().parts) > 2:
        places.add(str(Path.home()))
    assert found("|".join(re.escape(place) + r"\b" for place in sorted(places))) == []


def test_no_file_says_by_what_it_was_written() -> None:
    assert found(WRITTEN_BY) == []


def test_hooks_run_what_make_installs_and_fetch_nothing() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        program = hook["entry"].split()[0]
        assert program.startswith(".venv/bin/")
        assert (Path(sys.prefix) / "bin" / program.rpartition("/")[2]).exists()


def test_editors_find_the_schemas() -> None:
    editor = json.loads((ROOT / ".vscode/settings.json").read_text("utf-8"))
    for schema, pattern in editor["yaml.schemas"].items():
        assert (ROOT / schema).is_file()
        assert list(ROOT.glob(pattern))
    assert len(editor["yaml.schemas"]) == 3
