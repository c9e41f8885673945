"""Label selectors as Kubernetes reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Selector = Mapping[str, Any]


def selects(selector: Selector | None, labels: Mapping[str, str]) -> bool:
    """Whether `selector` picks something with these labels; {} picks all, None nothing."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(one, labels) for one in selector.get("matchExpressions") or ())


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """An operator nobody knows counts as held: what is not understood is open."""
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return True


def is_everything(selector: Selector | None) -> bool:
    """Whether it picks whatever there is, with whatever labels."""
    return selector is not None and not any(selector.values())


def examples(selector: Selector) -> list[dict[str, str]]:
    """Labels of pods that the selector picks: one for each value that it lists."""
    made = [dict(selector.get("matchLabels") or {})]
    for one in selector.get("matchExpressions") or ():
        if one["operator"] == "In":
            made = [{**found, one["key"]: value} for found in made for value in one["values"]]
        elif one["operator"] == "Exists":
            made = [{**found, one["key"]: "any"} for found in made]
    return [found for found in made if found and selects(selector, found)]
