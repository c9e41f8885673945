"""The picture of a topology as SVG. Colours and type are the style sheet's; people who cannot see
it have the same in words below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aspora.page.layout import EDGE, Layout, Line, is_whole, layout
from aspora.page.markup import EMPTY, Markup, html, join
from aspora.page.svg import arrowheads, box, fitted, line, measured, text
from aspora.page.tables import SIGNS
from aspora.page.topology import WAYS, Block, Call, Topology, Way

GATEWAYS: dict[Way, str] = {
    "models": "model-gateway",
    "tools": "tool-gateway",
    "stores": "databases",
    "hosts": "hosts by name",
}
OUTSIDE: dict[Way, str] = {"models": "host", "tools": "MCP server", "hosts": "host"}
"""What lies beyond the cluster's edge; databases do not."""
BEYOND, BOUNDARY, INSIDE = 30, 99, 130
"""Tops of what is outside, the edge itself, tops of the gateways."""
NAME = 150
"""The most that an agent's name takes of its line."""
MANY = 40
"""Calls from which each is drawn thinner, until a domain is chosen."""
ROUND = 7
"""Radius of a call's corners."""


def drawing(topology: Topology, links: Mapping[str, str] | None = None) -> Markup:
    """The whole picture. `links` are the anchors that names of domains lead to."""
    place = layout(topology)
    kind = "topology many" if len(topology.calls) > MANY else "topology"
    blocks, anchors = topology.blocks, links or {}
    parts = [
        *_outside(topology, place),
        *_boundary(place),
        *_gateways(place),
        *(_box(block, place, number, anchors) for number, block in enumerate(blocks)),
        *(_line(found, blocks[found.block], place, anchors) for found in place.lines),
        *(
            _call(lane.call, _path(lane.x, lane.start, lane.end, place.left))
            for lane in place.lanes
        ),
    ]
    return html(
        '<svg class="{kind}" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="group"'
        ' aria-labelledby="topology-name"><title id="topology-name">{name}</title>'
        "<defs>{arrows}</defs>{parts}</svg>",
        kind=kind,
        w=place.width,
        h=place.height,
        name="Domains, their agents, the gateways and what is outside",
        arrows=arrowheads(),
        parts=join(parts),
    )


def _outside(topology: Topology, place: Layout) -> Iterator[Markup]:
    """What is not ours, and the doors to it."""
    yield text(EDGE, 20, "OUTSIDE", "label")
    yield from _callers(topology.callers.removeprefix("https://"), place)
    for way, noun in OUTSIDE.items():
        x, names = place.columns[way], topology.outside[way]
        yield box(x - place.column / 2 + 5, BEYOND, place.column - 10, 40, "outside")
        yield _named(x, names, noun, place.column - 10)
        yield line(x, INSIDE - 2, x, BEYOND + 42, "wire", "plain")


def _callers(issuer: str, place: Layout) -> Iterator[Markup]:
    """Who may come in: holders of the issuer's tokens, or nobody."""
    middle, width = (EDGE + place.gateway) / 2, place.gateway - EDGE
    yield box(EDGE, BEYOND, width, 40, "outside")
    yield text(middle, BEYOND + 17, "callers with a token", "center")
    yield text(middle, BEYOND + 32, issuer or "nobody on this stack", "center small", width - 4)
    if issuer:
        yield line(middle, BEYOND + 40, middle, INSIDE - 2, "wire", "plain")


def _named(x: float, names: tuple[str, ...], noun: str, width: int) -> Markup:
    """The only one by its name, several by their number, with a tooltip of all."""
    if len(names) == 1:
        return text(x, BEYOND + 24, names[0], "center small", width)
    words = f"{len(names) or 'no'} {noun}{'s' if names else ''}"
    told = html("<title>{}</title>", ", ".join(names)) if names else EMPTY
    return html('<text x="{}" y="{}" class="center small">{}{}</text>', x, BEYOND + 24, told, words)


def _boundary(place: Layout) -> Iterator[Markup]:
    """The edge of the cluster, and the one way out."""
    left = place.columns["models"] - place.column / 2 + 5
    right = place.columns["hosts"] + place.column / 2 - 5
    yield line(0, BOUNDARY, place.width, BOUNDARY, "boundary")
    yield text(place.left, BOUNDARY - 6, "the cluster's edge", "label")
    yield box(left, BOUNDARY - 13, right - left, 26, "gateway egress")
    yield text((left + right) / 2, BOUNDARY + 4, "egress gateway", "center strong")


def _gateways(place: Layout) -> Iterator[Markup]:
    """aspora-gateway as a body that calls run through; the ways out as columns."""
    bottom = place.height - EDGE
    yield box(EDGE, INSIDE, place.gateway - EDGE, bottom - INSIDE, "gateway body")
    yield text((EDGE + place.gateway) / 2, INSIDE + 21, "aspora-gateway", "center strong")
    for way in WAYS:
        x = place.columns[way]
        yield line(x, INSIDE + 26, x, bottom, f"bus {way}")
        yield box(x - place.column / 2 + 5, INSIDE, place.column - 10, 30, f"gateway {way}")
        yield text(x, INSIDE + 19, GATEWAYS[way], "center small strong", place.column)


def _box(block: Block, place: Layout, number: int, links: Mapping[str, str]) -> Markup:
    top, height = place.boxes[number]
    if is_whole(block.rows, block.name):
        return box(place.left, top, place.box, height, f"domain {block.mark}")
    sign = SIGNS.get(block.mark, "")
    return join(
        [
            box(place.left, top, place.box, height, f"domain {block.mark}"),
            _linked(block.name, links, text(place.left + 12, top + 20, block.name, "name", 130)),
            text(
                place.left + place.box - 12,
                top + 20,
                sign or block.note,
                f"end small {block.mark or 'faint'}",
                170,
            ),
        ]
    )


def _line(found: Line, block: Block, place: Layout, links: Mapping[str, str]) -> Markup:
    """An agent's line: its name, how its skills run, and a dot in the column of each way it has."""
    row, y = found.row, found.y
    ends = [place.columns[way] for way in WAYS if row.reaches[way]]
    whole = is_whole(block.rows, block.name)
    left, kind = (12, "name") if whole else (24, "")
    name = text(place.left + left, y + 4, row.name, kind, NAME)
    if whole:
        name = _linked(block.name, links, name)
    room = place.box - left - measured(fitted(row.name, NAME)) - 24
    parts = [
        line(place.right, y, max(ends), y, "wire") if ends else "",
        line(place.gateway, y, place.left - 1, y, "wire", "plain") if row.serves else "",
        name,
        text(
            place.right - 12,
            y + 4,
            SIGNS.get(row.mark) or row.note,
            f"end small {row.mark or 'faint'}",
            room,
        ),
        *(_dot(place.columns[way], y, way, row.reaches[way]) for way in WAYS if row.reaches[way]),
    ]
    return html('<g class="line {}" data-domain="{}">{}</g>', row.mark, block.name, join(parts))


def _linked(name: str, links: Mapping[str, str], text: Markup) -> Markup:
    return html('<a href="#{}">{}</a>', links[name], text) if name in links else text


def _dot(x: float, y: float, way: Way, count: int) -> Markup:
    """A dot; with how many, where it is more than one."""
    number = text(x, y + 3.5, str(count), "count") if count > 1 else ""
    return html(
        '<circle cx="{}" cy="{}" r="{}" class="dot {}"/>{}',
        x,
        y,
        8 if count > 1 else 5,
        way,
        number,
    )


def _path(x: int, start: int, end: int, left: int) -> str:
    """From the caller's box left to the lane, along it, and back to the callee's box."""
    bend = min(ROUND, abs(end - start) / 2)
    turn = bend if end > start else -bend
    return (
        f"M{left} {start}H{x + bend}Q{x} {start} {x} {start + turn:g}"
        f"V{end - turn:g}Q{x} {end} {x + bend} {end}H{left - 2}"
    )


def _call(call: Call, path: str) -> Markup:
    ends = f"{call.caller.split('/')[0]} {call.callee.split('/')[0]}"
    kind = call.mark or "call"
    sign = f" ({SIGNS[call.mark]})" if call.mark else ""
    return html(
        '<g class="call {}" data-domain="{}"><title>{}</title>'
        '<path d="{}" marker-end="url(#arrow-{})"/></g>',
        kind,
        ends,
        f"{call.caller} may call {', '.join(call.skills)}{sign}",
        path,
        kind,
    )
