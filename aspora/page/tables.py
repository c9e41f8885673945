"""Tables and tags: what most sections are made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from aspora.page.markup import EMPTY, Markup, html, join

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
SIGNS = {
    "create": "+ create",
    "update": "~ update",
    "replace": "± replace",
    "delete": f"{MINUS} delete",
    "new": "+ new",
    "changed": "~ changed",
    "gone": f"{MINUS} gone",
}
"""How a verb of a change, or a mark of the picture, is written: nothing is told by colour alone."""
HEAD = '<table class="stack"><caption{}>{}</caption><thead><tr>{}</tr></thead>'


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    quiet: bool = False,
    right: Collection[str] = (),
) -> Markup:
    """A table whose cells know their column's name, for narrow screens; the first names its row.

    `quiet` when the heading above says what the caption says; it is read out all the same. Columns
    named in `right`, and those that hold a number, stand to the right.
    """
    lines = [tuple(row) for row in rows]
    numeric = {
        name for name, *cells in zip(columns, *lines, strict=True) if any(map(_is_number, cells))
    }
    kinds = ["num" if name in numeric or name in right else "" for name in columns]
    head = html(
        HEAD,
        html(' class="quiet"') if quiet else EMPTY,
        caption,
        join(map(_head, columns, kinds)),
    )
    body = join(_row(columns, kinds, line) for line in lines)
    return html('<div class="scroll">{}<tbody>{}</tbody></table></div>', head, body)


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float)


def _head(name: str, kind: str) -> Markup:
    return html('<th scope="col"{}>{}</th>', _class(kind), name)


def _row(columns: Sequence[str], kinds: Sequence[str], row: Sequence[object]) -> Markup:
    cells = join(map(_cell, columns[1:], kinds[1:], row[1:]))
    return html('<tr><th scope="row">{}</th>{}</tr>', row[0], cells)


def _cell(name: str, kind: str, cell: object) -> Markup:
    if cell is None:
        return html('<td data-name="{}" class="muted {}">not known</td>', name, kind)
    text = f"{cell:,}" if isinstance(cell, int | float) else cell
    return html('<td data-name="{}"{}>{}</td>', name, _class(kind), text)


def _class(kind: str) -> Markup:
    return html(' class="{}"', kind) if kind else EMPTY


def card(content: Markup) -> Markup:
    """A frame around a table."""
    return html('<div class="card">{}</div>', content)


def tag(kind: str, text: str = "") -> Markup:
    """A word on its colour; without one, the sign of `kind` or its name."""
    return html('<span class="tag {}">{}</span>', kind, text or SIGNS.get(kind, kind))


def listed(items: Sequence[object]) -> Markup:
    """One thing as it is, several as a list."""
    if len(items) < 2:
        return join(items)
    return html("<ul>{}</ul>", join(html("<li>{}</li>", item) for item in items))


def many(count: int, noun: str) -> str:
    """`1 finding`, `2 findings`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def folded(title: str, count: int, content: Markup) -> Markup:
    """A long table behind its name."""
    return html(
        '<details class="item card"><summary><span class="what">{}</span>'
        ' <span class="muted">{}</span></summary><div class="inside">{}</div></details>',
        title,
        f"{count:,}",
        content,
    )
