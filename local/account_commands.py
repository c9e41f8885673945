"""The commands on a real account: bootstrap, and doctor with --stack."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from aspora.cli.common import counted, domain_paths, find_root, stack_option
from aspora.errors import InvalidInput, UsageError
from aspora.load import load, load_stack
from aspora.named_secrets import NamedSecret, named_secrets
from aspora.stack import StackSettings

if TYPE_CHECKING:
    from infra.aws_account import Account
    from infra.bootstrap.outcome import Outcome
    from infra.bootstrap.secret_store import Filling

NOT_PINNED = "ASP313"
"""Images get their digests after the account is there, so that is no reason to stop here."""


def _only_stdin(_: click.Context, __: click.Parameter, value: str | None) -> bool:
    """Whatever else was given is not repeated: it may be a secret."""
    if value not in (None, "-"):
        raise click.BadParameter(
            "values come from standard input only: `--secrets-from -`, so that they stay out of"
            " the process list and the shell's history"
        )
    return value == "-"


@click.command(
    epilog="""\b
Examples:
  aspora bootstrap --stack staging --dry-run      what it would make
  aspora bootstrap --stack staging                make it; asks for the secrets
  aspora bootstrap --stack staging --gvisor gvisor-x86_64.tar.bz2
  get-secrets | aspora bootstrap --stack staging --yes --secrets-from -
"""
)
@stack_option
@click.option("--dry-run", is_flag=True, help="Say what would be made; make nothing.")
@click.option("--yes", is_flag=True, help="The account of these credentials is the right one.")
@click.option(
    "--gvisor",
    "tarball",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Upload this gvisor-x86_64.tar.bz2, when its checksum is the stack's.",
)
@click.option(
    "--secrets-from",
    "piped",
    metavar="-",
    callback=_only_stdin,
    help="Read values from standard input, as a JSON object {name: value}.",
)
@click.option(
    "--replace", multiple=True, metavar="NAME", help="Give this secret a new value; repeatable."
)
def bootstrap(
    stack: str,
    *,
    dry_run: bool,
    yes: bool,
    tarball: Path | None,
    piped: bool,
    replace: tuple[str, ...],
) -> int:
    """Make what has to stand in an AWS account before Pulumi can. Safe to run again."""
    from infra import bootstrap as steps
    from infra.aws_account import aws_settings, refuse_another, who
    from infra.aws_session import Aws, AwsError
    from infra.bootstrap.outcome import Run

    settings, wanted = _read(stack)
    aws_settings(settings)
    filling = _filling(wanted, stack, frozenset(replace), piped=piped, dry_run=dry_run)
    try:
        account = who(Aws(settings.region), settings)
    except AwsError as error:
        raise error.during("account") from None
    refuse_another(account)
    if not (dry_run or yes):
        _confirm(account, piped=piped)
    run = Run(account, dry_run, lambda title: click.echo(f"{title} ...", err=True))
    missing = _tell(steps.bootstrap(run, steps.Wishes(wanted, filling, tarball)), dry_run=dry_run)
    click.echo("next:", err=True)
    for command in steps.next_commands(account):
        click.echo(command)
    if missing and not dry_run:
        click.echo(f"{counted(missing, 'thing')} still missing; run it again for them", err=True)
        return 1
    return 0


def _read(stack: str) -> tuple[StackSettings, tuple[NamedSecret, ...]]:
    """The settings, and the secrets that the domains want."""
    root = find_root()
    settings = load_stack(stack, root)
    loaded = load(domain_paths((), root), settings)
    problems = tuple(problem for problem in loaded.problems if problem.code != NOT_PINNED)
    if problems:
        raise InvalidInput(problems)
    return settings, named_secrets(loaded.domains, settings)


def _filling(
    wanted: Sequence[NamedSecret],
    stack: str,
    replace: frozenset[str],
    *,
    piped: bool,
    dry_run: bool,
) -> Filling:
    from infra.bootstrap import secret_values
    from infra.bootstrap.secret_store import Filling

    secret_values.unknown(sorted(replace), wanted, stack)
    values = secret_values.parse(_standard_input(), wanted, stack) if piped else {}
    asks = sys.stdin.isatty() and not piped
    for secret in wanted:
        without = secret.source == "asked" and secret.name not in values and not asks
        if secret.name in replace and without:
            raise UsageError(
                f"--replace {secret.name} has no new value",
                hint="give it with --secrets-from -, or run it on a terminal to be asked",
            )
    return Filling(values, _ask if asks else None, replace, dry_run)


def _standard_input() -> str:
    if sys.stdin.isatty():
        raise UsageError(
            "--secrets-from - reads a pipe, and standard input is a terminal",
            hint="leave it out to be asked for each value, hidden",
        )
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("standard input is not UTF-8", hint="write the JSON as UTF-8") from None


def _ask(secret: NamedSecret) -> str:
    question = f"{secret.name} ({secret.purpose}), empty to skip"
    answer = click.prompt(question, hide_input=True, default="", show_default=False, err=True)
    return str(answer).strip()


def _confirm(account: Account, *, piped: bool) -> None:
    """When the stack does not name its account, a person says whether it is this one."""
    if account.config.account_id is not None:
        return
    said = f"account {account.number} in {account.region}, as {account.arn}"
    place = f"Pulumi.{account.stack}.yaml does not name its account"
    if piped or not sys.stdin.isatty():
        raise UsageError(
            f"{place}; these credentials belong to {said}",
            hint=f'--yes when it is the right one, or write accountId: "{account.number}" there',
        )
    click.echo(f"{place}; these credentials belong to {said}", err=True)
    click.confirm("Make everything there?", abort=True, err=True)


def _tell(outcomes: Iterable[Outcome], *, dry_run: bool) -> int:
    """Print each as it comes; the number of those that are missing."""
    would = {"made": "would make", "changed": "would change"} if dry_run else {}
    width = 12 if dry_run else 7
    missing = 0
    for outcome in outcomes:
        state = would.get(outcome.state, outcome.state)
        click.echo(f"{state:{width}}  {outcome.what}: {outcome.detail}")
        missing += outcome.state == "missing"
    return missing


class Finding(Protocol):
    """What both doctors say of one thing."""

    @property
    def state(self) -> str:
        """ok or pass, warn, fail."""

    @property
    def what(self) -> str:
        """What was looked at."""

    @property
    def detail(self) -> str:
        """What was found."""

    @property
    def way_out(self) -> str:
        """The command or the edit that mends it."""


def doctor_of_account(stack: str, style: str) -> int:
    """`aspora doctor --stack`: look whether the account is ready for `pulumi up`."""
    from datetime import UTC, datetime

    from infra.aws_account import aws_settings
    from infra.aws_session import Aws
    from infra.preflight import examine
    from infra.preflight.resolver import name_servers

    settings, wanted = _read(stack)
    aws_settings(settings)
    found = examine(
        Aws(settings.region),
        settings,
        wanted,
        today=datetime.now(UTC).date(),
        name_servers=name_servers,
    )
    return show_findings(found, style)


def show_findings(findings: Iterable[Finding], style: str) -> int:
    """Print them as they come (text) or at once (json); 1 when one of them fails."""
    failed = 0
    objects = []
    for finding in findings:
        failed += finding.state == "fail"
        if style == "text":
            click.echo(f"{finding.state:5} {finding.what}: {finding.detail}")
            if finding.way_out:
                click.echo(f"      {finding.way_out}")
        else:
            fields = ("state", "what", "detail")
            values = {field: getattr(finding, field) for field in fields}
            objects.append(values | {"wayOut": finding.way_out})
    if style == "json":
        click.echo(json.dumps({"checks": objects}, indent=2))
    return 1 if failed else 0
