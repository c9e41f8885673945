"""What network-config-analyzer says of the same NetworkPolicies, and where it may differ from us.

It gets one Pod for each of our workloads. Three things it does not know or sees otherwise: pods of
any labels, which are no pods; SandboxTemplates, which become the NetworkPolicies that their
controller makes; and ipBlocks, which count for it outside the cluster alone, as Kubernetes'
documentation would have it, and for us for pods too. Peers by address are left out for both, and
of the platform those workloads only that domains have to do with: the analyser's time grows fast
with the policies, from 9 s of CPU for two domains to minutes for four.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from aspora.isolation.given import Given, Object, ref, space
from aspora.isolation.network import Network
from aspora.isolation.pods import Pods, find_pods
from aspora.isolation.promises import OPEN_TO_AGENTS, PROMETHEUS, PortRange
from aspora.isolation.selectors import selects

SECONDS = 3600.0
ALL = "All connections"
PORTS = {"TCP", "UDP", "SCTP"}
_LINE = re.compile(r"(\S+/p\d+) => (\S+/p\d+) : (.+)")
_PART = re.compile(r"protocols:([A-Z]+(?:, ?[A-Z]+)*)(?:,dst_ports:([\d,\-]+))?")
Connections = dict[tuple[str, str], frozenset[PortRange]]


def pods_of(given: Given) -> list[Pods]:
    """Those that both can speak of: agents, whom they talk with, and others of the same spaces."""
    every = [pods for pods in find_pods(given) if not pods.free]
    near = (*OPEN_TO_AGENTS, PROMETHEUS)
    spaces = {service.namespace for service in near}
    return [
        pods
        for pods in every
        if pods.domain
        or any(service.is_pod(pods.namespace, pods.labels) for service in near)
        or (pods.namespace in spaces and not pods.labels)
    ]


def ours(given: Given) -> Connections:
    """Our own reading, by selectors alone."""
    pods, bare = pods_of(given), without_blocks(given)
    network = Network(bare, pods)
    return {
        (one.id, other.id): joined(ports)
        for source, target, ports, _ in network.pairs()
        for one in source.members
        for other in target.members
        if one is not other
    }


def theirs(given: Given, python: Path, folder: Path) -> Connections:
    """The analyser's reading."""
    pods, given = pods_of(given), without_blocks(given)
    folder.mkdir(parents=True, exist_ok=True)
    items = list(_objects(given, pods))
    (folder / "all.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    )
    command = (str(python), "-I", "-m", "nca.nca_cli", "--connectivity", "-r", str(folder))
    done = subprocess.run(
        (*command, "-o", "txt_no_fw_rules", "--output_endpoints", "pods"),
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=SECONDS,
        check=False,
        env={"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"cluster has {len(pods)} unique endpoints" in done.stdout, done.stdout[:200]
    names = {f"{one.namespace}/p{index}": one.id for index, one in enumerate(pods)}
    found: dict[tuple[str, str], frozenset[PortRange]] = {}
    for line in done.stdout.splitlines():  # one for each protocol of a pair
        if match := _LINE.fullmatch(line.strip()):
            pair = (names[match[1]], names[match[2]])
            found[pair] = joined(found.get(pair, frozenset()) | _ports(match[3]))
    return found


def without_blocks(given: Given) -> Given:
    """The same without peers by address, and without policies that choose none of the pods."""
    every = pods_of(given)

    def counts(obj: Object) -> bool:
        chosen = obj["spec"].get("podSelector")
        return any(one.namespace == space(obj) and selects(chosen, one.labels) for one in every)

    kept = [obj for obj in given.objects if obj["kind"] != "NetworkPolicy" or counts(obj)]
    return replace(given, objects=tuple(_without_blocks(obj) for obj in kept))


def of_domains(given: Given, *names: str) -> Given:
    """The same as if there were these domains alone."""
    others = {place for place, name in given.domains.items() if name not in names}
    kept = [
        obj
        for obj in given.objects
        if space(obj) not in others
        and not (obj["kind"] == "Namespace" and obj["metadata"]["name"] in others)
    ]
    return replace(given, objects=tuple(kept))


def _without_blocks(obj: Object) -> Object:
    if obj["kind"] not in ("NetworkPolicy", "SandboxTemplate"):
        return obj
    copy: dict[str, Any] = deepcopy(dict(obj))
    spec = copy["spec"] if obj["kind"] == "NetworkPolicy" else copy["spec"]["networkPolicy"]
    for kind, side in (("ingress", "from"), ("egress", "to")):
        for rule in list(spec.get(kind) or ()):
            if side in rule:
                rule[side] = [peer for peer in rule[side] if "ipBlock" not in peer]
                if not rule[side]:
                    spec[kind].remove(rule)
    return copy


def _objects(given: Given, pods: list[Pods]) -> Iterator[Mapping[str, Any]]:
    spaces = {one.namespace for one in pods}
    for name, labels in given.namespaces.items():
        if name not in spaces:
            continue
        meta = {"name": name, "labels": dict(labels)}
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
    for index, one in enumerate(pods):
        meta = {"name": f"p{index}", "namespace": one.namespace, "labels": dict(one.labels)}
        spec = {"containers": [{"name": "main", "image": "none"}]}
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
    yield from given.kind("NetworkPolicy")
    for obj in given.kind("SandboxTemplate"):
        spec = obj["spec"]
        picked = {"podSelector": {"matchLabels": dict(spec["podTemplate"]["metadata"]["labels"])}}
        yield {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": f"of-{ref(obj).rpartition('/')[2]}", "namespace": space(obj)},
            "spec": picked | {"policyTypes": ["Ingress", "Egress"]} | spec["networkPolicy"],
        }


def _ports(text: str) -> frozenset[PortRange]:
    if text == ALL:
        return frozenset((name, 1, 65535) for name in PORTS)
    found = set()
    for part in _PART.finditer(text):
        for protocol in set(re.split(", ?", part[1])) & PORTS:
            for listed in (part[2] or "1-65535").split(","):
                first, _, last = listed.partition("-")
                found.add((protocol, int(first), int(last or first)))
    assert found, text
    return frozenset(found)


def joined(ports: frozenset[PortRange]) -> frozenset[PortRange]:
    """Ranges that touch as one: two ways to write the same ports."""
    found: list[PortRange] = []
    for protocol, first, last in sorted(ports):
        if found and found[-1][0] == protocol and first <= found[-1][2] + 1:
            found[-1] = (protocol, found[-1][1], max(last, found[-1][2]))
        else:
            found.append((protocol, first, last))
    return frozenset(found)
