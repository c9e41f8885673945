"""All rules, routes and dashboards of a repository, read and rendered: what `bench` times."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import orjson

from aspora.load import load, load_stack
from aspora.observe.grafana import config_maps
from aspora.observe.routing import routing
from aspora.observe.rules import rules


def main() -> None:
    """One object a line."""
    root = Path(os.environ["ASPORA_ROOT"])
    settings = load_stack("staging", root)
    found = load([root / "domains"], settings).domains
    for part in (rules, routing, config_maps):
        for obj in part(found, settings):
            sys.stdout.buffer.write(orjson.dumps(obj) + b"\n")


if __name__ == "__main__":
    main()
