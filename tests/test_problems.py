"""Problems: their order, pydantic's errors in plain words, and the four formats."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from aspora import problem_formats
from aspora.problems import (
    CODES,
    MAX_PER_FILE,
    Path,
    Position,
    Problem,
    code_info,
    format_path,
    found,
    nearest,
    printable,
    schema_problems,
)
from aspora.yamldoc import parse


def problem(file: str = "f", message: str = "m", hint: str = "", path: str = "a.b") -> Problem:
    return Problem("ASP204", path, message, Position(file, 3, 7), hint)


def test_problems_sort_by_file_line_column_code() -> None:
    places = [("b", 1, 1, "ASP101"), ("a", 10, 1, "ASP101"), ("a", 9, 2, "ASP101")]
    places += [("a", 9, 1, "ASP202"), ("a", 9, 1, "ASP201")]
    problems = [Problem(code, "", "", Position(f, line, col)) for f, line, col, code in places]
    ordered = [
        (p.position.file, p.position.line, p.position.column, p.code) for p in sorted(problems)
    ]
    assert ordered == sorted(places)


def test_every_code_is_explained() -> None:
    assert list(CODES) == sorted(CODES)
    for code, info in CODES.items():
        assert info.code == code
        assert info.title
        assert info.why.endswith(".")
    assert code_info("ASP999").title == "ASP999"


def test_paths() -> None:
    path = ("agents", 1, "skills", 0, "budget", "monthlyUSD")
    assert format_path(path) == "agents[1].skills[0].budget.monthlyUSD"
    assert format_path(("config", "aspora:environment")) == "config.aspora:environment"
    assert format_path(("labels", "app.kubernetes.io/name", "", "x")) == (
        'labels["app.kubernetes.io/name"][""].x'
    )
    assert format_path(()) == ""


KEYS = ["memory", "monthlyUSD", "costCenter", "name", "max", "min"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("memmory", "memory"),
        ("MEMORY", "memory"),
        ("monthly-usd", "monthlyUSD"),
        ("cost_center", "costCenter"),
        ("costCentre", "costCenter"),
        ("nam", "name"),
        ("zzz", None),
        ("", None),
        ("m" * 10_000, None),
    ],
)
def test_nearest(word: str, meant: str | None) -> None:
    assert nearest(word, KEYS) == meant
    assert nearest(word, KEYS[::-1]) == meant


def test_nearest_does_not_depend_on_the_order() -> None:
    assert nearest("bat", ["cat", "hat", "rat"]) == nearest("bat", ["rat", "hat", "cat"])


@given(st.text())
def test_printable_text_stays_in_its_line(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(text).encode() or not text


def test_found() -> None:
    values: tuple[object, ...] = (None, True, 5, 1.5, {}, [], "a\nb", "x" * 100)
    assert [found(value) for value in values] == [
        "nothing",
        "the boolean true",
        "the number 5",
        "the number 1.5",
        "a mapping",
        "a list",
        '"a\\nb"',
        f'"{"x" * 77}..."',
    ]


class Budget(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    usd: Annotated[float, Field(alias="monthlyUSD", gt=0, le=100)] = 1


class Skill(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Annotated[str, Field(pattern="^[a-z]+$", max_length=5)]
    kind: Literal["service", "cron"] = "service"
    pods: int = 1
    on: bool = True
    budget: Budget = Budget()

    @field_validator("pods")
    @classmethod
    def _few(cls, value: int) -> int:
        if value > 9:
            raise ValueError(f"{value} is too many; for example 3")
        return value


class Domain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    skills: Annotated[tuple[Skill, ...], Field(min_length=1, max_length=3)] = ()
    labels: dict[Annotated[str, Field(max_length=3)], str] = {}
    version: str | None = None


ALLOWED: dict[int, list[str]] = {
    0: ["name", "skills", "labels", "version"],
    2: ["name", "kind", "pods", "on", "budget"],
    3: ["monthlyUSD"],
}


def refused(text: str) -> list[str]:
    document = parse(text, "f")
    with pytest.raises(ValidationError) as error:
        Domain.model_validate(document.data)
    problems = schema_problems(error.value, document, lambda path: ALLOWED[len(path)])
    return [line(p) for p in problems]


def line(p: Problem) -> str:
    hint = f" | {p.hint}" if p.hint else ""
    return f"{p.position.line}:{p.position.column} {p.code} {p.path}: {p.message}{hint}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("labels: {}", ['1:1 ASP202 name: missing key "name"']),
        (
            "name: a\nskils: []",
            ['2:1 ASP201 skils: unknown key "skils"; did you mean "skills"?'],
        ),
        (
            "name: a\nzzz: []",
            [
                (
                    '2:1 ASP201 zzz: unknown key "zzz"'
                    " | known keys here: labels, name, skills, version"
                )
            ],
        ),
        (
            "name: a\nskills:\n  - name: b\n  - {}",
            ['4:5 ASP202 skills[1].name: missing key "name"'],
        ),
        (
            "name: a\nskills:\n  - name: b\n  - name: c\n    budget: {monthly-usd: 3}",
            [
                (
                    '5:14 ASP201 skills[1].budget.monthly-usd: unknown key "monthly-usd";'
                    ' did you mean "monthlyUSD"?'
                )
            ],
        ),
        ("name: 5", ['1:7 ASP203 name: expected text, found the number 5 | quote it: "5"']),
        ("name: 1.20", ['1:7 ASP203 name: expected text, found the number 1.2 | quote it: "1.20"']),
        (
            "name: true",
            ['1:7 ASP203 name: expected text, found the boolean true | quote it: "true"'],
        ),
        ("name:", ["1:6 ASP203 name: expected text, found nothing"]),
        ("name: [a]", ["1:7 ASP203 name: expected text, found a list"]),
        (
            "name: a\nskills: x",
            ['2:9 ASP203 skills: expected a list, found "x" | a list of one is written [x]'],
        ),
        ("name: a\nskills: []", ["2:9 ASP204 skills: expected at least 1 item, found 0"]),
        (
            "name: a\nskills: [{name: b}, {name: b}, {name: b}, {name: b}]",
            ["2:9 ASP204 skills: expected at most 3 items, found 4"],
        ),
        ("name: a\nskills: [b]", ['2:10 ASP203 skills[0]: expected a mapping, found "b"']),
        (
            "name: a\nskills: [{name: b, pods: x}]",
            ['2:26 ASP203 skills[0].pods: expected a whole number, found "x"'],
        ),
        (
            "name: a\nskills: [{name: b, pods: 1.5}]",
            ["2:26 ASP203 skills[0].pods: expected a whole number, found the number 1.5"],
        ),
        (
            "name: a\nskills: [{name: b, pods: 10}]",
            ["2:26 ASP204 skills[0].pods: 10 is too many; for example 3"],
        ),
        (
            'name: a\nskills: [{name: b, "on": 7}]',
            ["2:26 ASP203 skills[0].on: expected true or false, found the number 7"],
        ),
        (
            "name: a\nskills: [{name: b, kind: crown}]",
            [
                (
                    '2:26 ASP204 skills[0].kind: expected "service" or "cron", found "crown";'
                    ' did you mean "cron"?'
                )
            ],
        ),
        (
            "name: a\nskills: [{name: b, budget: {monthlyUSD: 0}}]",
            ["2:41 ASP204 skills[0].budget.monthlyUSD: the number 0 is not more than 0.0"],
        ),
        (
            "name: a\nskills: [{name: b, budget: {monthlyUSD: 101}}]",
            ["2:41 ASP204 skills[0].budget.monthlyUSD: the number 101 is not at most 100.0"],
        ),
        (
            "name: a\nskills: [{name: B}]",
            ['2:17 ASP204 skills[0].name: "B" does not match the pattern ^[a-z]+$'],
        ),
        (
            "name: a\nskills: [{name: bbbbbb}]",
            ["2:17 ASP204 skills[0].name: expected at most 5 characters"],
        ),
        (
            "name: a\nlabels: {abc: x, abcd: x}",
            ["2:18 ASP204 labels.abcd: expected at most 3 characters"],
        ),
    ],
)
def test_schema_problems(text: str, expected: list[str]) -> None:
    assert refused(text) == expected


def test_all_problems_at_once_and_in_order() -> None:
    assert [p.split(" ")[0] for p in refused("skills:\n- {name: 1, x: 2}\n- 3\nfoo: 4\n")] == [
        "1:1",
        "2:10",
        "2:13",
        "3:3",
        "4:1",
    ]


def test_a_value_with_a_problem_in_its_text_is_not_reported_twice() -> None:
    assert refused("name: a\nskills: [{name: b, pods: 010}]\nfoo: 1") == [
        '3:1 ASP201 foo: unknown key "foo" | known keys here: labels, name, skills, version'
    ]


def test_a_prefix_is_where_the_validated_data_stands() -> None:
    document = parse("config:\n  nam: a\n", "f")
    seen: list[Path] = []

    def allowed(path: Path) -> list[str]:
        seen.append(path)
        return ALLOWED[0]

    with pytest.raises(ValidationError) as error:
        Domain.model_validate(document.data["config"])
    problems = schema_problems(error.value, document, allowed, ("config",))
    assert [line(p) for p in problems] == [
        '1:1 ASP202 config.name: missing key "name"',
        '2:3 ASP201 config.nam: unknown key "nam"; did you mean "name"?',
    ]
    assert seen == [()]


def test_a_file_that_is_wrong_throughout_is_cut() -> None:
    lines = refused("name: a\n" + "".join(f"x{i}: 1\n" for i in range(MAX_PER_FILE + 10)))
    assert len(lines) == MAX_PER_FILE + 1
    assert "10 more problems in this file are not listed" in lines[-1]


HOSTILE = problem(
    file="domains/a,b:c%.yaml",
    message='found "x"\n::add-mask::x \x1b[31m%0A::error::y ##[stop-commands]z',
    hint="one\ntwo, three",
)


def test_text() -> None:
    assert problem_formats.render([problem(message="wrong", hint="so")], "text") == (
        "f:3:7: ASP204 a.b: wrong\n    so\n"
    )
    assert problem_formats.format_text([problem(path="")]) == "f:3:7: ASP204: m\n"
    assert problem_formats.format_text([HOSTILE]) == (
        'domains/a,b:c%.yaml:3:7: ASP204 a.b: found "x"\\n::add-mask::x \\x1b[31m%0A::error::y'
        " ##\\x5bstop-commands]z\n    one\n    two, three\n"
    )


def test_colour_only_when_asked_for() -> None:
    coloured = problem_formats.render([problem()], "text", colour=True)
    assert coloured == "\x1b[1mf:3:7:\x1b[0m \x1b[31mASP204\x1b[0m a.b: m\n"


def test_json() -> None:
    assert json.loads(problem_formats.render([HOSTILE], "json")) == {
        "version": 1,
        "problems": [
            {
                "code": "ASP204",
                "file": "domains/a,b:c%.yaml",
                "line": 3,
                "column": 7,
                "path": "a.b",
                "message": 'found "x"\\n::add-mask::x \\x1b[31m%0A::error::y ##[stop-commands]z',
                "hint": "one\ntwo, three",
            }
        ],
    }
    assert json.loads(problem_formats.render([], "json")) == {"version": 1, "problems": []}


def test_github() -> None:
    assert problem_formats.render([HOSTILE], "github") == (
        "::error file=domains/a%2Cb%3Ac%25.yaml,line=3,col=7,title=ASP204 Wrong value"
        '::a.b: found "x"\\n::add-mask::x \\x1b[31m%250A::error::y ##[stop-commands]z'
        "%0Aone%0Atwo, three\n"
    )


@given(st.text(), st.text(), st.text(), st.text())
def test_no_text_leaves_its_line(file: str, path: str, message: str, hint: str) -> None:
    hostile = [problem(file, message, hint, path)]
    github = problem_formats.render(hostile, "github")
    assert github.startswith("::error file=")
    assert github.count("\n") == 1
    text = problem_formats.render(hostile, "text").split("\n")
    assert all(one.startswith("    ") for one in text[1:-1])
    for style in ("json", "sarif"):
        json.loads(problem_formats.render(hostile, style))


def test_sarif() -> None:
    data: dict[str, Any] = json.loads(problem_formats.render([HOSTILE, problem("/x y")], "sarif"))
    run = data["runs"][0]
    assert data["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["ASP204"]
    assert run["tool"]["driver"]["rules"][0]["help"]["text"] == CODES["ASP204"].why
    uris = [
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for result in run["results"]
    ]
    assert uris == ["file:///x%20y", "domains/a%2Cb%3Ac%25.yaml"]
    region = run["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 3, "startColumn": 7}
    assert run["results"][0]["ruleIndex"] == 0


@pytest.mark.parametrize("style", ["text", "json", "github", "sarif"])
def test_bytes_do_not_depend_on_the_order(style: str) -> None:
    problems = [problem(message=m) for m in "cab"]
    assert problem_formats.render(problems, style) == problem_formats.render(problems[::-1], style)
