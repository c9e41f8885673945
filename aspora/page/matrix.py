"""The proof of isolation as people read it: which domain may reach which, and what is outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from aspora.isolation.model import Cell, Crossing, Finding, Proof
from aspora.page.markup import EMPTY, Markup, html, join
from aspora.page.tables import DASH, card, folded, many, table, tag

SMALL = 8
"""Domains from which a cell of the matrix holds a sign and a number only."""
CAPTION = (
    "From the domain of the row into that of the column: ✓ paths that both declare, ✗ paths that"
    f" nobody declared, {DASH} closed"
)


def isolation(proof: Proof) -> Markup:
    """Findings first, then the matrix, then each path between domains and each way out."""
    return join(
        [
            findings(proof.findings),
            matrix(proof.domains, proof.matrix),
            crossings(proof.crossings),
            outside(proof),
        ],
        "\n",
    )


def verdict(proof: Proof) -> str:
    """One sentence."""
    if not proof.domains:
        return "Nothing was looked at, so nothing is proven."
    looked = f"{many(len(proof.workloads), 'workload')} and {many(len(proof.domains), 'domain')}"
    if proof.findings:
        return f"{many(len(proof.findings), 'finding')} in {looked}: isolation is not proven."
    declared = sum(crossing.declared for crossing in proof.crossings)
    return f"No path between domains but the {declared} that both sides declare, in {looked}."


def findings(found: Sequence[Finding]) -> Markup:
    """What breaks the proof."""
    if not found:
        return EMPTY
    rows = [
        (row.subject, tag("failure", row.kind), row.message, ", ".join(row.by)) for row in found
    ]
    return card(table("What breaks the proof", ("Who", "Kind", "What", "Objects to look at"), rows))


def matrix(domains: Sequence[str], cells: Sequence[Cell]) -> Markup:
    """A row for each domain that calls, a column for each that is called; signs alone where there
    are many."""
    found = {(cell.from_domain, cell.to_domain): cell for cell in cells}
    small = len(domains) > SMALL

    def row(source: str) -> Markup:
        line = (_cell(found.get((source, target)), source == target, small) for target in domains)
        return html('<tr><th scope="row">{}</th>{}</tr>', source, join(line))

    return html(
        '<div class="card scroll" tabindex="0" role="region" aria-label="Matrix of isolation">'
        '<table class="matrix{}"><caption>{}</caption><thead><tr><td></td>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>",
        " small" if small else "",
        CAPTION,
        join(html('<th scope="col">{}</th>', name) for name in domains),
        join(map(row, domains)),
    )


def _cell(cell: Cell | None, itself: bool, small: bool) -> Markup:  # noqa: FBT001 - two of a row
    if itself:
        kind, sign, words = "self", "", "itself"
    elif cell is None:
        kind, sign, words = "crossing", "?", "not judged"
    elif cell.undeclared:
        kind, sign, words = "crossing", f"✗ {cell.undeclared}", "undeclared"
    elif cell.declared:
        kind, sign, words = "open", f"✓ {cell.declared}", "declared"
    else:
        kind, sign, words = "closed", DASH, "closed"
    return html('<td class="{}">{}</td>', kind, sign if small else f"{sign} {words}".lstrip())


def crossings(found: Sequence[Crossing]) -> Markup:
    """Each path between domains, with what declares it."""
    if not found:
        return EMPTY
    rows = [
        (
            path.source,
            path.target,
            path.path,
            html(
                "{} {}",
                tag("ok", "declared") if path.declared else tag("failure", "undeclared"),
                path.why,
            ),
        )
        for path in found
    ]
    inner = table("Paths from one domain into another", ("From", "Into", "How", "Why"), rows)
    return folded("Paths between domains", len(found), inner)


def outside(proof: Proof) -> Markup:
    """What agents may reach beyond the cluster: each target, with how many of which domain may."""
    homes = {work.id: work.domain or work.id for work in proof.workloads}
    who: dict[tuple[str, str, tuple[str, ...]], Counter[str]] = {}
    for reach in proof.outside:
        home = homes.get(reach.source, reach.source)
        who.setdefault((reach.target, reach.port, reach.via), Counter())[home] += 1
    if not who:
        return EMPTY
    rows = [
        (target, port, ", ".join(via) or "directly", _counted(homes))
        for (target, port, via), homes in who.items()
    ]
    columns = ("Outside", "Port", "Through", "Who may (workloads)")
    inner = table("What agents may reach beyond the cluster", columns, rows)
    return folded("Ways out of the cluster", len(who), inner)


def _counted(homes: Counter[str]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(homes.items()))
