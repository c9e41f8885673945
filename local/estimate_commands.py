"""`aspora cost` before anything is spent, and `aspora estimate-cost`, the gate on a change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aspora.cli.common import find_root, one_shot
from aspora.errors import AsporaError, InvalidInput, UsageError

if TYPE_CHECKING:
    from aspora.estimate import Estimate, Measure
    from aspora.models import Domain
    from aspora.stack import StackSettings

STACK = "prod"
"""Whose cost is asked for when nobody says: what teams declare is meant for it."""
BASES = ("origin/main", "main")
"""What a change is compared with when nobody says: the first that is known here."""


def show_estimate(stack: str, style: str, *, platform: bool) -> int:
    """Print what `stack` costs a month; `platform` says whether its own cost is looked at."""
    from aspora.estimate import documents, text
    from aspora.estimate.figures import OLD_DAYS, oldest

    one_shot()
    found = _estimate(find_root(), stack, platform=platform)
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
    metavar="REV",
    help="What to compare with: where this branch left it; origin/main or main when left out.",
)
@click.option("--head", metavar="REV", help="What is looked at; the working tree when left out.")
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
    from dataclasses import replace

    from aspora.estimate import delta
    from aspora.estimate.gate import Verdict, render

    one_shot()
    root = find_root()
    if base is not None and not changed_skills:
        raise UsageError("--base needs --changed-skills")
    with _at(root, head) as folder:
        after = _estimate(folder, stack)
    if changed_skills:
        with _at(root, _base(root, base, head or "HEAD")) as folder:
            before = _estimate(folder, stack)
    else:
        before = replace(after, skills=())
    verdict = Verdict(delta(before, after), threshold, labels, measure)
    click.echo(render(verdict, style), nl=False)
    return 1 if fail_on_exceed and not verdict.passes else 0


def _base(root: Path, base: str | None, head: str) -> str:
    """The commit that `head` is compared with: what others merged since is not this change."""
    from local.revisions import commit_of, merge_base

    if base is not None:
        return merge_base(root, base, head)
    for name in BASES:
        try:
            commit_of(root, name)
        except UsageError:
            continue
        return merge_base(root, name, head)
    raise UsageError(
        f"neither {' nor '.join(BASES)} is known here", hint="name what to compare with: --base REV"
    )


@contextmanager
def _at(root: Path, revision: str | None) -> Iterator[Path]:
    """The folder of a revision, or the working tree."""
    from local.revisions import folder_of

    if revision is None:
        yield root
        return
    with folder_of(root, revision) as folder:
        try:
            yield folder
        except InvalidInput as error:
            raise AsporaError(
                f"{revision[:40]} has no cost: {error.message} in its files",
                hint="check it out and run: aspora validate",
            ) from None


def _estimate(root: Path, stack: str, *, platform: bool = False) -> Estimate:
    from aspora.estimate import estimate
    from aspora.load import load_stack
    from aspora.render import render

    settings = load_stack(stack, root)
    if settings.aws is None:
        raise UsageError(
            f"the stack {stack} has no AWS side, so it costs nothing that could be estimated",
            hint="staging and prod have one: --stack prod",
        )
    domains = _domains(root, settings)
    rendered = render(domains, settings)
    today = datetime.now(UTC).date()
    if not platform:
        return estimate(domains, rendered, settings, today)
    from aspora.bill import bill
    from aspora.named_secrets import named_secrets
    from aspora.services.releases import releases
    from infra.registered_stack import registered

    whole = bill(
        registered(stack, root),
        rendered,
        named_secrets(domains, settings),
        settings,
        installed=releases(settings, domains),
    )
    return estimate(domains, rendered, settings, today, bill=whole)


def _domains(root: Path, settings: StackSettings) -> tuple[Domain, ...]:
    """Those of a folder, none where it has none; pins that prod refuses are of no matter here."""
    from aspora.load import load_or_raise

    if not any((root / "domains").glob("*/domain.yaml")):
        return ()
    checked = settings.model_copy(update={"environment": "staging"})
    return load_or_raise([root / "domains"], checked)
