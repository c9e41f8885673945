"""Two versions of an object beside each other, line by line, with the words that differ marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from aspora.page.markup import EMPTY, Markup, html, join

AROUND = 3
"""Lines that stay the same, shown before and after those that do not."""
ALIKE = 0.4
"""How much of two lines is the same, at least, for words to be marked in them (of 1)."""
_KEY = re.compile(r'\s*(?:- )?(?:"(?:[^"\\]|\\.)*"|[^:]*)')
"""What a line is about: its key in YAML, or in JSON that stands inside a ConfigMap."""
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Pair:
    """A line of the table; None on the side that has no such line. Both None: lines left out."""

    before: str | None
    after: str | None
    left_out: int = 0


def pairs(before: Sequence[str], after: Sequence[str]) -> list[Pair]:
    """What differs, with some lines around it."""
    found: list[Pair] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    groups = list(matcher.get_grouped_opcodes(AROUND))
    shown = 0
    for group in groups:
        start = group[0][1]
        if start > shown:
            found.append(Pair(None, None, start - shown))
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                found += [Pair(line, line) for line in before[i1:i2]]
            else:
                found += _against(before[i1:i2], after[j1:j2])
        shown = group[-1][2]
    rest = len(before) - shown
    return [*found, Pair(None, None, rest)] if rest > 0 and found else found


def _against(before: Sequence[str], after: Sequence[str]) -> Iterator[Pair]:
    """Lines of the same key beside each other, the rest alone."""
    matcher = SequenceMatcher(None, _keys(before), _keys(after), autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            yield from map(Pair, before[i1:i2], after[j1:j2])
        else:
            yield from (Pair(line, None) for line in before[i1:i2])
            yield from (Pair(None, line) for line in after[j1:j2])


def _keys(lines: Sequence[str]) -> list[str]:
    return [match[0] if (match := _KEY.match(line)) else line for line in lines]


def table(found: Sequence[Pair], name: str) -> Markup:
    """The pairs as a table of two columns."""
    return html(
        '<table class="sides"><caption class="quiet">{}, before and after</caption><thead>'
        '<tr><th scope="col">Before</th><th scope="col">After</th></tr></thead>'
        "<tbody>{}</tbody></table>",
        name,
        join(map(_row, found)),
    )


def _row(pair: Pair) -> Markup:
    if pair.before is None and pair.after is None:
        count = pair.left_out
        words = (
            f"{count} {'line' if count == 1 else 'lines'} that stay{'s' * (count == 1)} the same"
        )
        return html('<tr class="gap"><td colspan="2">{}</td></tr>', words)
    if pair.before == pair.after:
        return html('<tr><td class="same">{0}</td><td class="same">{0}</td></tr>', pair.before)
    left, right = marked(pair.before, pair.after)
    return html("<tr>{}{}</tr>", _cell(left, "out"), _cell(right, "in"))


def _cell(content: Markup | None, kind: str) -> Markup:
    if content is None:
        return html('<td class="void"></td>')
    return html('<td class="{}">{}</td>', kind, content)


def marked(before: str | None, after: str | None) -> tuple[Markup | None, Markup | None]:
    """Both lines with what is only in one of them marked; two that are not alike stay plain."""
    if before is None or after is None:
        return tuple(None if line is None else html("{}", line) for line in (before, after))  # type: ignore[return-value]
    words = _WORDS.findall(before), _WORDS.findall(after)
    matcher = SequenceMatcher(None, *words, autojunk=False)
    if matcher.ratio() < ALIKE:
        return html("{}", before), html("{}", after)
    left, right = EMPTY, EMPTY
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        old, new = "".join(words[0][i1:i2]), "".join(words[1][j1:j2])
        left += html("<del>{}</del>", old) if tag != "equal" and old else html("{}", old)
        right += html("<ins>{}</ins>", new) if tag != "equal" and new else html("{}", new)
    return left, right
