"""The shapes that the picture is drawn with."""

from __future__ import annotations

from aspora.page.markup import EMPTY, Markup, html, join

SIZE, SMALL = 12.5, 11.5
"""Sizes of type in the picture, as the style sheet has them."""
NARROW, WIDE = frozenset("fijlrtI.,:;-/'|!() "), frozenset("mwMW@%…")
ARROWS = ("plain", "call", "new", "changed", "gone")


def text(x: float, y: float, words: str, kind: str = "", width: float = 1000) -> Markup:
    """One line of text; what had to be cut is told by a tooltip."""
    short = fitted(words, width, SMALL if "small" in kind else SIZE)
    full = html("<title>{}</title>", words) if short != words else EMPTY
    return html('<text x="{}" y="{}" class="{}">{}{}</text>', x, y, kind, full, short)


def fitted(words: str, width: float, size: float = SIZE) -> str:
    """The words, cut with an ellipsis where they would be wider than `width` pixels."""
    if measured(words, size) <= width:
        return words
    cut = words
    while cut and measured(cut + "…", size) > width:
        cut = cut[:-1]
    return cut + "…"


def measured(words: str, size: float = SIZE) -> float:
    """The width in pixels of DejaVu Sans, which is wider than what most readers have."""
    return size * sum(0.36 if c in NARROW else 0.98 if c in WIDE else 0.63 for c in words)


def box(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    """A rectangle with round corners."""
    return html(
        '<rect x="{}" y="{}" width="{}" height="{}" rx="8" class="{}"/>', x, y, width, height, kind
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str, arrow: str = "") -> Markup:
    """A straight line, with an arrowhead of that kind at its end."""
    end = html(' marker-end="url(#arrow-{})"', arrow) if arrow else EMPTY
    return html('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"{}/>', x1, y1, x2, y2, kind, end)


def arrowheads() -> Markup:
    """One of each kind, for lines to refer to."""
    return join(
        html(
            '<marker id="arrow-{0}" class="{0}" viewBox="0 0 8 8" refX="7" refY="4"'
            ' markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z"/></marker>',
            name,
        )
        for name in ARROWS
    )
