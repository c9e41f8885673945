"""The JSON Schema of `aspora isolation --format json`."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from aspora.isolation.model import Proof


def proof_schema() -> dict[str, Any]:
    """Of the dataclasses, with the verdict that the JSON has besides."""
    schema = TypeAdapter(Proof).json_schema(mode="serialization")
    properties = {"ok": {"title": "Ok", "type": "boolean"}, **schema["properties"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Proof of isolation",
        "properties": properties,
        "required": list(properties),
    }
