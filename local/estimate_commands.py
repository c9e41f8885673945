"""`aspora cost` before anything is spent, and `aspora estimate-cost`, the gate on a change."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aspora.cli.common import Named, find_root, one_shot, shown
from aspora.errors import InvalidInput, UsageError
from aspora.problems import Problem, quoted

if TYPE_CHECKING:
    from aspora.estimate import Estimate, Measure
    from aspora.models import Domain
    from aspora.stack import StackSettings

STACK = "prod"
"""Whose cost is asked for when nobody says: what teams declare is meant for it."""
_DOMAIN = re.compile(r"domains/[^/]+/domain\.yaml")
_IN_DOMAINS = re.compile(r"domains/[^/]+")


def show_estimate(stack: str, style: str, *, platform: bool) -> int:
    """Print what `stack` costs a month; `platform` says whether its own cost is looked at."""
    from aspora.estimate import documents, text
    from aspora.estimate.figures import OLD_DAYS, oldest

    one_shot()
    root = find_root()
    found = estimate_of(_folder(root, stack), root=root if platform else None)
    formats = {"text": text.as_text, "json": documents.as_json, "markdown": text.as_markdown}
    click.echo(formats[style](found), nl=False)
    if (days := oldest(found)) > OLD_DAYS:
        click.echo(f"a price is {days} days old; look them up: aspora prices refresh", err=True)
    return 0


class Usd(click.ParamType[Decimal]):
    """An amount of USD, 0 or more: neither NaN nor infinite, which nothing would ever pass."""

    name = "USD"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        """The amount; a misuse of the command for anything else."""
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or not 0 <= amount <= 1_000_000_000:
            self.fail(f"{value!r} is no amount of USD; for example 500", param, ctx)
        return amount


@click.command(
    epilog="""\b
Examples:
  aspora estimate-cost --changed-skills --threshold 500 --fail-on-exceed
  aspora estimate-cost --changed-skills --base v1.4.0 --format markdown
  aspora estimate-cost --changed-skills --fail-on-exceed --label cost-approved
"""
)
@click.option("--changed-skills", is_flag=True, help="Only what differs from the base.")
@click.option(
    "--base",
    type=Named(),
    metavar="SIDE",
    help="Compare with this: a Git revision or a folder; where the head left main when left out.",
)
@click.option(
    "--head",
    type=Named(),
    metavar="SIDE",
    help="What is looked at: a Git revision or a folder; the working tree when left out.",
)
@click.option(
    "--threshold",
    type=Usd(),
    default="500",
    show_default=True,
    help="USD a month that a change may add.",
)
@click.option(
    "--by",
    "measure",
    type=click.Choice(["expected", "high"]),
    default="expected",
    show_default=True,
    help="What is held against the threshold; high counts budgets and the most pods.",
)
@click.option("--fail-on-exceed", is_flag=True, help="Exit with 1 when it adds more.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME",
    help="A label of the pull request; cost-approved lets a dearer change pass.",
)
@click.option("--stack", default=STACK, show_default=True, metavar="NAME", help="The stack.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="How it is printed.",
)
def estimate_cost(  # noqa: PLR0913 - one argument an option
    *,
    changed_skills: bool,
    base: str | None,
    head: str | None,
    threshold: Decimal,
    measure: Measure,
    fail_on_exceed: bool,
    labels: tuple[str, ...],
    stack: str,
    style: str,
) -> int:
    """Say what the skills that a change touches will cost a month, against a threshold.

    Counted is the expected amount, and a skill's budget where nothing is declared; or with
    --by high the most that it may cost. Without --changed-skills all skills count, as if there had
    been none.
    """
    from aspora.estimate import delta
    from aspora.estimate.gate import Verdict, render

    one_shot()
    root = find_root()
    if base is not None and not changed_skills:
        raise UsageError("--base needs --changed-skills")
    after = estimate_of(_folder(root, stack) if head is None else _side(root, head, stack, "head"))
    if changed_skills:
        before = estimate_of(_side(root, base or _left_main(root, head), stack, "base"))
    else:
        before = replace(after, skills=())
    verdict = Verdict(delta(before, after), threshold, labels, measure)
    click.echo(render(verdict, style), nl=False)
    return 1 if fail_on_exceed and not verdict.passes else 0


@dataclass(frozen=True)
class Side:
    """A side that was read: domains, and the settings of the stack."""

    stack: str
    settings: StackSettings
    domains: tuple[Domain, ...]


def _left_main(root: Path, head: str | None) -> str:
    """The commit at which the head left main: what others merged since is not its change."""
    from local.revisions import Repository

    try:
        repository = Repository(root)
        revision = "HEAD" if head is None or Path(head).is_dir() else head
        return repository.branch_point(repository.commit(revision))[1]
    except UsageError as error:
        raise UsageError(error.message, hint="name what to compare with: --base REVISION") from None


def _side(root: Path, name: str, stack: str, which: str) -> Side:
    """The side of that name: a folder, else a revision of the repository at `root`; `which` is
    its option."""
    if Path(name).is_dir():
        return _folder(Path(name), stack)
    try:
        return _revision(root, name, stack)
    except InvalidInput as error:
        error.message = f"the {which}, {name[:40]}, does not hold: {error.message}"
        error.hint = f"name one that does: --{which} REVISION"
        raise


def _folder(root: Path, stack: str) -> Side:
    from aspora.load import load_or_raise, load_stack

    try:
        settings = load_stack(stack, root)
    except UsageError as error:
        where = quoted(str(root))
        error.message = error.message.replace("in the repository", f"in {where}")
        raise
    domains: tuple[Domain, ...] = ()
    if any((root / "domains").glob("*/domain.yaml")):
        domains = load_or_raise([shown(root / "domains")], _unpinned(settings))
    return Side(stack, settings, domains)


def _revision(root: Path, name: str, stack: str) -> Side:
    """Read from Git's store alone; the working tree is not touched."""
    from aspora.load import STACK_NAME, read_domain, read_stack, together
    from local.revisions import Repository

    file = f"Pulumi.{stack}.yaml"
    if not STACK_NAME.fullmatch(stack):
        raise UsageError(f"there is no stack {quoted(stack)}")
    repository = Repository(root)
    texts = repository.texts(repository.commit(name), ["domains", file])
    if file not in texts:
        raise UsageError(f"there is no stack {quoted(stack)} at {quoted(name)}: no file {file}")
    settings = read_stack(stack, texts[file])
    found = {
        Path(path): read_domain(Path(path), text)
        for path, text in texts.items()
        if _DOMAIN.fullmatch(path) or (isinstance(text, Problem) and _IN_DOMAINS.fullmatch(path))
    }
    loaded = together(found, _unpinned(settings))
    if loaded.problems:
        raise InvalidInput(loaded.problems)
    return Side(stack, settings, loaded.domains)


def _unpinned(settings: StackSettings) -> StackSettings:
    """Pins that prod refuses are of no matter to a cost: `aspora validate` looks at them."""
    return settings.model_copy(update={"environment": "staging"})


def estimate_of(side: Side, *, root: Path | None = None) -> Estimate:
    """The estimate of a side; with the `root` of the repository, of the platform too."""
    from aspora.estimate import estimate, of_domains

    settings, domains = side.settings, side.domains
    if settings.aws is None:
        raise UsageError(
            f"the stack {side.stack} has no AWS side, so it costs nothing that could be estimated",
            hint="staging and prod have one: --stack prod",
        )
    today = datetime.now(UTC).date()
    if root is None:
        return of_domains(domains, settings, today)
    from aspora.bill import bill
    from aspora.named_secrets import named_secrets
    from aspora.render import render
    from aspora.services.releases import releases
    from infra.registered_stack import registered

    rendered = render(domains, settings)
    whole = bill(
        registered(side.stack, root),
        rendered,
        named_secrets(domains, settings),
        settings,
        installed=releases(settings, domains),
    )
    return estimate(domains, rendered, settings, today, bill=whole)
