"""Who reviews what, and what the platform team has to agree to."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from aspora import approvals
from aspora.approvals import Approval
from aspora.cli import cli
from aspora.codeowners import FILE, organisation, text
from aspora.errors import EnvironmentFailure, InvalidInput, UsageError
from aspora.models import Limits
from tests.core import MINIMAL, ROOT, domains, loaded, repository, settings, write


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the two commands read of the repository."""
    root = tmp_path / "repository"
    shutil.copytree(ROOT / "domains", root / "domains")
    shutil.copytree(ROOT / ".github", root / ".github")
    for name in ("Pulumi.yaml", "Pulumi.local.yaml"):
        shutil.copy(ROOT / name, root)
    monkeypatch.setenv("ASPORA_ROOT", str(root))
    return root


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    code = done.return_value if done.exception is None else done.exception
    assert isinstance(code, int), code
    return code, done.output


def test_the_repository_s_file_is_what_its_domains_say() -> None:
    owner = organisation(settings("prod").gitops.repo_url)
    assert (ROOT / FILE).read_text("utf-8") == text(owner, repository())


def test_everything_is_the_platform_team_s_but_each_domain_s_folder(tmp_path: Path) -> None:
    other = MINIMAL.replace("pets", "zoo")
    found = text("octo-org", domains(tmp_path, other, MINIMAL)).splitlines()
    rules = [line for line in found if line and not line.startswith("#")]
    assert rules == [
        "* @octo-org/platform-team",
        "/domains/pets/ @octo-org/pets-team",
        "/domains/zoo/ @octo-org/zoo-team",
    ]


@pytest.mark.parametrize("team", ["a b", "x @evil/team", "#", "Teams", "*", "team\n* @evil/x"])
def test_a_team_that_would_be_more_than_a_name_is_refused(tmp_path: Path, team: str) -> None:
    quoted = team.replace("\n", "\\n")
    outcome = loaded(tmp_path, MINIMAL.replace("team: pets-team", f'team: "{quoted}"'))
    assert [(problem.code, problem.path) for problem in outcome.problems] == [
        ("ASP204", "owner.team")
    ]


@pytest.mark.parametrize(
    "url", ["https://github.com/platform", "https://x/a b/c", "https://x/a/b/c"]
)
def test_a_repository_without_an_organisation_is_told(url: str) -> None:
    with pytest.raises(UsageError, match="names no organisation"):
        organisation(url)


def test_a_new_owner_is_noticed_and_written(copy: Path) -> None:
    assert run("codeowners", "--check")[0] == 0
    file = copy / "domains/wealth/domain.yaml"
    file.write_text(file.read_text("utf-8").replace("wealth-team", "riches-team"), "utf-8")
    code, said = run("codeowners", "--check")
    assert code == 1
    assert "aspora codeowners --write" in said
    assert "riches-team" in run("codeowners")[1]
    assert run("codeowners", "--write")[0] == 0
    assert run("codeowners", "--check")[0] == 0
    assert "/domains/wealth/ @aspora/riches-team" in (copy / FILE).read_text("utf-8")


def test_a_full_disk_leaves_the_old_file(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy / FILE).write_text("old", "utf-8")

    def full(path: Path, data: bytes) -> int:
        with path.open("wb") as stream:
            stream.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(EnvironmentFailure, match="No space left on device"):
        CliRunner().invoke(
            cli, ["codeowners", "--write"], standalone_mode=False, catch_exceptions=False
        )
    assert (copy / FILE).read_text("utf-8") == "old"
    assert [path.name for path in (copy / FILE).parent.glob("*CODEOWNERS*")] == ["CODEOWNERS"]


@pytest.mark.parametrize("command", ["validate", "approvals", "check --no-checkov --stack local"])
@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("domains/wealth/domain.yaml", "domains/wealth/domain.yaml"),
        ("Pulumi.local.yaml", "Pulumi.local.yaml"),
    ],
)
def test_files_that_do_not_hold_are_told_in_the_format_asked_for(
    copy: Path, monkeypatch: pytest.MonkeyPatch, command: str, file: str, place: str
) -> None:
    """A workflow that reads annotations, or SARIF, would else have nothing to show."""
    monkeypatch.chdir(copy)
    (copy / file).write_text("name: [", "utf-8")
    code, said = run(*command.split(), "--format", "github")
    assert code == 1
    assert f"::error file={place},line=1" in said
    code, said = run(*command.split(), "--format", "sarif")
    assert code == 1
    assert f'"uri": "{place}"' in said


def test_links_out_of_the_repository_are_neither_written_nor_read(
    copy: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("of nobody's business", "utf-8")
    (copy / FILE).unlink()
    (copy / FILE).symlink_to(tmp_path / "mine")
    with pytest.raises(UsageError, match="is a link out of the repository"):
        CliRunner().invoke(
            cli, ["codeowners", "--write"], standalone_mode=False, catch_exceptions=False
        )
    assert (tmp_path / "mine").read_text("utf-8") == "of nobody's business"
    (copy / "Pulumi.local.yaml").unlink()
    (copy / "Pulumi.local.yaml").symlink_to(tmp_path / "mine")
    code, said = run("approvals", "--format", "github")
    assert code == 1
    assert "a symbolic link leads out of the folder" in said
    assert "business" not in said


def test_a_broken_file_of_approvals_is_named_within_the_repository(copy: Path) -> None:
    (copy / "domains/approvals.yaml").write_text("a: [", "utf-8")
    code, said = run("approvals", "--format", "github")
    assert code == 1
    assert "::error file=domains/approvals.yaml,line=1" in said


def test_what_the_repository_has_beyond_the_defaults_was_agreed_to(copy: Path) -> None:
    assert run("approvals")[0] == 0


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("cpu: 20\n", "cpu: 20500m\n", "quota.cpu: 20500m for wealth"),
        ("pods: 50\n", "pods: 51\n", "quota.pods: 51"),
        ("monthlyUSD: 2000\n", "monthlyUSD: 2000.01\n", "budget.monthlyUSD: 2,000.01 USD"),
        ("cpu: 4, memory: 8Gi", "cpu: 4, memory: 9Gi", "limits.max.memory: 9Gi"),
        (
            "limits:\n",
            "sandbox: {runtime: runc, reason: A driver it needs}\nlimits:\n",
            "sandbox.runtime: runc",
        ),
        (
            "limits:\n",
            "egress: [{host: api.example.com, reason: It asks there}]\nlimits:\n",
            "egress[0]: api.example.com:443",
        ),
    ],
)
def test_one_step_beyond_fails_at_its_place(copy: Path, old: str, new: str, where: str) -> None:
    file = copy / "domains/wealth/domain.yaml"
    before = file.read_text("utf-8")
    assert before.count(old) == 1
    file.write_text(before.replace(old, new), "utf-8")
    code, said = run("approvals", "--format", "github")
    assert code == 1
    assert said.count("::error") == 1
    assert "file=" in said
    assert where.split(": ", 1)[1] in said
    assert where.split(":", maxsplit=1)[0] in said


def test_a_domain_of_the_defaults_needs_no_approval(tmp_path: Path) -> None:
    assert list(approvals.exceeding(domains(tmp_path, MINIMAL)[0], Approval(domain="pets"))) == []


def test_half_of_a_container_s_maximum_leaves_the_other_half_at_its_default() -> None:
    most = Limits().max
    assert (most.cpu, most.memory) == (approvals._CPU, approvals._MEMORY)


def test_less_than_was_agreed_to_is_fine(tmp_path: Path) -> None:
    agreed = Approval.model_validate({"domain": "pets", "quota": {"cpu": "100"}})
    assert list(approvals.exceeding(domains(tmp_path, MINIMAL)[0], agreed)) == []


@pytest.mark.parametrize(
    "text", ["approvals: [{domain: pets, qouta: {}}]", "approvals: 1", "- x", "approvals: [", ""]
)
def test_approvals_that_cannot_be_read_approve_nothing(tmp_path: Path, text: str) -> None:
    files = loaded(tmp_path / "domains", MINIMAL).files
    (tmp_path / approvals.FILE).write_text(text, "utf-8")
    with pytest.raises(InvalidInput) as caught:
        approvals.check(tmp_path, files)
    assert caught.value.problems


def test_without_the_file_nothing_was_agreed_to(tmp_path: Path) -> None:
    write(tmp_path / "domains", MINIMAL)
    files = loaded(tmp_path / "domains", MINIMAL).files
    with pytest.raises(InvalidInput) as caught:
        approvals.check(tmp_path, files)
    assert "ASP102" in {problem.code for problem in caught.value.problems}
