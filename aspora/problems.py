"""A problem in a file a person wrote: where it stands, what is wrong and the way out.

Codes: ASP1xx the YAML text, ASP2xx the schema, ASP3xx rules across files, ASP4xx stack settings.
ASP5xx, rules on rendered objects, stand in `aspora/checks/rules/`, one a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from aspora.yamldoc import Document

Path = tuple[str | int, ...]

MAX_PER_FILE = 200
"""A file that is wrong throughout says so once, and a report stays readable."""

MAX_SHOWN = 80
"""Characters of a value that a message repeats."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file; line and column count from 1, in characters."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `path` is the field, as in `agents[1].skills[0].budget`."""

    code: str
    path: str
    message: str
    position: Position
    hint: str = ""

    def __lt__(self, other: Problem) -> bool:
        return self.sort_key < other.sort_key

    @property
    def sort_key(self) -> tuple[Position, str, str, str, str]:
        """By place, then code; the rest makes the order total."""
        return self.position, self.code, self.path, self.message, self.hint


@dataclass(frozen=True, slots=True)
class CodeInfo:
    """What a code stands for: a title, why it matters, an example of the way out, where to read."""

    code: str
    title: str
    why: str
    example: str = ""
    link: str = ""


def _registry(*entries: CodeInfo) -> Mapping[str, CodeInfo]:
    table = {entry.code: entry for entry in entries}
    if len(table) != len(entries):
        raise ValueError("a problem code is registered twice")
    return MappingProxyType(table)


# fmt: off
CODES = _registry(
    CodeInfo("ASP101", "Not valid YAML", "Nothing after this place can be read.", 'motto: "now: or never"'),  # noqa: E501
    CodeInfo("ASP102", "File cannot be read", "A file that is skipped would look as if it held nothing."),  # noqa: E501
    CodeInfo("ASP103", "Not UTF-8", "Other encodings are read differently on each machine."),
    CodeInfo("ASP104", "Forbidden character", "What reviewers cannot see must not change what runs.", r'text: "a\u00a0b"'),  # noqa: E501
    CodeInfo("ASP105", "Tab in the indentation", "YAML does not say how wide a tab is.", "indent with two spaces"),  # noqa: E501
    CodeInfo("ASP106", "Key written twice", "Readers keep one of the two, and not the same one."),
    CodeInfo("ASP107", "Key is no text", "Numbers and booleans as keys get lost on the way to JSON.", '"8080": open'),  # noqa: E501
    CodeInfo("ASP108", "Value that YAML readers disagree about", "YAML 1.1 and 1.2 read on, 010 and 12:30 differently.", 'answer: "on"'),  # noqa: E501
    CodeInfo("ASP109", "Anchor, alias or merge key", "A value stands where it counts, so that a review sees it.", "write the value out"),  # noqa: E501
    CodeInfo("ASP110", "Tag", "A tag changes the type of a value, and may run code in other readers.", 'port: "80"'),  # noqa: E501
    CodeInfo("ASP111", "More than one document", "Each file holds one thing, found by its path.", "put each document into a file of its own"),  # noqa: E501
    CodeInfo("ASP112", "Not a mapping", "A file is read as fields with names.", "name: wealth"),
    CodeInfo("ASP113", "Too big or too deep", "Files from a pull request must not exhaust the machine that checks them."),  # noqa: E501
    CodeInfo("ASP114", "Number loses digits", "Readers keep about 15 digits of a number.", 'account: "123456789012345678"'),  # noqa: E501
    CodeInfo("ASP201", "Unknown key", "A misspelt key would be ignored, and its default used.", "memory: 2Gi"),  # noqa: E501
    CodeInfo("ASP202", "Missing key", "There is no safe default for it."),
    CodeInfo("ASP203", "Wrong type", "Text, numbers, lists and mappings are not guessed from one another.", 'version: "1.37"'),  # noqa: E501
    CodeInfo("ASP204", "Wrong value", "The value is outside what the field allows."),
    CodeInfo("ASP301", "Name used twice", "Two things of one name would be one object in the cluster."),  # noqa: E501
    CodeInfo("ASP302", "Unknown agent", "A domain's own skill takes the settings and identity of one of its agents."),  # noqa: E501
    CodeInfo("ASP303", "Agent without skills", "It would have an identity and run nothing."),
    CodeInfo("ASP304", "No image or model", "A skill needs to know what runs and which model it calls.", "image: aspora/ecm-field-agent:v1.0.5"),  # noqa: E501
    CodeInfo("ASP305", "Settings of two kinds of workload", "A skill is a schedule, a pool of sessions or a service.", "take one of them out"),  # noqa: E501
    CodeInfo("ASP306", "Loosened without a reason", "Reviewers and auditors read why the node's kernel is shared.", "reason: needs a driver that gVisor does not know"),  # noqa: E501
    CodeInfo("ASP307", "Model without a price", "A budget cannot hold for a model nobody knows the price of.", "model: claude-haiku-4-5"),  # noqa: E501
    CodeInfo("ASP308", "Budgets do not nest", "An execution fits its month, the skills together fit their domain."),  # noqa: E501
    CodeInfo("ASP309", "Quota too small", "At the worst moment pods would be refused: all services at their most during a rollout, all schedules, all sandboxes."),  # noqa: E501
    CodeInfo("ASP310", "Outside the domain's limits", "The API server would refuse the pod (LimitRange), or the limit is below the request."),  # noqa: E501
    CodeInfo("ASP311", "Scaling upside down", "The fewest pods cannot be more than the most.", "scaling: {min: 2, max: 4}"),  # noqa: E501
    CodeInfo("ASP312", "Call declared on one side only", "An agent reaches another's skill only where both teams have agreed."),  # noqa: E501
    CodeInfo("ASP313", "Image not pinned by digest", "A tag can be moved; prod runs the bytes that were tested.", "image: aspora/ecm-field-agent:v1.0.5@sha256:…"),  # noqa: E501
    CodeInfo("ASP314", "Reserved name", "The platform itself goes by that name."),
    CodeInfo("ASP315", "Folder and domain differ", "CODEOWNERS and reports go by the folder."),
    CodeInfo("ASP316", "Image from elsewhere", "The admission policy lets pods run images of the stack's own prefixes alone.", "image: aspora/ecm-field-agent:v1.0.5"),  # noqa: E501
    CodeInfo("ASP317", "Unknown tool server", "The tool gateway calls the MCP servers of the stack's settings, and no other address.", "tools: [{server: tickets, tools: [list_tickets]}]"),  # noqa: E501
    CodeInfo("ASP318", "Egress around a gateway", "Models have budgets and tools have lists; a host of theirs in `egress` would have neither.", "take it out of `egress`"),  # noqa: E501
    CodeInfo("ASP351", "More than was agreed to", "What costs the neighbours something is reviewed by the platform team, too.", "propose it in domains/approvals.yaml"),  # noqa: E501
    CodeInfo("ASP352", "Approval that nothing needs", "Somebody would use it later, and nobody would review that.", "take it out"),  # noqa: E501
    CodeInfo("ASP401", "Stack file without settings", "A stack's settings stand under `config:`.", "config:"),  # noqa: E501
    CodeInfo("ASP402", "No AWS side", "A stack other than local stands on AWS, and its settings say how.", "aspora:aws: {bucketPrefix: aspora-staging, …}"),  # noqa: E501
    CodeInfo("ASP403", "Zone of another region", "AWS has no such zone in the stack's region.", "zones: [us-east-1a, us-east-1b, us-east-1c]"),  # noqa: E501
    CodeInfo("ASP404", "Not one range for each zone", "Each kind of subnet stands in every zone.", "nodeCidrs: [10.20.0.0/18, 10.20.64.0/18, 10.20.128.0/18]"),  # noqa: E501
    CodeInfo("ASP405", "Subnet outside the VPC", "AWS refuses it halfway through an `up`."),
    CodeInfo("ASP406", "Subnets overlap", "AWS refuses the second one halfway through an `up`."),
    CodeInfo("ASP407", "Pin not looked up", "Prod takes no version, checksum or account that nobody has verified."),  # noqa: E501
    CodeInfo("ASP408", "gVisor without a checksum", "A node runs what it fetches as root: it checks it first.", "gvisorRuntime: {release: release-20260921.0, sha256: …}"),  # noqa: E501
    CodeInfo("ASP409", "Environment of another stack", "What prod refuses is refused by its environment: a copied `staging` would let it pass.", "aspora:environment: prod"),  # noqa: E501
    CodeInfo("ASP410", "Twice in a list", "Each stands for one resource, and no two have one name.", "endpoints: [s3, sts]"),  # noqa: E501
    CodeInfo("ASP411", "Nobody may call from outside", "Without an issuer no token is valid; the gateway lets nobody in on trust.", "outsideCallers: {issuer: https://login.example.com, …}"),  # noqa: E501
    CodeInfo("ASP412", "Tool servers that clash", "The gateways tell servers apart by name, and addresses by host."),  # noqa: E501
    CodeInfo("ASP413", "Range that AWS does not take", "AWS refuses it halfway through an `up`.", "vpcCidr: 10.20.0.0/16"),  # noqa: E501
)
# fmt: on
"""Every code there is. A new one is one line here."""


def code_info(code: str) -> CodeInfo:
    """What a code stands for; a code nobody registered stands for itself."""
    return CODES.get(code) or CodeInfo(code, code, "")


def format_path(path: Iterable[str | int]) -> str:
    """`("agents", 1, "name")` as `agents[1].name`; a key with a dot or a space is quoted."""
    parts: list[str] = []
    for item in path:
        if isinstance(item, int):
            parts.append(f"[{item}]")
        elif item and not any(c in item for c in '.[] "'):
            parts.append(f".{item}" if parts else item)
        else:
            parts.append(f"[{quoted(item)}]")
    return "".join(parts)


def printable(text: str) -> str:
    r"""The text in one line: what does not print is written as `\n`, `\x1b`, `\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii")
        for c in text
    )


def shown(text: str) -> str:
    """The text, cut where it would fill the screen."""
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def quoted(text: str) -> str:
    """The text between double quotes, cut and printable."""
    return f'"{printable(shown(text))}"'


def found(value: object) -> str:
    """What a value is, in words: `the number 5`, `a list`, `"x"`, `nothing`."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else quoted(str(value))


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that was probably meant, or None.

    Case, hyphens, underscores and blanks do not count: `monthly-usd` means `monthlyUSD`. The
    order of the candidates does not matter.
    """
    wanted = _plain(word)
    if not wanted or len(wanted) > MAX_SHOWN:
        return None  # difflib is quadratic, and files come from strangers
    table: dict[str, str] = {}
    for candidate in sorted(candidates):
        table.setdefault(_plain(candidate), candidate)
    if wanted in table:
        return table[wanted]
    from difflib import get_close_matches

    close = get_close_matches(wanted, table, n=1, cutoff=0.6)
    return table[close[0]] if close else None


def _plain(word: str) -> str:
    return "".join(c for c in word.casefold() if c not in "-_ ")


def schema_problems(
    error: ValidationError,
    document: Document,
    allowed_keys: Callable[[Path], Sequence[str]] = lambda _: (),
    prefix: Path = (),
) -> list[Problem]:
    """What pydantic refused, as problems with positions, sorted.

    `prefix` is where in the document the validated data stands. `allowed_keys` answers which keys
    the mapping at a path below it may hold; it feeds "did you mean".
    A value whose text is a problem already (`document.problems`) is not reported again.
    """
    reported = {problem.position for problem in document.problems}
    problems: dict[tuple[Position, str, str], Problem] = {}
    details = [
        detail
        for detail in error.errors(include_url=False)
        if not _is_echo(detail, document, (*prefix, *detail["loc"]))
    ]
    for detail in details[:MAX_PER_FILE]:
        problem = _schema_problem(detail, document, allowed_keys, prefix)
        if problem.position not in reported:
            problems.setdefault((problem.position, problem.code, problem.message), problem)
    found_problems = sorted(problems.values())
    if len(details) > MAX_PER_FILE:
        rest = f"{len(details) - MAX_PER_FILE} more problems in this file are not listed"
        found_problems.append(Problem("ASP113", "", rest, found_problems[-1].position))
    return found_problems


def _is_echo(detail: ErrorDetails, document: Document, loc: Path) -> bool:
    """Pydantic calls a list too short when its items are wrong, which is said already."""
    if detail["type"] != "too_short":
        return False
    value = document.value(document.resolve(loc))
    return isinstance(value, list | dict) and len(value) >= detail["ctx"]["min_length"]


def _schema_problem(
    detail: ErrorDetails,
    document: Document,
    allowed_keys: Callable[[Path], Sequence[str]],
    prefix: Path,
) -> Problem:
    kind, loc = detail["type"], (*prefix, *detail["loc"])
    if kind == "extra_forbidden":
        path = document.resolve(loc)
        return _unknown_key(path, document, allowed_keys(path[len(prefix) : -1]))
    if kind == "missing":
        path = document.resolve(loc[:-1])
        message = f"missing key {quoted(str(loc[-1]))}"
        position = document.position(path, key=True)
        return Problem("ASP202", format_path((*path, loc[-1])), message, position)
    path = document.resolve(loc)
    at_key = loc[-1:] == ("[key]",) or isinstance(document.value(path), dict)
    position = document.position(path, key=at_key)
    from aspora.problem_words import code_and_words

    code, message, hint = code_and_words(detail, document.source(path))
    return Problem(code, format_path(path), message, position, hint)


def _unknown_key(path: Path, document: Document, allowed: Sequence[str]) -> Problem:
    key = str(path[-1]) if path else ""
    near = nearest(key, allowed)
    message = f"unknown key {quoted(key)}" + (f"; did you mean {quoted(near)}?" if near else "")
    hint = "" if near or not allowed else f"known keys here: {', '.join(sorted(allowed))}"
    position = document.position(path, key=True)
    return Problem("ASP201", format_path(path), message, position, hint)
