"""The page around the sections: one file that asks nobody for anything.

Its Content-Security-Policy refuses every request and every script or style but the two of this
package, by hash: if something hostile ever got through the escaping, it still would not run. Style
attributes are refused too, so widths are attributes of SVG.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from aspora.page.markup import Markup, html, join, trusted

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect"
    " width='16' height='16' rx='4' fill='%232450c4'/%3E%3Cpath d='M4 12 8 4l4 8M5.5 9.5h5'"
    " fill='none' stroke='%23fff' stroke-width='1.6'/%3E%3C/svg%3E"
)
DOCUMENT = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="{icon}">
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top"><div class="frame">{head}</div></header>
<div class="frame body">
<nav class="sections" aria-label="Sections"><ol>{links}</ol></nav>
<main id="main" tabindex="-1">
{sections}
</main>
</div>
<footer><div class="frame">{foot}</div></footer>
<script>{script}</script>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A section of the page: its anchor, its heading, what the list of sections counts, and what
    it holds."""

    id: str
    title: str
    content: Markup
    lead: str = ""
    count: str = ""


def document(title: str, head: Markup, parts: Sequence[Part], foot: str) -> str:
    """The whole page, as the bytes of its file in text."""
    style, script = asset("page.css"), asset("page.js")
    return str(
        html(
            DOCUMENT,
            policy=policy(style, script),
            title=title,
            icon=ICON,
            style=trusted(style),
            head=head,
            links=join(map(_link, parts)),
            sections=join(map(_section, parts), "\n"),
            foot=foot,
            script=trusted(script),
        )
    )


@cache
def asset(name: str) -> str:
    """A file that is built into the page."""
    return (files("aspora.page") / "assets" / name).read_text("utf-8")


def policy(style: str, script: str) -> str:
    """Nothing may be loaded, sent or framed; the two built-in texts may be used, by their hash."""
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        ]
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _link(part: Part) -> Markup:
    count = html(" <span>{}</span>", part.count) if part.count else ""
    return html('<li><a href="#{}">{}{}</a></li>', part.id, part.title, count)


def _section(part: Part) -> Markup:
    lead = html('<p class="lead">{}</p>\n', part.lead) if part.lead else ""
    return html(
        '<section id="{0}" aria-labelledby="{0}-heading">\n<h2 id="{0}-heading">{1}</h2>\n{2}{3}'
        "</section>",
        part.id,
        part.title,
        lead,
        part.content,
    )
