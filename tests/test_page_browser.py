"""The page in a headless Chromium: it opens from a file, filters, folds, fits, and asks nobody."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from aspora.changes.model import Counts
from aspora.page import page, state_page
from tests import browser
from tests.browser import Tab
from tests.page_examples import ATTACKS, PLAIN, proof, report, state
from tests.test_page import change, crowd, here

pytestmark = pytest.mark.skipif(
    browser.chromium() is None,
    reason="no Chromium on this machine (Debian's package chromium; ASPORA_CHROMIUM names another)",
)

VISIBLE = "[...document.querySelectorAll('[data-item]')].filter(e => e.offsetParent).length"


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    """One browser for all tests of this file."""
    with browser.tab() as found:
        yield found


@pytest.fixture
def window(tab: Tab) -> Tab:
    """The same, as wide as a laptop and light."""
    tab.show(1400)
    return tab


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages as files: a report, a stack, and 1,000 changes."""
    attack = " ".join(ATTACKS)
    many = tuple(
        dataclasses.replace(
            change(n),
            domain=("ecm", "fraud")[n % 2],
            verb=("update", "replace", "update")[n % 3],
        )
        for n in range(1000)
    )
    big = dataclasses.replace(report(PLAIN), changes=many, counts=Counts(update=1000))
    pages = {
        "report": page(report(PLAIN), base=state(PLAIN), head=here(), proof=proof(PLAIN)),
        "hostile": page(report(attack), head=here(), proof=proof(attack)),
        "state": state_page(here(), proof(PLAIN)),
        "crowd": state_page(crowd(50), proof(PLAIN)),
        "big": page(big, head=here()),
    }
    folder = tmp_path_factory.mktemp("pages")
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages}


@pytest.mark.parametrize("name", ["report", "hostile", "state", "crowd", "big"])
def test_a_page_opens_from_a_file_without_a_complaint_or_a_request(
    name: str, window: Tab, files: dict[str, Path]
) -> None:
    window.open(files[name])
    assert window.complaints() == []
    assert window.requests() == [files[name].as_uri()]
    assert window.value("document.querySelectorAll('form.filters:not([hidden])').length") == 1


def test_what_got_into_the_page_all_the_same_would_not_run(
    window: Tab, files: dict[str, Path]
) -> None:
    window.open(files["state"])
    for attempt in (
        "document.body.append(Object.assign(document.createElement('script'), {text: 'ran = 1'}))",
        "document.body.setAttribute('onclick', 'window.ran = 1'); document.body.click()",
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')",
        "window.ran = eval('1')",
        "const i = new Image(); i.src = 'https://example.com/x.png'; document.body.append(i)",
        "main.setAttribute('style', 'position: fixed')",
    ):
        window.value(f"try {{ {attempt} }} catch (refused) {{ window.refused = refused.name }}")
    assert window.value("[window.ran, getComputedStyle(main).position, window.refused]") == [
        None,
        "static",
        "EvalError",
    ]
    assert window.requests() == [files["state"].as_uri()]
    assert len(window.complaints()) >= 3


def test_search_and_choices_leave_what_fits(window: Tab, files: dict[str, Path]) -> None:
    window.open(files["big"])
    assert window.value(VISIBLE) == 1000

    def choose(**values: str) -> int:
        for name, value in values.items():
            window.value(
                f"document.forms[0].elements.{name}.value = {value!r};"
                "document.forms[0].dispatchEvent(new Event('input'))"
            )
        found = window.value(VISIBLE)
        assert window.value("document.querySelector('output').value") == f"{found} of 1000 shown"
        return int(found)

    assert choose(domain="fraud") == 500
    assert choose(verb="replace") == 167
    assert choose(text="CONFIG-19 pets") == 3
    groups = "[...document.querySelectorAll('[data-group]')].filter(g => !g.hidden).length"
    shown = window.value(groups)
    assert shown == window.value(
        "new Set([...document.querySelectorAll('[data-item]')]"
        ".filter(e => !e.hidden).map(e => e.parentElement)).size"
    )
    assert choose(text="no such thing") == 0
    assert window.value("document.querySelector('svg.topology').classList.contains('chosen')")
    assert window.value("document.querySelectorAll('svg.topology g.line.lit').length") == 2
    window.value("document.querySelector('button[type=reset]').click()")
    assert window.value("new Promise(done => setTimeout(done)).then(() => 1)") is not None
    assert window.value(VISIBLE) == 1000
    assert not window.value("document.querySelector('svg.topology').classList.contains('chosen')")


def test_all_unfold_and_fold_by_a_button(window: Tab, files: dict[str, Path]) -> None:
    window.open(files["report"])
    open_ = "document.querySelectorAll('#change-list details[open]').length"
    assert window.value(open_) == 0
    window.value("document.querySelector('[data-do=open]').click()")
    assert window.value(open_) == window.value(VISIBLE) == 4
    window.value("document.querySelector('[data-do=close]').click()")
    assert window.value(open_) == 0


def test_the_keyboard_is_enough(window: Tab, files: dict[str, Path]) -> None:
    window.open(files["report"])
    window.press("Tab", 9)
    assert window.value("document.activeElement.className") == "skip"
    assert window.value("document.activeElement.getBoundingClientRect().left >= 0")
    window.press("Enter", 13)
    assert window.value("document.activeElement.id") == "main"
    window.value("document.querySelector('#change-1 summary').focus()")
    assert window.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    window.press("Enter", 13)
    assert window.value("document.getElementById('change-1').open")
    scrolled = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth"
    assert window.value(f"{scrolled} && e.tabIndex < 0).length") == 0


def test_a_link_to_something_folded_unfolds_it(window: Tab, files: dict[str, Path]) -> None:
    window.open(files["state"])
    window.value(
        "document.querySelector('svg.topology a[href=\"#domain-fraud\"]')"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}))"
    )
    window.value("new Promise(done => setTimeout(done, 50))")
    assert window.value("document.getElementById('domain-fraud').open")
    assert not window.value("document.getElementById('domain-ecm').open")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 800, 1220, 1400])
@pytest.mark.parametrize("name", ["report", "hostile", "state", "crowd"])
def test_a_page_is_as_wide_as_its_window(
    name: str, width: int, dark: bool, tab: Tab, files: dict[str, Path]
) -> None:
    tab.show(width, dark=dark)
    tab.open(files[name])
    tab.value("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert tab.value("document.documentElement.scrollWidth") == width
    wider = (
        "[...document.querySelectorAll('main *, header *, nav *')].filter(e =>"
        " !e.closest('.scroll, svg, .hidden, thead, caption.quiet') &&"
        f" e.getBoundingClientRect().right > {width} + 1).map(e => e.outerHTML.slice(0, 120))"
    )
    assert tab.value(wider) == []
    out_of_reach = (
        "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1"
        " && e.tabIndex < 0).map(e => e.innerText.slice(0, 60))"
    )
    assert tab.value(out_of_reach) == []
    small = (
        "[...document.querySelectorAll('main *')].filter(e => e.childNodes.length &&"
        " parseFloat(getComputedStyle(e).fontSize) < 9.9).map(e => e.outerHTML.slice(0, 80))"
    )
    assert tab.value(small) == []


def test_the_colours_are_those_its_reader_prefers(tab: Tab, files: dict[str, Path]) -> None:
    found = []
    for dark in (False, True):
        tab.show(1400, dark=dark)
        tab.open(files["report"])
        found.append(tab.value("getComputedStyle(document.body).backgroundColor"))
    assert found == ["rgb(245, 246, 248)", "rgb(15, 19, 26)"]


def test_without_scripts_everything_is_there(tab: Tab, files: dict[str, Path]) -> None:
    tab.show(1400)
    tab.open(files["big"], scripts=False)
    try:
        # The protocol evaluates all the same; the page's own script has not run.
        assert tab.value("document.querySelectorAll('form.filters:not([hidden])').length") == 0
        assert tab.value(VISIBLE) == 1000
        tab.value("document.querySelector('#change-7 summary').click()")
        assert tab.value("document.querySelector('#change-7 table.sides').offsetHeight > 50")
    finally:
        tab.send("Emulation.setScriptExecutionDisabled", value=False)


def test_on_paper_there_is_no_form_and_no_list_of_sections(
    window: Tab, files: dict[str, Path]
) -> None:
    window.open(files["state"])
    window.send("Emulation.setEmulatedMedia", media="print")
    try:
        shown = "getComputedStyle(document.querySelector('{}')).display"
        assert [window.value(shown.format(s)) for s in ("nav.sections", ".filters")] == ["none"] * 2
        assert window.value(shown.format("main")) == "block"
    finally:
        window.send("Emulation.setEmulatedMedia", media="")
