"""Problems as text, JSON, GitHub annotations or SARIF; the same problems give the same bytes.

File names and messages repeat what strangers wrote, so each format escapes what would steer a
terminal or GitHub's runner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aspora.problems import CodeInfo, Problem, code_info, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Infos = Callable[[str], CodeInfo]

JSON_VERSION = 1
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_BOLD, _RED, _DIM, _OFF = "\x1b[1m", "\x1b[31m", "\x1b[2m", "\x1b[0m"


def render(
    problems: Iterable[Problem], style: str, *, colour: bool = False, info: Infos = code_info
) -> str:
    """The problems in one of STYLES, sorted; colour is for text alone.

    `info` says what a code stands for, where the codes are not the platform's own.
    """
    ordered = sorted(problems)
    if style in ("github", "sarif"):
        return (format_github if style == "github" else format_sarif)(ordered, info)
    return format_text(ordered, colour=colour) if style == "text" else STYLES[style](ordered)


def format_text(problems: Sequence[Problem], *, colour: bool = False) -> str:
    """`file:line:col: CODE path: message`, and a hint below it."""
    bold, red, dim, off = (_BOLD, _RED, _DIM, _OFF) if colour else ("", "", "", "")
    lines: list[str] = []
    for problem in problems:
        at = problem.position
        place = printable(f"{at.file}:{at.line}:{at.column}")
        path = f" {printable(problem.path)}" if problem.path else ""
        message = printable(problem.message)
        lines.append(f"{bold}{place}:{off} {red}{problem.code}{off}{path}: {message}\n")
        lines += [f"    {dim}{line}{off}\n" for line in _hint_lines(problem)]
    # GitHub's runner takes "##[" for a command wherever it stands in a line.
    return "".join(lines).replace("##[", r"##\x5b")


def format_json(problems: Sequence[Problem]) -> str:
    """One document; `version` rises when a field changes its meaning."""
    entries = [
        {
            "code": problem.code,
            "file": printable(problem.position.file),
            "line": problem.position.line,
            "column": problem.position.column,
            "path": printable(problem.path),
            "message": printable(problem.message),
            "hint": "\n".join(_hint_lines(problem)),
        }
        for problem in problems
    ]
    return _dumps({"version": JSON_VERSION, "problems": entries})


def format_github(problems: Sequence[Problem], info: Infos = code_info) -> str:
    """Workflow commands that put each problem on its line of a pull request."""
    return "".join(_github_line(problem, info(problem.code)) for problem in problems)


def format_sarif(problems: Sequence[Problem], info: Infos = code_info) -> str:
    """SARIF 2.1.0, as code scanning reads it."""
    codes = sorted({problem.code for problem in problems})
    driver = {"name": "aspora", "rules": [_sarif_rule(info(code)) for code in codes]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(problem, codes.index(problem.code)) for problem in problems],
    }
    return _dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]})


STYLES: Mapping[str, Callable[[Sequence[Problem]], str]] = {
    "text": format_text,
    "json": format_json,
    "github": format_github,
    "sarif": format_sarif,
}


def _hint_lines(problem: Problem) -> list[str]:
    return [printable(line) for line in problem.hint.splitlines() if line.strip()]


def _dumps(data: Any) -> str:
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    text: str = orjson.dumps(data, option=options).decode()
    return text


def _github_line(problem: Problem, info: CodeInfo) -> str:
    at = problem.position
    title = f"{problem.code} {info.title}"
    properties = {"file": at.file, "line": str(at.line), "col": str(at.column), "title": title}
    pairs = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    path = f"{problem.path}: " if problem.path else ""
    message = "\n".join([printable(f"{path}{problem.message}"), *_hint_lines(problem)])
    return f"::error {pairs}::{_data(message)}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(printable(text)).replace(":", "%3A").replace(",", "%2C")


def _sarif_rule(info: CodeInfo) -> dict[str, Any]:
    """`helpUri` is for addresses alone; a page of this repository is named in the text."""
    address = info.link.startswith("https://")
    example = f"\n\nFor example: {info.example}" if info.example else ""
    page = f"\n\nRead on: {info.link}" if info.link and not address else ""
    rule = {
        "id": info.code,
        "shortDescription": {"text": info.title},
        "fullDescription": {"text": info.why or info.title},
        "help": {"text": f"{info.why or info.title}{example}{page}"},
        "defaultConfiguration": {"level": "error"},
    }
    return rule | {"helpUri": info.link} if address else rule


def _sarif_result(problem: Problem, rule: int) -> dict[str, Any]:
    at = problem.position
    path = f"{problem.path}: " if problem.path else ""
    text = "\n".join([printable(f"{path}{problem.message}"), *_hint_lines(problem)])
    location = {
        "artifactLocation": {"uri": _uri(at.file)},
        "region": {"startLine": at.line, "startColumn": at.column},
    }
    return {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": "error",
        "message": {"text": text},
        "locations": [{"physicalLocation": location}],
    }


def _uri(file: str) -> str:
    """A relative reference where the file has a relative name; unsafe characters are escaped."""
    from urllib.parse import quote

    scheme = "file://" if file.startswith("/") else ""
    return scheme + quote(printable(file).removeprefix("./"), safe="/")
