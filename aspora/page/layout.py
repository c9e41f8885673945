"""Where everything of the picture stands: plain arithmetic, so the same stack is the same picture.

From top to bottom: what is outside, the gateways, then a box for each domain with a line for each
agent. To the left of the boxes is aspora-gateway, which every call between agents goes through:
each call has a lane of its own inside it. To the right, a column for each way out of a domain. All
numbers are CSS pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aspora.page.topology import Call, Row, Topology, Way

EDGE = 12
HEAD = 176
"""Height of what stands above the domains: outside, boundary, gateways."""
TITLE = 30
"""Height of a domain's own line in its box."""
LINE = 28
"""Height of an agent's line."""
BETWEEN = 14
GATEWAY = 144
"""The least width of aspora-gateway."""
LANES = (5, 18)
"""Between two lanes: the least, where there are many, and the most."""
APPROACH = 46
"""Between aspora-gateway and the domains' boxes."""
BOXES = (300, 200)
"""Width of a domain's box: with its agents, and drawn as a whole."""
COLUMNS = (114, 110)
"""Width of a column, likewise."""
SLOTS = (-7, 7, -3, 3, -11, 11)
"""Where calls meet an agent's line, above and below its middle; the seventh shares the first."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row at its height; `y` is its middle."""

    row: Row
    block: int
    y: int


@dataclass(frozen=True, slots=True)
class Lane:
    """A call: from `start` left to `x`, along it, and right to `end`."""

    call: Call
    x: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The picture of a topology, ready to be drawn."""

    width: int
    height: int
    gateway: int
    """Right edge of aspora-gateway."""
    boxes: tuple[tuple[int, int], ...]
    """Top and height of each domain's box."""
    lines: tuple[Line, ...]
    lanes: tuple[Lane, ...]
    columns: Mapping[Way, int]
    """The middle of each way's column."""
    box: int
    column: int
    """Widths of a domain's box and of a column."""

    @property
    def left(self) -> int:
        """Left edge of the domains' boxes."""
        return self.gateway + APPROACH

    @property
    def right(self) -> int:
        """Right edge of the domains' boxes."""
        return self.left + self.box


def layout(topology: Topology) -> Layout:
    """Coordinates for every part of `topology`."""
    boxes, lines = _boxes(topology)
    bottom = boxes[-1][0] + boxes[-1][1] if boxes else HEAD
    spans = _spans(topology.calls, lines)
    numbers = lane_numbers([(start, end) for _, start, end in spans])
    count = max(numbers, default=0) + 1
    step = max(LANES[0], min(LANES[1], (GATEWAY - 2 * LANES[1]) // count))
    gateway = EDGE + max(GATEWAY, (count + 2) * step)
    whole = any(is_whole(block.rows, block.name) for block in topology.blocks)
    box, column = BOXES[whole], COLUMNS[whole]
    right = gateway + APPROACH + box
    ways = list(topology.outside)
    return Layout(
        right + len(ways) * column + 2 * EDGE,
        bottom + EDGE,
        gateway,
        boxes,
        lines,
        tuple(
            Lane(call, gateway - (number + 1) * step, start, end)
            for (call, start, end), number in zip(spans, numbers, strict=True)
        ),
        {way: right + EDGE + i * column + column // 2 for i, way in enumerate(ways)},
        box,
        column,
    )


def _boxes(topology: Topology) -> tuple[tuple[tuple[int, int], ...], tuple[Line, ...]]:
    """A box for each domain; of a domain drawn as a whole, its title is its line."""
    boxes: list[tuple[int, int]] = []
    lines: list[Line] = []
    top = HEAD
    for number, block in enumerate(topology.blocks):
        whole = is_whole(block.rows, block.name)
        first = top + (0 if whole else TITLE)
        lines += [
            Line(row, number, first + i * LINE + LINE // 2) for i, row in enumerate(block.rows)
        ]
        height = first - top + len(block.rows) * LINE + (0 if whole else 6)
        boxes.append((top, height))
        top += height + (4 if whole else BETWEEN)
    return tuple(boxes), tuple(lines)


def is_whole(rows: Sequence[Row], name: str) -> bool:
    """Whether the one row is the domain itself."""
    return len(rows) == 1 and rows[0].id == name


def _spans(calls: Sequence[Call], lines: Sequence[Line]) -> list[tuple[Call, int, int]]:
    """Each call with the heights at which it leaves and arrives."""
    middle = {line.row.id: line.y for line in lines}
    met: dict[str, int] = {}

    def slot(row: str) -> int:
        met[row] = met.get(row, -1) + 1
        return middle[row] + SLOTS[met[row] % len(SLOTS)]

    return [(call, slot(call.caller), slot(call.callee)) for call in calls]


def lane_numbers(spans: Sequence[tuple[int, int]]) -> list[int]:
    """For each span the first lane in which it overlaps no other: short ones next to the boxes."""
    taken: list[list[tuple[int, int]]] = []
    numbers = [0] * len(spans)
    order = sorted(range(len(spans)), key=lambda i: (abs(spans[i][0] - spans[i][1]), i))
    for i in order:
        low, high = min(spans[i]), max(spans[i])
        numbers[i] = next(
            (n for n, lane in enumerate(taken) if all(b < low or high < a for a, b in lane)),
            len(taken),
        )
        if numbers[i] == len(taken):
            taken.append([])
        taken[numbers[i]].append((low, high))
    return numbers
