"""The form above a long list: search and two choices. Hidden until the page's script is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aspora.page.markup import Markup, html, join


@dataclass(frozen=True, slots=True)
class Choice:
    """A drop-down: the field's name, its label, and (value, text) of what may be chosen."""

    name: str
    label: str
    options: Sequence[tuple[str, str]]


def filters(region: str, *choices: Choice) -> Markup:
    """For the items (`data-item`) in the element with the ID `region`."""
    return html(
        '<form class="filters card" data-of="{}" role="search" hidden>'
        '<label class="grow">Search <input type="search" name="text" autocomplete="off"'
        ' spellcheck="false"></label>{}'
        '<button type="reset">Show all</button>'
        ' <button type="button" data-do="open">Unfold</button>'
        ' <button type="button" data-do="close">Fold</button>'
        '<output aria-live="polite"></output></form>',
        region,
        join(map(_choice, choices)),
    )


def _choice(choice: Choice) -> Markup:
    options = join(html('<option value="{}">{}</option>', *option) for option in choice.options)
    return html(
        '<label>{} <select name="{}"><option value="">all</option>{}</select></label>',
        choice.label,
        choice.name,
        options,
    )
