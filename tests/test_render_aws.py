"""What a domain's objects have on AWS that they have not on a laptop, and a stack's size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aspora.render import Object, Rendered, render
from tests.core import MINIMAL, domains, of, platform, settings
from tests.test_nodes import STACKS, found, pods

WITH_DATABASE = MINIMAL.replace("    skills:", "    database: true\n    skills:") + (
    "  - name: clerk\n"
    "    image: aspora/pets-clerk:v1.0.0\n"
    "    model: claude-haiku-4-5\n"
    "    skills:\n"
    "      - {name: file, description: Files what the vet wrote.}\n"
)
ENDPOINTS = {
    "DATABASE_HOST": "host",
    "DATABASE_PORT": "port",
    "DATABASE_NAME": "name",
    "CACHE_HOST": "cacheHost",
    "CACHE_PORT": "cachePort",
}


def secret_env(pod: Object) -> dict[str, tuple[str, str]]:
    (container,) = pod["containers"]
    return {
        entry["name"]: (reference["name"], reference["key"])
        for entry in container["env"]
        for reference in [entry["valueFrom"]["secretKeyRef"]]
    }


def test_only_workloads_with_a_database_are_told_where_it_is(tmp_path: Path) -> None:
    rendered = render(domains(tmp_path, WITH_DATABASE), settings("staging"))
    secret = of(rendered, "ExternalSecret", "database", "aspora-pets")["spec"]
    assert secret["secretStoreRef"] == {"kind": "SecretStore", "name": "pets"}
    assert secret["target"]["name"] == "database"
    assert [(entry["secretKey"], entry["remoteRef"]) for entry in secret["data"]] == [
        (key, {"key": "aspora/staging/pets/database", "property": key})
        for key in ENDPOINTS.values()
    ]
    told = dict(pods(rendered))
    assert secret_env(told["pets-vet-advise"]) == {
        "MODEL_GATEWAY_KEY": ("pets-vet-advise-key", "api-key"),
        **{variable: ("database", key) for variable, key in ENDPOINTS.items()},
    }
    assert secret_env(told["pets-clerk-file"]).keys() == {"MODEL_GATEWAY_KEY"}


@pytest.mark.parametrize("stack", STACKS)
def test_endpoints_are_read_where_there_are_databases_and_asked_for(stack: str) -> None:
    rendered = platform(stack)
    readers = {domain.name: _database(domain) for domain in rendered.domains}
    asking = [name for name, read in readers.items() if read]
    assert asking == ([] if stack == "local" else ["fraud", "wealth"])
    for domain in rendered.domains:
        told = {
            skill.name
            for skill in domain.skills
            for name, pod in pods(skill.objects)
            if {key for secret, key in secret_env(pod).values() if secret == "database"}
        }
        assert bool(told) == (domain.name in asking)
        if told:
            policy = of(rendered, "NetworkPolicy", "allow-databases", f"aspora-{domain.name}")
            (expression,) = policy["spec"]["podSelector"]["matchExpressions"]
            assert set(expression["values"]) == told, "told where it is, or let there"


def _database(domain: Any) -> list[Object]:
    return [
        entry
        for obj in domain.guardrails
        if obj["kind"] == "ExternalSecret" and obj["metadata"]["name"] == "database"
        for entry in obj["spec"]["data"]
    ]


@pytest.mark.parametrize("stack", STACKS)
def test_a_workload_knows_its_bucket_and_its_prefix(stack: str) -> None:
    for domain in platform(stack).domains:
        for skill in domain.skills:
            (data,) = (obj["data"] for obj in skill.objects if obj["kind"] == "ConfigMap")
            if stack == "local":
                assert not {"DATA_BUCKET", "DATA_PREFIX"} & data.keys()
            else:
                assert data["DATA_BUCKET"] == f"aspora-{stack}-artifacts"
                assert data["DATA_PREFIX"] == f"{domain.name}/{skill.name}/"
                users = {"DATABASE_USER", "CACHE_USER"} & data.keys()
                told = [
                    env
                    for _, pod in pods(skill.objects)
                    if "DATABASE_HOST" in (env := secret_env(pod))
                ]
                assert bool(users) == bool(told)
                if users:
                    assert data["DATABASE_USER"] == domain.name
                    assert data["CACHE_USER"] == f"aspora-{stack}-cache-{domain.name}"


# --- A small stack -------------------------------------------------------------------------------


def sizes(rendered: Rendered) -> dict[str, list[Any]]:
    return {
        "replicas": [spec["replicas"] for spec in found(rendered, "Rollout").values()],
        "fewest": [spec["minReplicaCount"] for spec in found(rendered, "ScaledObject").values()],
        "most": [spec["maxReplicaCount"] for spec in found(rendered, "ScaledObject").values()],
        "warm": [spec["replicas"] for spec in found(rendered, "SandboxWarmPool").values()],
    }


def test_minimal_replicas_start_with_one_of_each_and_grow_as_far() -> None:
    full = sizes(platform("staging", minimal_replicas=False))
    small = sizes(platform("staging", minimal_replicas=True))
    assert max(full["replicas"]) > 1
    assert max(full["warm"]) > 1
    for name in ("replicas", "fewest", "warm"):
        assert set(small[name]) == {1}, name
    assert small["most"] == full["most"]


def test_a_cold_pool_stays_cold(tmp_path: Path) -> None:
    text = MINIMAL + "        sessions: {warmPool: 0}\n"
    rendered = render(domains(tmp_path, text), settings("staging", minimal_replicas=True))
    assert sizes(rendered)["warm"] == [0]


def test_minimal_replicas_change_nothing_else() -> None:
    def without_sizes(rendered: Rendered) -> list[Object]:
        ignored = {"replicas", "minReplicaCount"}
        return [
            obj | {"spec": {k: v for k, v in obj["spec"].items() if k not in ignored}}
            if "spec" in obj
            else obj
            for obj in rendered
        ]

    assert without_sizes(platform("staging", minimal_replicas=True)) == without_sizes(
        platform("staging", minimal_replicas=False)
    )


def test_a_single_pod_holds_no_node_up() -> None:
    """`minAvailable` would keep the one pod, and its node, for ever."""
    budgets = found(platform("staging", minimal_replicas=True), "PodDisruptionBudget")
    assert budgets
    for spec in budgets.values():
        assert spec["maxUnavailable"] == 1
        assert "minAvailable" not in spec
