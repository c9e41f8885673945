"""The page of a report and of a stack: what it says, that nothing in it runs, the same bytes."""

from __future__ import annotations

import dataclasses
import re
from base64 import b64encode
from hashlib import sha256
from itertools import pairwise

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from aspora.changes.model import Change, Consequence, Counts, FieldChange, Key, QuotaRow
from aspora.isolation.model import Cell, Crossing, Finding
from aspora.page import State, changes, lines, matrix, page, parts, quotas, sides, state_page
from aspora.page.document import asset
from aspora.page.layout import lane_numbers, layout
from aspora.page.markup import html, join
from aspora.page.svg import fitted
from aspora.page.topology import MOST_AGENTS, Topology, topology
from aspora.problems import printable
from tests.core import MINIMAL, platform, python, repository, settings
from tests.page_examples import ATTACKS, PLAIN, Read, broken, proof, report, state

PAGES = {
    "changes": lambda text: page(
        report(text), base=state(text), head=state(text), proof=proof(text)
    ),
    "problems": lambda text: page(broken(text)),
    "state": lambda text: state_page(state(text), proof(text)),
}


def here(stack: str = "prod") -> State:
    return State(repository(), settings(stack))


# -- nothing of a report is markup ------------------------------------------------------------


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("kind", PAGES)
def test_hostile_text_is_text_wherever_it_stands(kind: str, attack: str) -> None:
    plain, hostile = Read(PAGES[kind](PLAIN)), Read(PAGES[kind](attack))
    assert hostile.text.count(printable(attack)) >= 5
    # Words of a line are marked one by one, so lines of an attack have more or fewer marks.
    unmarked = [
        [part for part in found.shape if part[0] not in ("ins", "del")]
        for found in (plain, hostile)
    ]
    assert unmarked[0] == unmarked[1]
    assert hostile.raw == plain.raw


def test_a_template_fills_in_text_and_keeps_markup() -> None:
    assert html('<b a="{}">{}</b>', '"', html("<i>{n}</i>", n="<&'")) == (
        '<b a="&#34;"><i>&lt;&amp;&#39;</i></b>'
    )
    assert join(["<", html("<br>"), 3], "\n") == "&lt;\n<br>\n3"


def test_what_does_not_print_is_shown() -> None:
    assert html("{}", "a\u202eb\x00") == "a\\u202eb\\x00"


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_asks_nobody_for_anything(kind: str) -> None:
    read = Read(PAGES[kind](PLAIN))
    assert {tag for tag, _ in read.tags} & {"img", "iframe", "object", "embed", "base"} == set()
    addresses = [*read.of("href"), *read.of("src"), *read.of("action"), *read.of("srcset")]
    assert addresses
    assert all(address.startswith(("#", "data:image/svg+xml,")) for address in addresses)
    assert not re.search(r"url\(|@import|https?:", "".join(read.raw["style"]))
    assert not [name for _, names in read.shape for name in names if name.startswith("on")]
    assert not list(read.of("style"))


def test_the_policy_admits_the_two_built_in_texts_and_nothing_else() -> None:
    read = Read(state_page(here()))
    policy = next(read.of("content"))
    hashes = {
        kind: b64encode(sha256("".join(texts).encode()).digest()).decode()
        for kind, texts in read.raw.items()
    }
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; script-src"
        f" 'sha256-{hashes['script']}'; img-src data:; base-uri 'none'; form-action 'none';"
        " require-trusted-types-for 'script'"
    )
    order = [tag for tag, _ in read.tags]
    assert order.index("meta") < order.index("style") < order.index("script")
    assert "</" not in asset("page.css") + asset("page.js")


# -- the same bytes ---------------------------------------------------------------------------

PROGRAM = """
import sys, hashlib
from tests.page_examples import PLAIN, proof, report, state
from aspora.page import page, state_page
a = page(report(PLAIN), base=state(PLAIN), head=state(PLAIN), proof=proof(PLAIN))
b = state_page(state(PLAIN), proof(PLAIN))
print(hashlib.sha256((a + b).encode()).hexdigest())
"""


def test_the_bytes_are_the_same_whatever_surrounds_them() -> None:
    outputs = {
        python("-c", PROGRAM, env={"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale}).stdout
        for seed, zone, locale in (("0", "UTC", "C"), ("7", "Asia/Dubai", "C.UTF-8"))
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) == 65


# -- accessible -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PAGES)
def test_what_refers_to_something_finds_it(kind: str) -> None:
    read = Read(PAGES[kind](PLAIN))
    ids = list(read.of("id"))
    assert len(ids) == len(set(ids))
    anchors = [address[1:] for address in read.of("href") if address.startswith("#")]
    names = [name for value in read.of("aria-labelledby") for name in value.split()]
    markers = re.findall(r"url\(#([\w-]+)\)", " ".join(read.of("marker-end")))
    assert anchors
    assert {*anchors, *names, *markers, *read.of("data-of")} <= set(ids)


@pytest.mark.parametrize("kind", PAGES)
def test_landmarks_headings_and_names(kind: str) -> None:
    read = Read(PAGES[kind](PLAIN))
    tags = [tag for tag, _ in read.tags]
    for landmark in ("header", "nav", "main", "footer", "h1"):
        assert tags.count(landmark) == 1
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert tags.count("table") == tags.count("caption")
    assert all(attributes.get("scope") for tag, attributes in read.tags if tag == "th")
    assert tags.count("label") == tags.count("input") + tags.count("select")
    assert read.tags[0] == ("html", {"lang": "en"})


LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
    for block in re.findall(r":root \{(.*?)\}", asset("page.css"), re.DOTALL)[:2]
)
SOFT = ("create", "update", "replace", "delete", "ok", "accent")
TEXTS = [
    *((ink, paper) for ink in ("text", "muted", "accent") for paper in ("bg", "surface", "raised")),
    *((kind, f"{kind}-soft") for kind in SOFT),
    *(("text", f"{kind}-soft") for kind in SOFT),
    *((kind, "surface") for kind in ("create", "update", "delete")),
    *(("on-fill", way) for way in ("models", "tools", "stores", "hosts")),
]
SHAPES = [
    *(("bar" + level, "raised") for level in ("", "-high", "-over")),
    *((way, "surface") for way in ("models", "tools", "stores", "hosts")),
    *((kind, "accent-soft") for kind in ("accent", "create", "update", "delete")),
    ("muted", "surface"),
    *(("text", "bar" + level) for level in ("", "-high", "-over")),
]


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast_is_enough_in_both_schemes(colours: dict[str, str]) -> None:
    """WCAG 2.2 AA: 4.5 for text (1.4.3), 3 for shapes that mean something (1.4.11)."""
    poor = [
        f"{ink} on {paper}: {_contrast(colours[ink], colours[paper]):.2f}"
        for pairs, least in ((TEXTS, 4.5), (SHAPES, 3))
        for ink, paper in pairs
        if _contrast(colours[ink], colours[paper]) < least
    ]
    assert poor == []
    assert colours.keys() == LIGHT.keys()


def test_contrast_is_computed_as_the_standard_says() -> None:
    assert _contrast("#000000", "#ffffff") == pytest.approx(21)
    assert _contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


# -- the picture ------------------------------------------------------------------------------


def marks(found: Topology) -> dict[str, str]:
    return {row.id: row.mark for block in found.blocks for row in block.rows if row.mark}


def changed(**texts: str) -> tuple[State, State]:
    """The repository's domains, and the same with a text of a file replaced: "old => new"."""
    from aspora.models import Domain
    from tests.core import ROOT

    head = []
    for domain in repository():
        text = (ROOT / "domains" / domain.name / "domain.yaml").read_text("utf-8")
        if domain.name in texts:
            old, new = texts[domain.name].split(" => ")
            assert old in text
            text = text.replace(old, new)
        head.append(Domain.model_validate(yaml.safe_load(text)))
    return here(), State(tuple(head), settings("prod"))


def test_the_picture_draws_the_calls_that_both_sides_declare() -> None:
    found = topology(here())
    assert {(call.caller, call.callee) for call in found.calls} == {
        ("support/assistant", "ecm/field"),
        ("support/assistant", "wealth/manager"),
        ("wealth/advisor", "fraud/risk"),
    }
    _, head = changed(ecm="callers: [support/assistant] => callers: []")
    assert ("support/assistant", "ecm/field") not in {
        (call.caller, call.callee) for call in topology(head).calls
    }


def test_what_an_agent_reaches_is_in_its_row() -> None:
    rows = {row.id: row for block in topology(here()).blocks for row in block.rows}
    assert rows["support/assistant"].reaches == {"models": 2, "tools": 4, "stores": 0, "hosts": 1}
    assert rows["wealth/manager"].reaches == {"models": 2, "tools": 3, "stores": 1, "hosts": 0}
    assert rows["support/assistant"].serves
    assert not rows["support/analyst"].serves
    assert rows["ecm/field"].note == "1 service, 1 sandbox pool"


def test_the_picture_of_a_change_marks_what_moved() -> None:
    base, head = changed(
        wealth="calls: [fraud/risk/analyze-transaction] => calls: []",
        support="  - name: analyst => "
        "  - {name: clerk, image: 'aspora/c:v1', model: m, skills: [{name: s, description: Dd.}]}"
        "\n  - name: analyst",
    )
    found = topology(head, base)
    assert marks(found) == {"wealth/advisor": "changed", "support/clerk": "new"}
    assert [(c.caller, c.mark) for c in found.calls if c.mark] == [("wealth/advisor", "gone")]
    back = topology(base, head)
    assert marks(back) == {"wealth/advisor": "changed", "support/clerk": "gone"}
    assert [(c.caller, c.mark) for c in back.calls if c.mark] == [("wealth/advisor", "new")]
    assert marks(topology(base, base)) == {}


def test_a_domain_that_comes_or_goes_is_marked_whole() -> None:
    base = here()
    head = dataclasses.replace(base, domains=base.domains[1:])
    found = topology(head, base)
    assert {block.name: block.mark for block in found.blocks} == {
        "ecm": "gone",
        "fraud": "",
        "support": "",
        "wealth": "",
    }
    assert [c.mark for c in found.calls if c.callee == "ecm/field"] == ["gone"]
    assert topology(base, head).blocks[0].mark == "new"


def crowd(count: int) -> State:
    """Domains that are alike, each with two agents of which one calls the next domain's."""
    from aspora.models import Domain

    found = []
    for number in range(count):
        data = yaml.safe_load(MINIMAL)
        data["name"] = f"pets-{number:02}"
        vet = data["agents"][0]
        vet["skills"][0]["callers"] = [f"pets-{(number - 1) % count:02}/vet"]
        vet["calls"] = [f"pets-{(number + 1) % count:02}/vet/advise"]
        data["agents"].append(vet | {"name": "nurse", "calls": []})
        found.append(Domain.model_validate(data))
    return State(tuple(found), settings("prod"))


def test_with_many_agents_a_row_is_a_domain() -> None:
    few, most = crowd(MOST_AGENTS // 2), crowd(50)
    assert all(len(block.rows) == 2 for block in topology(few).blocks)
    found = topology(most)
    assert [row.id for block in found.blocks for row in block.rows] == [
        domain.name for domain in most.domains
    ]
    assert found.blocks[0].rows[0].note == "2 agents"
    assert found.blocks[0].rows[0].reaches["models"] == 2
    assert len(found.calls) == 50


@pytest.mark.parametrize("stack", [here(), crowd(20), crowd(50)], ids=["4", "20", "50"])
def test_nothing_of_the_picture_overlaps(stack: State) -> None:
    place = layout(topology(stack))
    assert all(top + height < below for (top, height), (below, _) in pairwise(place.boxes))
    heights = [line.y for line in place.lines]
    assert all(after - before >= 28 for before, after in pairwise(heights))
    for line in place.lines:
        top, height = place.boxes[line.block]
        assert top < line.y < top + height
    assert all(12 < lane.x < place.gateway for lane in place.lanes)
    assert max(place.columns.values()) + place.column / 2 <= place.width
    assert place.boxes[-1][0] + place.boxes[-1][1] < place.height
    by_lane: dict[int, list[tuple[int, int]]] = {}
    for lane in place.lanes:
        by_lane.setdefault(lane.x, []).append(
            (min(lane.start, lane.end), max(lane.start, lane.end))
        )
    for spans in by_lane.values():
        assert all(high < low for (_, high), (low, _) in pairwise(sorted(spans)))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=30))
@examples(deadline=None)
def test_no_two_calls_run_over_each_other(spans: list[tuple[int, int]]) -> None:
    numbers = lane_numbers(spans)
    assert len(numbers) == len(spans)
    for i, (a, b) in enumerate(spans):
        for j, (c, d) in enumerate(spans[:i]):
            if numbers[i] == numbers[j]:
                assert max(a, b) < min(c, d) or max(c, d) < min(a, b)


def test_a_long_name_is_cut_and_told_in_full() -> None:
    name = "agent-name-that-fills-its-line"
    assert fitted(name, 100) == "agent-name-t…"
    assert fitted("i" * 20, 100) == "i" * 20
    assert fitted("short", 100) == "short"
    assert fitted("short", 1) == "…"
    _, head = changed(fraud="  - name: risk => " + f"  - name: {name}")
    drawn = state_page(head)
    assert f"<title>{name}</title>" in drawn


# -- objects beside each other ----------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="ascii"), max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(VALUES)
@examples(deadline=None, max_examples=300)
def test_lines_are_yaml_of_the_object(value: object) -> None:
    assert yaml.safe_load("".join(f"{line}\n" for line in lines.written(value))) == value


def test_every_object_of_the_platform_can_be_read_back_from_its_lines() -> None:
    objects = list(platform("prod"))
    text = "".join(f"---\n{line}\n" for obj in objects for line in ["\n".join(lines.written(obj))])
    assert (
        list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))) == objects
    )


def test_long_lines_and_long_objects_are_cut_and_say_so() -> None:
    assert lines.lines_of({"a": "b" * 500}) == ["a: " + "b" * 397 + "… (103 more characters)"]
    found = lines.lines_of(list(range(5000)))
    assert len(found) == lines.MOST_LINES + 1
    assert found[-1] == "# more lines follow"
    assert len(lines.lines_of(list(range(lines.MOST_LINES)))) == lines.MOST_LINES


LINES = st.lists(st.sampled_from(["a: 1", "a: 2", "b:", "  c: x y", "  c: x z", "d: true"]))


@given(LINES, LINES)
@examples(deadline=None)
def test_the_table_holds_every_line_of_both_sides(before: list[str], after: list[str]) -> None:
    found = sides.pairs(before, after)
    left_out = sum(pair.left_out for pair in found)
    assert len([p for p in found if p.before is not None]) + left_out * bool(found) == (
        len(before) if found else 0
    )
    if before != after:
        assert found
    if left_out == 0 and found:
        assert [p.before for p in found if p.before is not None] == before
        assert [p.after for p in found if p.after is not None] == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["a: 1", "b: 2"], ["a: 3", "b: 4"]),
        (['"rpm":720,', '"max":5,'], ['"rpm":840,', '"max":6,']),
        (["- name: x", "  c: 1"], ["- name: y", "  c: 2"]),
    ],
)
def test_lines_of_one_key_stand_beside_each_other(before: list[str], after: list[str]) -> None:
    assert sides.pairs(before, after) == list(map(sides.Pair, before, after))
    assert sides.pairs(["a: 1"], ["b: 1"]) == [sides.Pair("a: 1", None), sides.Pair(None, "b: 1")]


def test_what_is_far_from_a_change_is_left_out_and_counted() -> None:
    before = [f"k{n}: {n}" for n in range(40)]
    found = sides.pairs(before, [*before[:20], "k20: other", *before[21:]])
    assert [pair.left_out for pair in found if pair.left_out] == [17, 16]
    assert sides.Pair("k20: 20", "k20: other") in found
    assert sides.pairs(before, before) == []


@pytest.mark.parametrize(
    ("before", "after", "left", "right"),
    [
        ("max: 6", "max: 12", "max: <del>6</del>", "max: <ins>12</ins>"),
        ("image: a:v1", "image: a:v2", "image: a:<del>v1</del>", "image: a:<ins>v2</ins>"),
        ("a: x", "a: x y", "a: x", "a: x<ins> y</ins>"),
        ("name: <b>", "name: <i>", "name: &lt;<del>b</del>&gt;", "name: &lt;<ins>i</ins>&gt;"),
        (
            '  "rpm":720,',
            '  "rpm":840,',
            "  &#34;rpm&#34;:<del>720</del>,",
            "  &#34;rpm&#34;:<ins>840</ins>,",
        ),
        ("kind: one", "12345 67890 other words", "kind: one", "12345 67890 other words"),
    ],
)
def test_words_that_differ_are_marked(before: str, after: str, left: str, right: str) -> None:
    assert sides.marked(before, after) == (left, right)


# -- quotas -----------------------------------------------------------------------------------


def row(limit: float | None, used: float | None, was: tuple[float | None, float | None]) -> str:
    return quotas.gauge(QuotaRow("pets", "CPU", "cores", *was, limit, used))


def test_a_bar_says_in_words_what_it_shows() -> None:
    same = row(20, 12.5, (20, 12.5))
    assert 'class="used" width="62.5"' in same
    assert "62%</span>12.5 of 20 cores" in same
    assert "was" not in same
    moved = row(20, 19, (16, 12.5))
    assert 'class="used high" width="95"' in moved
    assert 'class="was" x="62.5"' in moved
    assert "was 12.5 of 16 cores" in moved
    over = row(20, 25, (20, 10))
    assert 'class="used over" width="100"' in over
    assert "125% over" in over


def test_a_quota_that_comes_or_goes_says_so() -> None:
    assert "+ new" in row(20, 12.5, (None, None))
    assert "gone" in row(None, None, (20, 12.5))
    assert "was 20 cores" in row(None, None, (20, 12.5))
    assert 'width="0"' in row(0, 0, (0, 0))
    assert 'class="used over" width="100"' in row(0, 2, (0, 2))


def test_amounts_are_written_for_people() -> None:
    assert [
        quotas.amount(v, u) for v, u in ((1.5, "cores"), (5 * 2**29, "bytes"), (1, "pods"))
    ] == [
        "1.5 cores",
        "2.5 GiB",
        "1 pod",
    ]
    assert quotas.of(900, 12000, "USD") == "$900 of $12,000"


def test_quotas_of_a_state_are_those_that_validation_counts() -> None:
    found = {(r.domain, r.resource): r for r in quotas.quota_rows(here())}
    assert found["wealth", "pods"].limit_after == 50
    assert found["wealth", "memory"].limit_after == 40 * 2**30
    assert found["wealth", "CPU"].used_after == 7.35
    assert found["wealth", "budget a month"].used_after == 1420
    assert {domain for domain, _ in found} == {"ecm", "fraud", "support", "wealth"}


# -- isolation --------------------------------------------------------------------------------


def test_the_matrix_tells_declared_undeclared_closed_and_unjudged() -> None:
    cells = (Cell("a", "b", 2, 0), Cell("b", "a", 1, 3), Cell("a", "c", 0, 0))
    shown = matrix.matrix(("a", "b", "c"), cells)
    found = re.findall(r'<td class="(\w+)">([^<]*)</td>', shown)
    assert found == [
        ("self", "itself"),
        ("open", "✓ 2 declared"),
        ("closed", "\N{EN DASH} closed"),
        ("crossing", "✗ 3 undeclared"),
        ("self", "itself"),
        *[("crossing", "? not judged")] * 3,
        ("self", "itself"),
    ]
    many = matrix.matrix(tuple("abcdefghij"), cells)
    assert ("open", "✓ 2") in re.findall(r'<td class="(\w+)">([^<]*)</td>', many)


def test_the_verdict_of_the_proof_is_never_kinder_than_the_proof() -> None:
    nothing = dataclasses.replace(proof(PLAIN), domains=(), findings=())
    assert matrix.verdict(nothing) == "Nothing was looked at, so nothing is proven."
    crossing = Crossing("a", "b", "call", "a/x", "b/y", "through", declared=True, why="both")
    holds = dataclasses.replace(proof(PLAIN), findings=(), crossings=(crossing,))
    assert matrix.verdict(holds).startswith("No path between domains but the 1 that both")
    finding = Finding("crossing", "a/x", "reaches b", ("NetworkPolicy b/open",))
    broken_one = dataclasses.replace(holds, findings=(finding,))
    assert matrix.verdict(broken_one) == (
        "1 finding in 2 workloads and 2 domains: isolation is not proven."
    )
    assert "NetworkPolicy b/open" in matrix.isolation(broken_one)
    assert ">isolation not proven<" in state_page(here(), broken_one)
    assert ">isolation proven<" in state_page(here(), holds)


# -- the list of changes ----------------------------------------------------------------------


def change(number: int, size: int = 20) -> Change:
    data = {f"k{n}": f"v{n}" for n in range(size)}
    before, after = ({"kind": "ConfigMap", "data": d} for d in (data, data | {"k3": "new"}))
    key = Key("", "ConfigMap", "aspora-pets", f"config-{number}")
    fields = (FieldChange("data.k3", "v3", "new"),)
    return Change(key, "update", "pets", "pets/vet/advise", None, fields, (), before, after)


def many_changes(count: int, size: int = 20) -> str:
    found = tuple(change(number, size) for number in range(count))
    counts = Counts(update=count)
    return page(dataclasses.replace(report(PLAIN), changes=found, counts=counts))


def test_a_thousand_changes_are_all_there_folded_and_light() -> None:
    shown = many_changes(1000)
    assert shown.count('<details class="item card" id="change-') == 1000
    assert shown.count('<table class="sides">') == 1000
    assert "<details open" not in shown
    assert len(shown) < 3_000_000


def test_what_does_not_fit_is_listed_with_its_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes.Room, "__init__", lambda self: setattr(self, "left", 5_000))
    shown = many_changes(50)
    assert shown.count('<details class="item card" id="change-') == 50
    tables = shown.count('<table class="sides">')
    assert 1 <= tables < 10
    assert shown.count("Left out, so that the page stays light") == 50 - tables
    assert shown.count("<code>data.k3</code>") == 50
    monkeypatch.setattr(changes.Room, "__init__", lambda self: setattr(self, "left", 100))
    assert many_changes(2).count('<table class="sides">') == 0


def test_a_report_without_changes_says_so() -> None:
    empty = dataclasses.replace(report(PLAIN), changes=(), counts=Counts())
    assert "No object changes." in page(empty)


def test_a_head_that_does_not_hold_shows_its_problems_and_nothing_else() -> None:
    read = Read(page(broken(PLAIN), head=state(PLAIN)))
    assert {tag["id"] for name, tag in read.tags if name == "section"} == {"problems"}


def test_what_happens_is_said_once_and_the_gravest_first() -> None:
    told = [
        Consequence("routine", "pods of a restart"),
        Consequence("destructive", "the volume of b is lost"),
        Consequence("routine", "pods of a restart"),
    ]
    found = tuple(
        dataclasses.replace(change(n), consequences=(item,)) for n, item in enumerate(told)
    )
    shown = parts.consequences(found)
    assert re.findall(r"<li><span[^>]*>(\w+)</span> ([^<]*)</li>", shown) == [
        ("destructive", "the volume of b is lost"),
        ("routine", "pods of a restart"),
    ]
    crowd_of = tuple(
        dataclasses.replace(change(n), consequences=(Consequence("routine", f"pod {n}"),))
        for n in range(100)
    )
    assert "60 more, each at its change below" in parts.consequences(crowd_of)


def test_a_difference_in_what_is_cut_away_is_told() -> None:
    long = "x" * 1000
    hidden = dataclasses.replace(change(1), before={"data": f"{long}a"}, after={"data": f"{long}b"})
    shown = page(dataclasses.replace(report(PLAIN), changes=(hidden,)))
    assert "What differs is in the part of a long line or object that is not shown" in shown
    assert '<table class="sides">' not in shown


def test_a_domain_has_one_group_whatever_the_order() -> None:
    mixed = tuple(
        dataclasses.replace(change(n), domain=name) for n, name in enumerate(("a", "", "a", "b"))
    )
    read = Read(page(dataclasses.replace(report(PLAIN), changes=mixed)))
    groups = [tag["id"] for _, tag in read.tags if "data-group" in tag]
    assert groups == ["changes-of-a", "changes-of-platform", "changes-of-b"]
