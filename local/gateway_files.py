"""What `aspora gateway sync` reads of this machine: the teams and keys wanted, the keys' values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aspora.cli.common import counted, domain_paths, find_root
from aspora.errors import UsageError
from aspora.gateways.model import litellm
from aspora.gateways.model.plan import plan
from aspora.gateways.model.reconcile import KEY_FIELDS, TEAM_FIELDS
from aspora.load import load_or_raise, load_stack
from aspora.problems import quoted

Wanted = Mapping[str, list[dict[str, Any]]]
NEEDED = {"teams": ("team_id", *TEAM_FIELDS), "keys": ("key_alias", *KEY_FIELDS)}


def wanted_of(stack: str, desired: Path | None) -> Wanted:
    """Teams and keys as the file has them, else as the domain files want them."""
    if desired is not None:
        return _read(desired)
    root = find_root()
    settings = load_stack(stack, root)
    domains = load_or_raise(domain_paths((), root), settings)
    return litellm.desired(plan(domains, settings))


def _read(file: Path) -> Wanted:
    try:
        read = json.loads(text_of(file))
    except (ValueError, RecursionError):
        raise _unlike(file, "") from None
    if not isinstance(read, dict):
        raise _unlike(file, "")
    return {kind: _records(read.get(kind), kind, file) for kind in NEEDED}


def _records(found: Any, kind: str, file: Path) -> list[dict[str, Any]]:
    if not isinstance(found, list):
        raise _unlike(file, "")
    for number, each in enumerate(found, 1):
        if not isinstance(each, dict):
            raise _unlike(file, f"{kind}: number {number} is no object")
        name, *fields = NEEDED[kind]
        if not isinstance(each.get(name), str):
            raise _unlike(file, f"{kind}: number {number} has no text {name}")
        missing = [field for field in fields if field not in each]
        if missing:
            raise _unlike(file, f"{kind}: {quoted(each[name])} has no {', '.join(missing)}")
    return found


def _unlike(file: Path, what: str) -> UsageError:
    return UsageError(
        f"{file} holds no teams and keys" + (f": {what}" if what else ""),
        hint="it is the file desired.json of the ConfigMap model-gateway-sync",
    )


def text_of(file: Path) -> str:
    """A file's text. Raises UsageError for one that cannot be read."""
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is no UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None


def values_of(folder: Path, keys: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The keys' values; one that is missing stops everything before anything is changed."""
    names = [str(key["key_alias"]) for key in keys]
    for name in names:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise UsageError(f"{quoted(name)} is no name of a key", hint="a file is named as it")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise UsageError(
            f"{folder} has no value for {counted(len(missing), 'key')}: {', '.join(missing[:5])}",
            hint="`aspora bootstrap` makes them; External Secrets brings them here",
        )
    values = {name: text_of(folder / name).strip() for name in names}
    for name, value in values.items():
        if not value.startswith("sk-") or len(value) < 16 or not value.isascii():
            raise UsageError(
                f"the value of key {name} is not one LiteLLM takes",
                hint='it begins with "sk-" and has 16 characters or more',
            )
    return values
