"""Other tools on the same objects: what they need to print all of them, once.

`aspora diff` reads two repositories, checks both, renders and compares them; a peer that were to
show a change would have to print both sides and compare them too. Each gets the objects in the form
that is the least work for it: plain manifests, without a template in them.

Peers are looked for on PATH and in the folder that ASPORA_PEERS names (bin/, and cdk8s/ with its
node_modules); what is not there is left out, and said. None of them is part of this repository.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from aspora.output import to_yaml

Object = dict[str, Any]

APP = """\
const { App, Chart, ApiObject, YamlOutputType } = require('cdk8s');
const { readFileSync } = require('fs');
const { join } = require('path');
const at = (name) => join(__dirname, name);
const app = new App({ outdir: at('dist'), yamlOutputType: YamlOutputType.FILE_PER_CHART });
const groups = JSON.parse(readFileSync(at('objects.json'), 'utf8'));
for (const [name, objects] of Object.entries(groups)) {
  const chart = new Chart(app, name);
  objects.forEach((object, index) => new ApiObject(chart, `o${index}`, object));
}
app.synth();
"""


@dataclass(frozen=True)
class Peer:
    """A tool that is there, and how it prints all objects."""

    name: str
    program: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


def prepare(folder: Path, groups: Mapping[str, Sequence[Object]]) -> tuple[list[Peer], list[str]]:
    """The peers that are here, their inputs below `folder`; and why the others are left out."""
    found, missing = [], []
    for name, make in (("helm", _helm), ("kustomize", _kustomize), ("cdk8s", _cdk8s)):
        peer = make(folder / name, groups)
        if isinstance(peer, Peer):
            found.append(peer)
        else:
            missing.append(f"{name}: left out, {peer}")
    return found, missing


def _program(name: str) -> str | None:
    own = os.environ.get("ASPORA_PEERS", "")
    return shutil.which(name, path=os.pathsep.join([f"{own}/bin", os.environ.get("PATH", "")]))


def _helm(folder: Path, groups: Mapping[str, Sequence[Object]]) -> Peer | str:
    program = _program("helm")
    if program is None:
        return "it is neither on PATH nor in ASPORA_PEERS"
    (folder / "templates").mkdir(parents=True)
    chart = "apiVersion: v2\nname: platform\nversion: 0.1.0\n"
    (folder / "Chart.yaml").write_text(chart, encoding="utf-8")
    for name, objects in groups.items():
        # Texts with braces of their own (dashboards, alerts) are no templates of the chart's.
        data = to_yaml(objects).replace(b"{{", b'{{"{{"}}')
        (folder / f"templates/{name}.yaml").write_bytes(data)
    return Peer("helm template", program, ("template", "x", str(folder)), {"HOME": str(folder)})


def _kustomize(folder: Path, groups: Mapping[str, Sequence[Object]]) -> Peer | str:
    program = _program("kustomize")
    if program is None:
        return "it is neither on PATH nor in ASPORA_PEERS"
    folder.mkdir(parents=True)
    for name, objects in groups.items():
        (folder / f"{name}.yaml").write_bytes(to_yaml(objects))
    names = "".join(f"- {name}.yaml\n" for name in groups)
    (folder / "kustomization.yaml").write_text(f"resources:\n{names}", encoding="utf-8")
    return Peer("kustomize build", program, ("build", str(folder)), {})


def _cdk8s(folder: Path, groups: Mapping[str, Sequence[Object]]) -> Peer | str:
    node, modules = _program("node"), Path(os.environ.get("ASPORA_PEERS", ""), "cdk8s/node_modules")
    if node is None:
        return "node is not on PATH"
    if not (modules / "cdk8s").is_dir():
        return "ASPORA_PEERS has no cdk8s/node_modules/cdk8s"
    folder.mkdir(parents=True)
    (folder / "app.js").write_text(APP, encoding="utf-8")
    (folder / "objects.json").write_bytes(orjson.dumps(groups))
    environment = {"NODE_PATH": str(modules.resolve())}
    return Peer("cdk8s synth", node, (str(folder / "app.js"),), environment)
