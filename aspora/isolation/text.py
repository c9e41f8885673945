"""The proof for people: on a terminal, and as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aspora.isolation.model import Cell, Crossing, Finding, Proof

MEANINGS = {
    "crossing": "Undeclared paths between domains",
    "outside": "Ways in or out that nothing promises",
    "rights": "More rights than promised",
    "one side": "Shut by one of two locks only",
    "closed": "Declared or needed, and not possible",
    "unread": "What the proof cannot judge",
}
"""The kinds of findings, the worst first."""
LIMIT = 30
"""Findings of one kind that Markdown lists: a comment has 65,536 characters at most."""
_GREEN, _RED, _BOLD, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[1m", "\x1b[0m"


def verdict(proof: Proof) -> str:
    """One line: whether it holds, and over how much."""
    counts = proof.counts
    looked = (
        f"{len(proof.domains)} domains, {counts['skills']} skills, {counts['objects']} objects"
        f"{_aws(proof)}"
    )
    declared = counts["declaredCrossings"]
    if proof.ok:
        return (
            f"{proof.stack}: domains are isolated ({looked}); "
            f"{declared} declared {_plural('call', declared)} cross, nothing else does"
        )
    undeclared = counts["undeclaredCrossings"]
    found = len(proof.findings)
    return (
        f"{proof.stack}: NOT proven ({looked}): {found} {_plural('finding', found)}, "
        f"{undeclared} undeclared {_plural('path', undeclared)} between domains"
    )


def _aws(proof: Proof) -> str:
    resources = proof.counts["awsResources"]
    return f", {resources} AWS resources" if resources else ", no AWS side"


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def as_text(proof: Proof, *, colour: bool = False) -> str:
    """For a terminal."""
    mark = _GREEN if proof.ok else _RED
    first = f"{mark}{_BOLD}{verdict(proof)}{_PLAIN}" if colour else verdict(proof)
    lines: list[str] = []
    for kind, title in MEANINGS.items():
        found = [one for one in proof.findings if one.kind == kind]
        if found:
            lines += ["", f"{title}:"]
            lines += [line for one in found for line in _finding(one)]
    if len(proof.domains) > 1:
        lines += ["", "From (row) to (column): declared calls, + undeclared paths", *_table(proof)]
    declared = [one for one in proof.crossings if one.declared]
    if declared:
        lines += ["", "Declared calls between domains:"]
        lines += [f"  {one.source} -> {one.target}" for one in declared]
    lines += ["", "What each domain may reach outside:"]
    lines += [f"  {domain}: {', '.join(found) or 'nothing'}" for domain, found in outside(proof)]
    return "\n".join([first, *map(_printable, lines)]) + "\n"


def _printable(line: str) -> str:
    """Nothing of somebody else's text may steer the terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in line)


def _finding(finding: Finding) -> Iterator[str]:
    yield f"  {finding.subject} {finding.message}"
    yield from (f"    by {name}" for name in finding.by)


def _table(proof: Proof) -> Iterator[str]:
    """The matrix in columns; a domain's own cell is a dot."""
    cells = {(cell.from_domain, cell.to_domain): cell for cell in proof.matrix}
    first = max(len(name) for name in proof.domains)
    widths = [max(len(name), 3) for name in proof.domains]
    head = "  ".join(name.rjust(width) for name, width in zip(proof.domains, widths, strict=True))
    yield f"  {''.ljust(first)}  {head}"
    for here in proof.domains:
        row = [
            _cell(cells.get((here, there))).rjust(width)
            for there, width in zip(proof.domains, widths, strict=True)
        ]
        yield f"  {here.ljust(first)}  {'  '.join(row)}"


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "."
    more = f"+{cell.undeclared}" if cell.undeclared else ""
    return f"{cell.declared}{more}" if cell.declared or cell.undeclared else "-"


def outside(proof: Proof) -> Iterator[tuple[str, list[str]]]:
    """For each domain: hosts and addresses that its workloads may reach, with the gateway."""
    homes = {work.id: work.domain for work in proof.workloads}
    found: dict[str, set[str]] = {domain: set() for domain in proof.domains}
    for reach in proof.outside:
        via = f" via {reach.via[0].partition('/')[2]}" if reach.via else ""
        found.setdefault(homes.get(reach.source) or "", set()).add(f"{reach.target}{via}")
    for domain in proof.domains:
        yield domain, sorted(found[domain])


# -- Markdown -----------------------------------------------------------------------------------


def as_markdown(proof: Proof) -> str:
    """For a pull request: the verdict, the matrix, what breaks it, and the rest folded."""
    sign = "✅" if proof.ok else "❌"
    lines = ["### Isolation", "", f"{sign} {_escaped(verdict(proof))}", ""]
    for kind, title in MEANINGS.items():
        found = [one for one in proof.findings if one.kind == kind]
        if found:
            lines += [f"**{title}** ({len(found)})", "", *_items(found), ""]
    if len(proof.domains) > 1:
        lines += [*_matrix(proof), ""]
    lines += [*_folded("Declared calls between domains", _declared(proof.crossings)), ""]
    rows = [f"- **{_escaped(name)}**: {_codes(found)}" for name, found in outside(proof)]
    lines += _folded("What each domain may reach outside", rows)
    return "\n".join(lines) + "\n"


def _items(found: Sequence[Finding]) -> Iterator[str]:
    for one in found[:LIMIT]:
        by = f" (by {_codes(one.by)})" if one.by else ""
        yield f"- {_code(one.subject)} {_escaped(one.message)}{by}"
    if len(found) > LIMIT:
        yield f"- and {len(found) - LIMIT} more: `aspora isolation` lists them"


def _matrix(proof: Proof) -> Iterator[str]:
    cells = {(cell.from_domain, cell.to_domain): cell for cell in proof.matrix}
    names = [_escaped(name) for name in proof.domains]
    yield f"| from \\ to | {' | '.join(names)} |"
    yield f"|---|{'---:|' * len(names)}"
    for here, shown in zip(proof.domains, names, strict=True):
        row = [_cell(cells.get((here, there))) for there in proof.domains]
        yield f"| **{shown}** | {' | '.join(row)} |"
    yield ""
    yield "Declared calls, `+` undeclared paths; `-` is no path at all."


def _declared(crossings: Iterable[Crossing]) -> list[str]:
    return [
        f"- {_code(one.source)} → {_code(one.target)}: {_escaped(one.why)}"
        for one in crossings
        if one.declared
    ]


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    listed = lines or ["None."]
    return [f"<details><summary>{title}</summary>", "", *listed, "", "</details>"]


def _codes(names: Iterable[str]) -> str:
    return ", ".join(_code(name) for name in names) or "nothing"


def _code(text: str) -> str:
    return f"`{_printable(text).replace('`', chr(39))}`"


def _escaped(text: str) -> str:
    """Text of a pull request: no Markdown, no HTML, no mention of anybody."""
    plain = _printable(text).replace("&", "&amp;").replace("<", "&lt;").replace("@", "&#64;")
    return "".join(f"\\{sign}" if sign in "\\*_[]|~#" and sign else sign for sign in plain)
