"""HTML from templates of our own and values of anybody's: whatever is not `Markup` is escaped.

The only place that declares text to be HTML. Templates are literals of this package; attributes in
them are always quoted, which makes escaping `& < > " '` enough. Values are made printable first, so
that no bidirectional override makes a reviewer read something else than what merges.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from aspora.problems import printable

__all__ = ["EMPTY", "Markup", "html", "join", "trusted"]

EMPTY = Markup("")


def html(template: str, /, *values: object, **named: object) -> Markup:
    """`template` with its `{}` filled: Markup as it stands, everything else as plain text."""
    return Markup(template).format(  # noqa: S704 - a literal of this package
        *map(_plain, values), **{name: _plain(value) for name, value in named.items()}
    )


def join(parts: Iterable[object], between: str = "") -> Markup:
    """The parts one after another, each as `html` would take it; `between` is ours."""
    return trusted(between).join(map(_plain, parts))


def trusted(text: str) -> Markup:
    """Text of our own, such as the style sheet, which nothing of a report goes into."""
    return Markup(text)  # noqa: S704


def _plain(value: object) -> str:
    """Markup as it stands; everything else as text of one line that prints."""
    return value if isinstance(value, Markup) else printable(str(value))
