"""An estimate and a difference of two as JSON, with their JSON Schema.

Amounts are text, so that nobody's floats round them; null is not known, with the reason beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aspora.estimate import Estimate
from aspora.estimate.amounts import KINDS, MEASURES, Money, Part, Sums, summed
from aspora.estimate.assumptions import RULES
from aspora.estimate.delta import CostDelta, DeltaRow
from aspora.estimate.figures import Figure, figures

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def as_json(found: Estimate) -> str:
    """The estimate, indented, ending in a newline."""
    return json.dumps(document(found), indent=2, ensure_ascii=False) + "\n"


def document(found: Estimate) -> dict[str, Any]:
    """The estimate as plain data, of the schema `estimate_schema`."""
    return {
        "stack": found.stack,
        "region": found.region,
        "date": found.today.isoformat(),
        "unit": "USD a month",
        "total": _sums(found.total),
        "domains": [{"domain": name, "total": _sums(_of(found, name))} for name in found.domains],
        "skills": [
            {
                "domain": skill.domain,
                "skill": skill.skill,
                "kind": skill.kind,
                "total": _sums(skill.sums),
                "parts": [_part(part) for part in skill.parts],
            }
            for skill in found.skills
        ],
        "platform": None
        if found.shared is None
        else {
            "lines": [{"what": what, "usd": _plain(usd)} for what, usd in found.shared],
            "undivided": [_part(part) for part in found.undivided],
        },
        "rules": dict(RULES),
        "prices": {
            "aws": {"asOf": found.prices.aws.as_of, "sha256": found.prices.aws.digest},
            "models": {"asOf": found.prices.models.as_of, "sha256": found.prices.models.digest},
            "figures": [_figure(figure) for figure in figures(found)],
        },
    }


def _of(found: Estimate, domain: str) -> Sums:
    return summed(part for skill in found.of(domain) for part in skill.parts)


def delta_document(found: CostDelta) -> dict[str, Any]:
    """The difference as plain data, of the schema `delta_schema`: changed rows alone."""
    return {
        "unit": "USD a month",
        "total": {measure: money(found.change(measure)) for measure in MEASURES},
        "domains": [
            {"domain": name} | {measure: money(found.change(measure, name)) for measure in MEASURES}
            for name in found.domains
        ],
        "skills": [_row(row) for row in found.changed],
    }


def _row(row: DeltaRow) -> dict[str, Any]:
    return {
        "domain": row.domain,
        "skill": row.skill,
        "before": None if row.before is None else [_part(part) for part in row.before],
        "after": None if row.after is None else [_part(part) for part in row.after],
        "change": {measure: money(row.change(measure)) for measure in MEASURES},
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "kind": part.kind,
        **{measure: _plain(part.usd(measure)) for measure in MEASURES},
        "basis": part.basis,
        "missing": part.missing or None,
        "remark": part.remark or None,
        "prices": list(part.keys),
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "key": figure.key,
        "amount": figure.amount,
        "source": figure.source,
        "asOf": figure.as_of,
        "days": figure.days,
    }


def _sums(sums: Sums) -> dict[str, Any]:
    return {measure: money(sums.money(measure)) for measure in MEASURES}


def money(found: Money) -> dict[str, Any]:
    """A sum as plain data."""
    return {"usd": _plain(found.usd), "missing": found.missing}


def _plain(usd: Decimal | None) -> str | None:
    return None if usd is None else f"{usd:.2f}"


_TEXT = {"type": "string"}
_USD = {"type": "string", "pattern": r"^-?\d+\.\d{2}$", "description": "USD a month."}
_USD_OR_NULL = {**_USD, "type": ["string", "null"], "description": "USD a month; null: not known."}
_DEFINITIONS: Mapping[str, Any] = {
    "money": {
        "type": "object",
        "description": "A sum; `missing` counts the parts that are not in it.",
        "properties": {"usd": _USD, "missing": {"type": "integer", "minimum": 0}},
        "required": ["usd", "missing"],
        "additionalProperties": False,
    },
    "sums": {
        "type": "object",
        "properties": {measure: {"$ref": "#/$defs/money"} for measure in MEASURES},
        "required": list(MEASURES),
        "additionalProperties": False,
    },
    "part": {
        "type": "object",
        "description": "One kind of cost. `high` alone is a cap; `missing` says why an amount is"
        " null, `prices` names the figures it rests on.",
        "properties": {
            "kind": {"enum": list(KINDS)},
            **dict.fromkeys(MEASURES, _USD_OR_NULL),
            "basis": _TEXT,
            "missing": {"type": ["string", "null"]},
            "remark": {"type": ["string", "null"]},
            "prices": {"type": "array", "items": _TEXT},
        },
        "required": ["kind", *MEASURES, "basis", "missing", "remark", "prices"],
        "additionalProperties": False,
    },
    "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}},
}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(**properties: Any) -> dict[str, Any]:
    return {"type": "array", "items": _object(**properties)}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def estimate_schema() -> dict[str, Any]:
    """JSON Schema of `aspora cost --format json`."""
    snapshot = _object(asOf=_TEXT, sha256=_TEXT)
    platform = _object(lines=_list(what=_TEXT, usd=_USD), undivided=_ref("parts"))
    head = {"$schema": DRAFT, "$id": "aspora/cost", "$defs": dict(_DEFINITIONS)}
    return head | _object(
        stack=_TEXT,
        region=_TEXT,
        date={"type": "string", "format": "date"},
        unit={"const": "USD a month"},
        total=_ref("sums"),
        domains=_list(domain=_TEXT, total=_ref("sums")),
        skills=_list(
            domain=_TEXT, skill=_TEXT, kind=_TEXT, total=_ref("sums"), parts=_ref("parts")
        ),
        platform={"anyOf": [platform, {"type": "null"}]},
        rules={"type": "object", "additionalProperties": _TEXT},
        prices=_object(
            aws=snapshot,
            models=snapshot,
            figures=_list(
                key=_TEXT,
                amount=_TEXT,
                source=_TEXT,
                asOf={"type": ["string", "null"]},
                days={"type": ["integer", "null"]},
            ),
        ),
    )


def delta_schema() -> dict[str, Any]:
    """JSON Schema of `aspora estimate-cost --format json`, and of the difference alone."""
    side = {"anyOf": [_ref("parts"), {"type": "null"}]}
    head = {"$schema": DRAFT, "$id": "aspora/cost-delta", "$defs": dict(_DEFINITIONS)}
    schema = head | _object(
        unit={"const": "USD a month"},
        total=_ref("sums"),
        domains=_list(domain=_TEXT, **{measure: _ref("money") for measure in MEASURES}),
        skills=_list(
            domain=_TEXT,
            skill=_TEXT,
            before=side,
            after=side,
            change=_ref("sums"),
        ),
    )
    flag = {"type": "boolean"}
    schema["properties"]["verdict"] = _object(
        measure={"enum": ["expected", "high"]},
        counted=_ref("money"),
        threshold=_USD,
        exceeds=flag,
        approved=flag,
        passes=flag,
    )
    return schema
