"""What differs between the plan and what LiteLLM has, and the calls that mend it.

Pure: it is given both sides and answers with steps. Steps come in an order that never leaves a key
without its cap: teams before keys, and what must go is blocked before anything else. A key whose
value has changed keeps what it has spent: a new value is no new budget, not even when the run that
changes it is cut short.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from aspora.gateways.model.litellm import MANAGED_BY, Json

Verb = Literal["create", "update", "replace", "delete", "block", "report"]
TEAM_FIELDS = ("team_alias", "max_budget", "budget_duration", "models", "blocked", "metadata")
RETIRED = ".replaced"
KEY_FIELDS = (
    *("team_id", "max_budget", "budget_duration", "models", "rpm_limit"),
    *("max_parallel_requests", "router_settings", "blocked", "metadata"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `differs` names the fields, for the report; values of keys never show."""

    verb: Verb
    kind: Literal["team", "key"]
    name: str
    differs: tuple[str, ...] = ()
    calls: tuple[tuple[str, Json], ...] = ()

    @property
    def shown(self) -> str:
        """`update key wealth-advisor: max_budget, models`."""
        fields = f": {', '.join(self.differs)}" if self.differs else ""
        return f"{self.verb} {self.kind} {self.name}{fields}"


def token(value: str) -> str:
    """What LiteLLM stores of a key."""
    return sha256(value.encode()).hexdigest()


def steps(
    wanted: Mapping[str, Sequence[Json]],
    found: Mapping[str, Sequence[Json]],
    values: Mapping[str, str],
) -> tuple[Step, ...]:
    """Everything to do; empty when nothing differs. `values` are the keys' own, by alias."""
    return (
        *_leftovers(wanted, found),
        *_teams(wanted["teams"], found["teams"]),
        *_keys(wanted["keys"], found["keys"], values),
    )


def _leftovers(
    wanted: Mapping[str, Sequence[Json]], found: Mapping[str, Sequence[Json]]
) -> Iterator[Step]:
    """What no file names: ours is blocked, and keeps its spending for the books; what somebody
    made by hand is reported, and a person decides."""
    known = {key["key_alias"] for key in wanted["keys"]}
    for key in found["keys"]:
        name = key.get("key_alias") or key["token"][:8]
        if name not in known and not key.get("blocked"):
            yield _stop("key", name, key, "/key/block", {"key": key["token"]})
    teams = {team["team_id"] for team in wanted["teams"]}
    for team in found["teams"]:
        name = team["team_id"]
        if name not in teams and not team.get("blocked"):
            yield _stop("team", name, team, "/team/block", {"team_id": name})


def _stop(kind: Literal["team", "key"], name: str, there: Json, path: str, body: Json) -> Step:
    if (there.get("metadata") or {}).get("managed_by") == MANAGED_BY:
        return Step("block", kind, name, calls=((path, body),))
    return Step("report", kind, name, ("nobody's: no file names it",))


def _teams(wanted: Sequence[Json], found: Sequence[Json]) -> Iterator[Step]:
    there = {team["team_id"]: team for team in found}
    for team in wanted:
        name = team["team_id"]
        if name not in there:
            yield Step("create", "team", name, calls=(("/team/new", team),))
            continue
        fields = differs(team, there[name], TEAM_FIELDS)
        if fields:
            body = {"team_id": name, **{field: team[field] for field in fields}}
            yield Step("update", "team", name, fields, (("/team/update", body),))


def retired(name: str) -> str:
    """What a key is called from when it makes room for its successor until it is deleted."""
    return f"{name}{RETIRED}"


def in_use(alias: str) -> str:
    """The name of the key that an alias is or was of: LiteLLM's books keep the last one."""
    return alias.removesuffix(RETIRED)


def _keys(
    wanted: Sequence[Json], found: Sequence[Json], values: Mapping[str, str]
) -> Iterator[Step]:
    there = {key["key_alias"]: key for key in found if key.get("key_alias")}
    for key in wanted:
        name = key["key_alias"]
        old, left = there.get(name), there.get(retired(name))
        if old is not None and left is not None:
            yield Step("delete", "key", retired(name), calls=(_delete(left),))
        if old is None and left is None:
            yield Step("create", "key", name, calls=(_new(key, values[name]),))
        elif old is None or old["token"] != token(values[name]):
            yield Step("replace", "key", name, ("value",), _replace(key, old, left, values[name]))
        else:
            fields = differs(key, old, KEY_FIELDS)
            if fields:
                body = {"key": old["token"], **{field: key[field] for field in fields}}
                yield Step("update", "key", name, fields, (("/key/update", body),))


def _replace(
    key: Json, old: Json | None, left: Json | None, value: str
) -> tuple[tuple[str, Json], ...]:
    """The old value is refused first and deleted last: a run cut short in between leaves what was
    spent where the next one finds it (`left`)."""
    name = key["key_alias"]
    if old is None:
        last = left or {}
        return (_new(key, value, spent=last.get("spend") or 0.0), _delete(last))
    aside = {"key": old["token"], "key_alias": retired(name), "blocked": True}
    again = _new(key, value, spent=old.get("spend") or 0.0)
    return (("/key/update", aside), again, _delete(old))


def _delete(key: Json) -> tuple[str, Json]:
    return "/key/delete", {"keys": [key["token"]]}


def _new(key: Json, value: str, spent: float = 0.0) -> tuple[str, Json]:
    return "/key/generate", {**key, "key": value, "spend": spent, "key_type": "llm_api"}


def differs(wanted: Json, found: Json, fields: Sequence[str]) -> tuple[str, ...]:
    """The fields in which two states differ; what LiteLLM adds of its own is no difference."""
    return tuple(field for field in fields if not _same(wanted[field], found.get(field)))


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict):
        known = found if isinstance(found, dict) else {}
        return all(_same(value, known.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return list(wanted) == list(found or [])
    if isinstance(wanted, bool):
        return wanted == bool(found)
    return bool(wanted == found)
