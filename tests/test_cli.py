"""The command: exit codes, formats and errors people meet; never a traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import jsonschema
import orjson
import pytest
import yaml

from aspora import cli
from aspora.cli import COMMANDS
from tests.core import MINIMAL, ROOT, python, write

IMPORTS = ("rich", "boto3", "botocore", "pulumi", "moto", "jsonschema", "grpc", "urllib3")


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small repository of one domain, as the current folder."""
    root = tmp_path / "repo"
    write(root / "domains", MINIMAL)
    for path in ROOT.glob("Pulumi*.yaml"):
        shutil.copy(path, root)
    monkeypatch.chdir(root)
    monkeypatch.delenv("ASPORA_ROOT", raising=False)
    return root


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def aspora(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Outcome]:
    """Runs the command in this process; whatever escapes it fails the test."""

    def run(*args: str) -> Outcome:
        code = cli.run(list(args))
        out, err = (stream.decode() for stream in capfdbinary.readouterr())
        assert "Traceback" not in out + err
        assert "internal error" not in err
        return Outcome(code, out, err)

    return run


def break_it(repo: Path) -> Path:
    path = repo / "domains/pets/domain.yaml"
    path.write_text(MINIMAL.replace("model:", "modell:").replace("v1.0.0", "1 0"), "utf-8")
    return path


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help(command: str | None, aspora: Any) -> None:
    done = aspora(*([command] if command else []), "--help")
    assert done.code == 0
    assert "Usage: aspora" in done.out
    assert "Examples:" in done.out
    if command:
        assert COMMANDS[command][1].rstrip(".")[:4]
        assert isinstance(cli.cli.get_command(click.Context(cli.cli), command), click.Command)


def test_help_lists_every_command(aspora: Any) -> None:
    out = aspora("--help").out
    assert all(f"  {name} " in out and text in out for name, (_, text) in COMMANDS.items())


def test_version(aspora: Any) -> None:
    done = aspora("--version")
    assert (done.code, done.out.startswith("aspora")) == (0, True)


def test_fine_is_0_and_says_so_on_stderr(repo: Path, aspora: Any) -> None:
    done = aspora("validate")
    assert (done.code, done.out) == (0, "")
    assert done.err == "1 domain, 1 skill: no problems for local\n"


def test_findings_are_1_on_stdout(repo: Path, aspora: Any) -> None:
    break_it(repo)
    done = aspora("validate")
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0].startswith("domains/pets/domain.yaml:7:12: ASP204 agents[0].image: ")
    assert 'unknown key "modell"; did you mean "model"?' in done.out
    assert done.err == "2 problems found\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["validat"], 'did you mean "validate"?'),
        (["frobnicate"], 'no command "frobnicate"'),
        (["validate", "--stack", "pod"], 'there is no stack "pod"'),
        (["validate", "--stack", "../../etc/passwd"], "there is no stack"),
        (["validate", "--format", "xml"], "'xml' is not one of"),
        (["validate", "nowhere"], "nowhere does not exist"),
        (["validate", "--colour"], "No such option"),
        (["validate", "."], "holds no domain.yaml"),
        (["render", "--domain", "pet"], 'there is no domain "pet"'),
        (["explain", "agents.skils"], 'did you mean "skills"?'),
        (["explain", "colour"], "known here: name, description, owner"),
        (["explain", "ASP999"], "there is no code ASP999"),
        (["schema", "--of", "house"], "'house' is not one of"),
    ],
)
def test_misuse_is_2(args: list[str], said: str, repo: Path, aspora: Any) -> None:
    done = aspora(*args)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_an_unknown_stack_names_those_there_are(repo: Path, aspora: Any) -> None:
    assert "known stacks: local, prod, staging" in aspora("render", "--stack", "pord").err


@pytest.mark.parametrize("command", [["validate"], ["render"]])
def test_outside_a_repository(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aspora: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASPORA_ROOT", raising=False)
    done = aspora(*command)
    assert (done.code, done.out) == (2, "")
    assert "is not in a repository of the platform" in done.err
    assert "ASPORA_ROOT" in done.err


def test_the_root_may_be_named(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aspora: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASPORA_ROOT", str(repo))
    assert aspora("validate").code == 0


def test_from_a_folder_below_the_root(
    repo: Path, monkeypatch: pytest.MonkeyPatch, aspora: Any
) -> None:
    monkeypatch.chdir(repo / "domains/pets")
    assert aspora("validate").code == 0
    assert aspora("validate", "domain.yaml").code == 0


def test_json_holds_the_positions(repo: Path, aspora: Any) -> None:
    break_it(repo)
    done = aspora("validate", "--format", "json")
    problems = json.loads(done.out)["problems"]
    found = [(p["file"], p["line"], p["column"], p["code"]) for p in problems]
    file = "domains/pets/domain.yaml"
    assert (done.code, found) == (1, [(file, 7, 12, "ASP204"), (file, 8, 5, "ASP201")])


def test_github_puts_them_on_their_lines(repo: Path, aspora: Any) -> None:
    break_it(repo)
    lines = aspora("validate", "--format", "github").out.splitlines()
    assert lines[1].startswith("::error file=domains/pets/domain.yaml,line=8,col=5,title=ASP201")


def test_sarif_holds_the_positions(repo: Path, aspora: Any) -> None:
    break_it(repo)
    (run,) = json.loads(aspora("validate", "--format", "sarif").out)["runs"]
    (location,) = run["results"][1]["locations"]
    place = location["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "domains/pets/domain.yaml"
    assert place["region"] == {"startLine": 8, "startColumn": 5}
    assert run["tool"]["driver"]["rules"][run["results"][1]["ruleIndex"]]["id"] == "ASP201"


@pytest.mark.parametrize("style", ["json", "github", "sarif"])
def test_formats_without_problems(style: str, repo: Path, aspora: Any) -> None:
    done = aspora("validate", "--format", style)
    assert done.code == 0
    if style == "json":
        assert json.loads(done.out)["problems"] == []
    elif style == "sarif":
        assert json.loads(done.out)["runs"][0]["results"] == []
    else:
        assert done.out == ""


def test_piped_output_has_no_colour(repo: Path, aspora: Any) -> None:
    break_it(repo)
    done = aspora("validate")
    assert "\x1b" not in done.out + done.err


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("", "Fields of a domain file:"),
        ("agents.skills.budget", "monthlyUSD"),
        ("agents[0].skills[2].schedule", "five cron fields"),
        ("quota.cpu", "Default: 8"),
        ("ASP309", "Quota too small"),
        ("asp101", "Not valid YAML"),
    ],
)
def test_explain(field: str, said: str, aspora: Any) -> None:
    done = aspora("explain", *([field] if field else []))
    assert (done.code, done.err) == (0, "")
    assert said in done.out


def schema(aspora: Any, of: str) -> jsonschema.Draft202012Validator:
    data = json.loads(aspora("schema", "--of", of).out)
    jsonschema.Draft202012Validator.check_schema(data)
    return jsonschema.Draft202012Validator(data)


def test_the_schema_accepts_the_repository_s_files(aspora: Any) -> None:
    domain, stack = schema(aspora, "domain"), schema(aspora, "stack")
    files = sorted((ROOT / "domains").glob("*/domain.yaml"))
    assert len(files) >= 4
    for path in files:
        domain.validate(yaml.safe_load(path.read_text("utf-8")))
    for path in ROOT.glob("Pulumi.*.yaml"):
        stack.validate(yaml.safe_load(path.read_text("utf-8")))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model:", "modell:"),
        ("name: pets", "name: Pets"),
        ("image: aspora/", "image: ghcr.io/aspora/"),
        ("    skills:", "    timeout_seconds: 20\n    skills:"),
        ("    skills:", "    priority: urgent\n    skills:"),
        ("    skills:", "    timeoutSeconds: 0\n    skills:"),
    ],
)
def test_the_schema_refuses_what_validate_refuses(old: str, new: str, aspora: Any) -> None:
    text = MINIMAL.replace(old, new)
    assert text != MINIMAL
    assert not schema(aspora, "domain").is_valid(yaml.safe_load(text))


def test_the_schema_refuses_an_unknown_setting(aspora: Any) -> None:
    data = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text("utf-8"))
    stack = schema(aspora, "stack")
    assert stack.is_valid(data | {"config": data["config"] | {"aws:region": "us-east-1"}})
    assert not stack.is_valid(data | {"config": data["config"] | {"aspora:colour": "red"}})


def test_render_json_is_one_object_a_line(repo: Path, aspora: Any) -> None:
    lines = aspora("render", "--format", "json").out.splitlines()
    assert {orjson.loads(line)["kind"] for line in lines} >= {"Namespace", "Deployment"}
    only = aspora("render", "--format", "json", "--domain", "pets").out.splitlines()
    assert 0 < len(only) < len(lines)


def test_render_prints_nothing_when_something_is_wrong(repo: Path, aspora: Any) -> None:
    break_it(repo)
    done = aspora("render")
    assert (done.code, done.out) == (1, "")
    assert "domains/pets/domain.yaml:8:5: ASP201" in done.err


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_out_writes_a_tree(repo: Path, aspora: Any) -> None:
    assert aspora("render", "--out", "build").code == 0
    names = [name for name in files(repo / "build") if not name.startswith(".")]
    skill = "pets/pets-vet-advise.yaml"
    assert names == ["cluster.yaml", "guardrails/pets.yaml", skill, "services.yaml"]
    kinds = [obj["kind"] for obj in yaml.safe_load_all((repo / "build" / skill).read_bytes())]
    assert "Deployment" in kinds
    before = files(repo / "build")
    assert aspora("render", "--out", "build").code == 0
    assert files(repo / "build") == before


def test_out_removes_what_it_wrote_and_nothing_else(repo: Path, aspora: Any) -> None:
    aspora("render", "--out", "build")
    (repo / "build/pets/notes.txt").write_text("ours", "utf-8")
    path = repo / "domains/pets/domain.yaml"
    path.write_text(MINIMAL.replace("name: advise", "name: consult"), "utf-8")
    assert "1 removed" in aspora("render", "--out", "build").err
    names = set(files(repo / "build/pets"))
    assert names == {"notes.txt", "pets-vet-consult.yaml"}


def test_out_stays_as_it_was_when_something_is_wrong(repo: Path, aspora: Any) -> None:
    aspora("render", "--out", "build")
    before = files(repo / "build")
    break_it(repo)
    assert aspora("render", "--out", "build").code == 1
    assert files(repo / "build") == before


def test_a_tampered_list_of_files_removes_nothing_outside(repo: Path, aspora: Any) -> None:
    aspora("render", "--out", "build")
    listing = repo / "build/.aspora-rendered"
    listing.write_text(f"../Pulumi.yaml\n{repo}/Pulumi.prod.yaml\n", "utf-8")
    assert aspora("render", "--out", "build").code == 0
    assert (repo / "Pulumi.yaml").is_file()
    assert (repo / "Pulumi.prod.yaml").is_file()


def test_out_that_is_a_file(repo: Path, aspora: Any) -> None:
    done = aspora("render", "--out", "Pulumi.yaml")
    assert done.code == 2
    assert "is a file" in done.err


def test_out_below_a_file(repo: Path, aspora: Any) -> None:
    done = aspora("render", "--out", "Pulumi.yaml/build")
    assert (done.code, done.out) == (1, "")
    assert "error: cannot write" in done.err
    assert "--out" in done.err


def test_a_full_disk_is_said_and_leaves_whole_files(
    repo: Path, aspora: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    aspora("render", "--out", "build")
    before = files(repo / "build")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as stream:
            stream.write(data[:10])
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    done = aspora("render", "--out", "build")
    assert done.code == 1
    assert "No space left on device" in done.err
    assert files(repo / "build") == before


def test_a_reader_that_has_seen_enough(repo: Path) -> None:
    """`aspora render | head -1`: no traceback, no complaint."""
    read, wrote = os.pipe()
    os.close(read)
    try:
        code = (
            "import os, sys; os.dup2(int(sys.argv.pop(1)), 1); "
            "from aspora.cli import run; sys.exit(run(sys.argv[1:]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(wrote), "render"],
            pass_fds=[wrote],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(wrote)
    assert (done.returncode, done.stderr) == (0, b"")


def modules() -> list[str]:
    found = sorted((ROOT / "aspora").rglob("*.py"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in found]


def test_every_module_imports_with_an_empty_environment() -> None:
    names = [name.removesuffix(".__init__") for name in modules() if "__main__" not in name]
    assert len(names) > 20
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    done = python("-c", code, *names, clean=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_validate_imports_nothing_heavy() -> None:
    code = (
        "import sys; from aspora.cli import run; code = run(['validate']);"
        "code += run(['check', '--no-checkov']);"
        f"print(code, sorted({{n.split('.')[0] for n in sys.modules}} & set({IMPORTS!r})))"
    )
    done = python("-c", code)
    assert done.stdout == b"0 []\n", done.stderr
