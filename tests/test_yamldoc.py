"""YAML text to data with positions: every refusal word for word, and no text that raises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from aspora import yamldoc
from aspora.problems import MAX_PER_FILE, Position, Problem
from aspora.yamldoc import Document, parse

GOOD = """\
# a comment
name: wealth
budget: {monthlyUSD: 0.30}
agents:
  - name: manager
    note: "010"
  - name: advisor
    skills: [a, bb]
empty:
text: |
  one
  \ttwo
"""


def only(text: str) -> Problem:
    document = parse(text, "f")
    assert len(document.problems) == 1, document.problems
    return document.problems[0]


def line(problem: Problem) -> str:
    """A problem as `line:col CODE path: message | hint`."""
    at = problem.position
    path = f" {problem.path}" if problem.path else ""
    hint = f" | {problem.hint}" if problem.hint else ""
    return f"{at.line}:{at.column} {problem.code}{path}: {problem.message}{hint}"


def at(document: Document, *path: str | int, key: bool = False) -> tuple[int, int]:
    position = document.position(path, key=key)
    return position.line, position.column


def test_data_and_positions() -> None:
    document = parse(GOOD, "f")
    assert document.problems == ()
    assert document.complete
    assert document.data == {
        "name": "wealth",
        "budget": {"monthlyUSD": 0.3},
        "agents": [
            {"name": "manager", "note": "010"},
            {"name": "advisor", "skills": ["a", "bb"]},
        ],
        "empty": None,
        "text": "one\n\ttwo\n",
    }
    assert document.position(()) == Position("f", 2, 1)
    assert at(document, "name") == (2, 7)
    assert at(document, "name", key=True) == (2, 1)
    assert at(document, "budget", "monthlyUSD") == (3, 22)
    assert at(document, "budget", "monthlyUSD", key=True) == (3, 10)
    assert at(document, "agents", 1) == (7, 5)
    assert at(document, "agents", 1, key=True) == (7, 5)
    assert at(document, "agents", 1, "skills", 1) == (8, 17)
    assert at(document, "empty", key=True) == (9, 1)


def test_position_of_what_is_not_there_is_the_key_of_the_nearest_parent() -> None:
    document = parse(GOOD, "f")
    assert at(document, "budget", "perExecutionUSD") == (3, 1)
    assert at(document, "agents", 9) == (4, 1)
    assert at(document, "agents", 0, "image") == (5, 5)
    assert at(document, "nothing") == (2, 1)


def test_resolve_leaves_out_the_tags_of_unions() -> None:
    document = parse(GOOD, "f")
    assert document.resolve(("agents", "tagged-union", 1, "name", "str")) == ("agents", 1, "name")


def test_source_is_the_number_as_written() -> None:
    document = parse("a: 1.20\nb: [1, 2.50]\nc: x\nd: {e: true}\n", "f")
    assert document.source(("a",)) == "1.20"
    assert document.source(("b", 1)) == "2.50"
    assert document.source(("c",)) == ""
    assert document.source(("d", "e")) == "true"


def test_positions_count_characters_and_any_line_ending() -> None:
    document = parse("\ufeffé: 😀\r\nb: [ä, c]\r\n", "f")
    assert document.problems == ()
    assert at(document, "é") == (1, 4)
    assert at(document, "b", 1) == (2, 8)


class _Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str


class _Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    items: tuple[_Inner, ...]
    table: dict[str, int]


@pytest.mark.parametrize("strict", [False, True])
def test_pydantic_and_orjson_take_the_marked_containers(strict: bool) -> None:
    data = parse("items: [{name: a}, {name: b}]\ntable: {x: 1}\n", "f").data
    if not strict:
        model = _Outer.model_validate(data)
        assert model.items == (_Inner(name="a"), _Inner(name="b"))
        assert type(model.table) is dict
    assert _Inner.model_validate(data["items"][0], strict=strict).name == "a"
    assert orjson.loads(orjson.dumps(data)) == data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-17", -17),
        ("+5", 5),
        ("9007199254740991", 2**53 - 1),
        ("0.30", 0.3),
        (".5", 0.5),
        ("1.", 1.0),
        ("-1.25", -1.25),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01 10:00:00", "2026-01-01 10:00:00"),
        ("8080:80", "8080:80"),
        ("1.2.3", "1.2.3"),
        ("500m", "500m"),
        ("-", "-"),
        (".", "."),
        ("yess", "yess"),
        ("None", "None"),
        ("tRue", "tRue"),
        ("10.0.0.0/16", "10.0.0.0/16"),
        ("0123456789abcdef", "0123456789abcdef"),
        ("1" * 65 + "x", "1" * 65 + "x"),
    ],
)
def test_plain_scalars(text: str, value: object) -> None:
    document = parse(f"a: [{text} ]\n" if text == "-" else f"a: {text}\n", "f")
    if text == "-":  # alone it is the start of a list item, and refused as one
        assert document.problems
        return
    assert document.problems == ()
    assert document.data["a"] == value
    assert type(document.data["a"]) is type(value)


SWITCH = "is a boolean to some readers and text to others"
EITHER = "is a number to some readers and text to others"
DIGITS = "write the number in plain digits"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on", f'ASP108 a: unquoted on {SWITCH} | quote it: "on", or write true or false'),
        ("Off", f'ASP108 a: unquoted Off {SWITCH} | quote it: "Off", or write true or false'),
        ("YES", f'ASP108 a: unquoted YES {SWITCH} | quote it: "YES", or write true or false'),
        ("nO", f'ASP108 a: unquoted nO {SWITCH} | quote it: "nO", or write true or false'),
        ("y", f'ASP108 a: unquoted y {SWITCH} | quote it: "y", or write true or false'),
        ("N", f'ASP108 a: unquoted N {SWITCH} | quote it: "N", or write true or false'),
        (
            "010",
            (
                "ASP108 a: unquoted 010 is octal to some readers and decimal to others"
                ' | quote it: "010"'
            ),
        ),
        (
            "-08",
            (
                "ASP108 a: unquoted -08 is octal to some readers and decimal to others"
                ' | quote it: "-08"'
            ),
        ),
        (
            "0o17",
            (
                "ASP108 a: unquoted 0o17 is octal to some readers and text to others"
                f' | quote it: "0o17", or {DIGITS}'
            ),
        ),
        (
            "0b11",
            (
                "ASP108 a: unquoted 0b11 is binary to some readers and text to others"
                f' | quote it: "0b11", or {DIGITS}'
            ),
        ),
        (
            "0x1F",
            f'ASP108 a: unquoted 0x1F is a hexadecimal number | quote it: "0x1F", or {DIGITS}',
        ),
        ("1_000", f'ASP108 a: unquoted 1_000 {EITHER} | quote it: "1_000", or {DIGITS}'),
        ("1e3", f'ASP108 a: unquoted 1e3 {EITHER} | quote it: "1e3", or {DIGITS}'),
        ("1.5E-3", f'ASP108 a: unquoted 1.5E-3 {EITHER} | quote it: "1.5E-3", or {DIGITS}'),
        (
            "12:30:00",
            (
                "ASP108 a: unquoted 12:30:00 is a number of base 60 to some readers"
                " and text to others"
                ' | quote it: "12:30:00"'
            ),
        ),
        (
            "01.5",
            'ASP108 a: unquoted 01.5 is a number that loses its leading zero | quote it: "01.5"',
        ),
        (".inf", 'ASP108 a: unquoted .inf is no number that JSON can hold | quote it: ".inf"'),
        (".NaN", 'ASP108 a: unquoted .NaN is no number that JSON can hold | quote it: ".NaN"'),
        (
            "9007199254740992",
            (
                "ASP114 a: unquoted 9007199254740992 has more digits than readers keep of a number"
                ' | quote it: "9007199254740992"'
            ),
        ),
        (
            "0.12345678901234567891",
            (
                "ASP114 a: unquoted 0.12345678901234567891 has more digits than readers keep of a"
                ' number | quote it: "0.12345678901234567891"'
            ),
        ),
        (
            "9" * 65,
            (
                f"ASP114 a: unquoted {'9' * 65} has more digits than readers keep of a number"
                f' | quote it: "{"9" * 65}"'
            ),
        ),
    ],
)
def test_ambiguous_scalars(text: str, expected: str) -> None:
    assert line(only(f"a: {text}\n")) == f"1:4 {expected}"
    quoted = parse(f'a: "{text}"\n', "f")
    assert quoted.problems == ()
    assert quoted.data["a"] == text


TAB = "ASP105: a tab stands in the indentation | indent with two spaces"
QUOTES = "put the value in quotes"
BROKEN = [
    ("a:\n\tb: 1\n", f"2:1 {TAB}"),
    ("a:\n  b: 1\n \tc: 1\n", f"3:2 {TAB}"),
    ("a: x\n\tb: 1\n", f"2:1 {TAB}"),
    ("a: @x\n", f'1:4 ASP101: a value cannot begin with "@" | {QUOTES}'),
    ("a: `x`\n", f'1:4 ASP101: a value cannot begin with "`" | {QUOTES}'),
    ("a: *.com\n", f'1:4 ASP101: a value cannot begin with "*" | {QUOTES}'),
    (
        "a: b: c\n",
        '1:5 ASP101: a second ": " in one line | put the value in quotes if it holds a colon',
    ),
    (
        "a\nb: 1\n",
        (
            '2:1 ASP101: a key stands where none can: the line above is not finished or has no ": "'
            ' | write "key: value" with a blank after the colon, and indent keys of one mapping'
            " alike"
        ),
    ),
    (
        'a: 1\n"b" 2\n',
        '2:1 ASP101: expected a key and a colon, found ""b" 2" | write "key: value"',
    ),
    (
        "a: [1, 2\nb: 3\n",
        '2:2 ASP101: expected "," or "]": "[" in line 1 is not closed here',
    ),
    (
        "a: {b: [1, 2}\n",
        '1:13 ASP101: expected "," or "]": "[" in line 1 is not closed here',
    ),
    ("a: 1\nb: 'x\n", "2:4 ASP101: the quote that opens here is never closed"),
    (
        'a: "\\d"\n',
        (
            '1:5 ASP101: "\\d" begins no valid escape between double quotes'
            ' | use single quotes, or write "\\\\"'
        ),
    ),
    (
        "a: - b\n",
        "1:4 ASP101: a list item cannot stand here | begin the list on a line of its own",
    ),
    (
        "a:\n  b: 1\n c: 2\n",
        (
            "3:2 ASP101: expected a key of the mapping that begins in line 1"
            " | indent keys of one mapping by the same width"
        ),
    ),
    (
        "a: 1\n- b\n",
        (
            "2:1 ASP101: a list item among the keys of the mapping that begins in line 1"
            ' | indent "-" deeper than the list\'s key'
        ),
    ),
    (
        "a:\n  - b: 1\n   c: 2\n",
        (
            "3:4 ASP101: expected an item of the list that begins in line 2"
            ' | items of one list begin with "- " in the same column, their keys right below'
            " one another"
        ),
    ),
    (
        "a: 'x' y\n",
        "1:8 ASP101: text goes on after the closing quote | put the whole value between the quotes",
    ),
    ("a: [1]]\n", '1:7 ASP101: "]" closes nothing'),
    (": x\n", "1:1 ASP101: no key before the colon"),
    (
        "a: >x\n",
        f'1:5 ASP101: text cannot follow ">" in its line | {QUOTES}, or begin it below',
    ),
    ("a: 1\n...\nb: 2\n", "3:1 ASP101: text goes on after the end of the document"),
    ("a: !x!y z\n", "1:4 ASP110: a tag is not allowed | quote text that begins with !"),
    (
        "%FOO\n---\na: 1\n",
        "1:5 ASP101: not valid YAML: found unknown directive name while scanning a directive",
    ),
    ("", "1:1 ASP112: the file is empty | for example name: wealth"),
    ("# nothing\n", "1:1 ASP112: the file is empty | for example name: wealth"),
    ("---\n", "1:4 ASP112: the file is empty | for example name: wealth"),
    (
        "- a\n",
        (
            "1:1 ASP112: expected keys and values at the top level, found a list"
            " | for example name: wealth"
        ),
    ),
    (
        "name:wealth\n",
        (
            '1:1 ASP112: expected keys and values at the top level, found "name:wealth"'
            ' | a blank is missing after the colon: "key: value"'
        ),
    ),
    (
        "a: 1\n---\nb: 2\n",
        "2:1 ASP111: a second document begins | one file holds one document",
    ),
    (
        "a:\n  b: 1\n  b: 2\n",
        '3:3 ASP106 a.b: key "b" stands here a second time | the first one is in line 2, column 3',
    ),
    (
        'a:\n  - {c: 1}\n  - {c: 1, d: 2, "c": 3}\n',
        (
            '3:18 ASP106 a[1].c: key "c" stands here a second time'
            " | the first one is in line 3, column 6"
        ),
    ),
    ("8080: x\n", '1:1 ASP107 8080: key 8080 is the number 8080 | quote it: "8080"'),
    ("a: {true: x}\n", '1:5 ASP107 a.true: key true is the boolean true | quote it: "true"'),
    ("? [a]\n: b\n", "1:3 ASP107: a key is a list | keys are text"),
    ("a: {~: b}\n", '1:5 ASP107 a.~: key ~ is nothing | quote it: "~"'),
    (
        "a:\n  on: x\n",
        f'2:3 ASP108 a.on: unquoted key on {SWITCH} | quote it: "on", or write true or false',
    ),
    (
        "a: &x 1\n",
        "1:4 ASP109 a: anchor &x is not allowed | write the value out where it is needed",
    ),
    (
        "a: [b, *x]\n",
        "1:8 ASP109 a[1]: alias *x is not allowed | write the value out where it is needed",
    ),
    (
        "<<: {a: 1}\nb: 1\n",
        "1:1 ASP109 <<: merge key << is not allowed | write the keys out where they are needed",
    ),
    (
        "a: !!python/object/apply:os.system [id]\n",
        (
            "1:4 ASP110 a: tag !!python/object/apply:os.system is not allowed"
            " | leave it out, and quote the value if it is text"
        ),
    ),
    (
        "a: {b: !Ref c}\n",
        "1:8 ASP110 a.b: tag !Ref is not allowed | leave it out, and quote the value if it is text",
    ),
    (
        "a: x\u202ey\n",
        (
            "1:5 ASP104: a character that cannot be seen, U+202E"
            " | delete it, or write it as an escape between double quotes"
        ),
    ),
    (
        "a: \x00\n",
        (
            "1:4 ASP104: a character that cannot be seen, U+0000"
            " | delete it, or write it as an escape between double quotes"
        ),
    ),
    (
        "a:\u00a0b\n",
        (
            "1:3 ASP104: a no-break space, U+00A0"
            " | delete it, or write it as an escape between double quotes"
        ),
    ),
]


@pytest.mark.parametrize(("text", "expected"), BROKEN)
def test_broken_text(text: str, expected: str) -> None:
    assert line(only(text)) == expected


@pytest.mark.parametrize(("text", "expected"), BROKEN)
def test_the_parser_without_libyaml_finds_the_same(
    text: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    if text.startswith("%FOO"):  # ignored there, as the YAML specification has it
        assert parse(text, "f").problems == ()
        return
    if "b: 1\n   c: 2" in text:  # taken for a key out of line, not for an item
        assert only(text).position == Position("f", 3, 4)
        return
    assert line(only(text)) == expected


def test_an_empty_key() -> None:
    assert line(only("a: {? : b}\n")) == '1:7 ASP107 a[""]: a key is empty'


def test_half_a_surrogate_pair_is_refused_by_both_parsers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert only('a: "\\ud800"\n').code == "ASP101"
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert line(only('a: "\\ud800"\n')) == (
        "1:4 ASP104 a: half of a surrogate pair | write the character itself"
    )


def test_libyaml_is_there() -> None:
    assert yaml.__with_libyaml__, "the benchmarks count on PyYAML's C parser"


def test_every_problem_of_a_file_at_once() -> None:
    document = parse("a: on\nb: 010\na: 2\nc: !x {d: *e}\n7: x\n", "f")
    assert [(p.position.line, p.code) for p in document.problems] == [
        (1, "ASP108"),
        (2, "ASP108"),
        (3, "ASP106"),
        (4, "ASP110"),
        (4, "ASP109"),
        (5, "ASP107"),
    ]
    assert document.complete


def test_the_first_of_two_equal_keys_stays() -> None:
    document = parse("a: {b: 1}\na: [2]\nc: 3\n", "f")
    assert document.data == {"a": {"b": 1}, "c": 3}
    assert at(document, "c") == (3, 4)


def test_a_file_full_of_problems_is_cut() -> None:
    problems = parse("a: [" + "on, " * 5000 + "]", "f").problems
    assert len(problems) == MAX_PER_FILE + 1
    assert problems[-1].message == f"more than {MAX_PER_FILE} problems"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "{? ", "[{a: "])
def test_deep_nesting_is_a_problem(opening: str) -> None:
    last = parse(opening * 100_000, "f").problems[-1]
    assert last.code == "ASP113"
    assert last.message == "more than 40 lists and mappings within one another"


def test_a_hundred_thousand_dashes_are_a_text() -> None:
    assert only("-" * 100_000).code == "ASP112"


def test_forty_levels_are_allowed() -> None:
    assert parse("{a: " * 40 + "1" + "}" * 40, "f").problems == ()


def test_big_text() -> None:
    assert line(only("#" * (yamldoc.MAX_BYTES + 1))) == (
        "1:1 ASP113: the file is bigger than 1024 KiB"
        " | a domain file has some kilobytes: make it smaller"
    )


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.text(alphabet=st.sampled_from("ab:-?[]{},&*!|>'\"%@# \n\t0.1~<e"))))
def test_no_text_raises(text: str) -> None:
    check(parse(text, "f"))


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-?[]{},&*!|>'\"%@#\\xuU \n\t0.1~<e")))
def test_no_text_raises_without_libyaml(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", False)
        check(parse(text, "f"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_mutation_of_a_good_file_raises(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(GOOD)))
    length = data.draw(st.integers(0, 6))
    insert = data.draw(st.text(max_size=6))
    check(parse(GOOD[:place] + insert + GOOD[place + length :], "f"))


@settings(max_examples=200, deadline=None)
@given(raw=st.binary())
def test_no_bytes_raise(raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(raw)
    text = yamldoc.read(path)
    if isinstance(text, str):
        check(parse(text, "f"))
    else:
        assert text.position.line <= raw.count(b"\n") + raw.count(b"\r") + 1


def check(document: Document) -> None:
    """What holds of every document: problems or data, and places inside the text."""
    assert document.problems or document.complete
    lines = document.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for problem in document.problems:
        at = problem.position
        assert 1 <= at.line <= len(lines)
        assert 1 <= at.column <= len(lines[at.line - 1]) + 1
        assert problem.message.isprintable()
    walk(document, document.data, ())


def walk(document: Document, node: object, path: tuple[str | int, ...]) -> None:
    assert document.resolve(path) == path
    assert document.position(path).line >= 1
    if isinstance(node, dict):
        for key, value in node.items():
            walk(document, value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            walk(document, value, (*path, index))


def reason(path: Path, **options: Path) -> str:
    problem = yamldoc.read(path, name="f", **options)
    assert isinstance(problem, Problem)
    return line(problem)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "plain").write_text("a: 1\n")
    begins = "1:1 ASP102: cannot be read: "
    assert reason(tmp_path / "none") == begins + "there is no such file"
    assert reason(tmp_path) in {begins + "it is a folder", begins + "it is no ordinary file"}
    assert reason(loop) == begins + "its symbolic links lead in a circle"
    assert reason(loop, inside=tmp_path) == begins + "its symbolic links lead in a circle"
    assert reason(pipe) == begins + "it is no ordinary file"
    assert reason(tmp_path / "plain" / "x") == begins + "a part of its path is no folder"
    assert reason(tmp_path / ("x" * 300)) == begins + "its name is too long"
    assert reason(Path("/dev/zero")) == begins + "it is no ordinary file"
    assert reason(Path("a\0b")).startswith(begins)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(mode=0)
    assert reason(path) == "1:1 ASP102: cannot be read: this user may not read it"


def test_permission_denied_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert reason(tmp_path / "x") == "1:1 ASP102: cannot be read: this user may not read it"


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "domains"
    inside.mkdir()
    (tmp_path / "secret").write_text("password: x\n")
    (inside / "domain.yaml").symlink_to(tmp_path / "secret")
    assert reason(inside / "domain.yaml", inside=inside) == (
        "1:1 ASP102: cannot be read: a symbolic link leads out of the folder"
    )
    assert yamldoc.load(inside / "domain.yaml").data == {"password": "x"}


def test_encodings(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert yamldoc.read(path) == "a: 1\n"
    path.write_bytes("a: 1\n".encode("utf-16"))
    assert reason(path) == "1:1 ASP103: the file is UTF-16 | save it as UTF-8"
    path.write_bytes("a: 1\nb: ä".encode() + b"\xff\n")
    assert reason(path) == "2:5 ASP103: byte 0xff is not UTF-8 | save the file as UTF-8"
    path.write_bytes(b"#" * (yamldoc.MAX_BYTES + 1))
    assert reason(path).startswith("1:1 ASP113: the file is bigger than 1024 KiB")


def test_load_answers_a_document_either_way(tmp_path: Path) -> None:
    missing = yamldoc.load(tmp_path / "none.yaml")
    assert [problem.code for problem in missing.problems] == ["ASP102"]
    assert missing.position(("a", 1)).line == 1
    (tmp_path / "some.yaml").write_text("a: 1\n")
    assert yamldoc.load(tmp_path / "some.yaml").data == {"a": 1}


def test_importing_it_is_cheap() -> None:
    code = (
        "import sys, aspora.yamldoc\n"
        "print([m for m in ('yaml', 'pydantic', 'orjson', 'difflib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
