"""The model gateway: the plan, LiteLLM's words for it, and the pods."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aspora import names
from aspora.gateways.model import litellm
from aspora.gateways.model.litellm import deployment
from aspora.gateways.model.plan import Model, Team, plan, routes, unusable
from aspora.gateways.program import digest
from aspora.models import Domain
from aspora.named_secrets import named_secrets
from aspora.prices import ModelPrice, Tier
from aspora.render import render
from aspora.render.services import service_objects
from aspora.resolve import workloads
from aspora.stack_rules import unverified
from tests.core import platform, repository, settings
from tests.gateways_lab import kinds, one, two

STACKS = ["local", "staging", "prod"]


def teams(stack: str = "staging") -> tuple[Team, ...]:
    return plan(repository(), settings(stack))


def config(stack: str = "staging") -> dict[str, Any]:
    text = one(platform(stack).services, "ConfigMap", "model-gateway")["data"]["config.yaml"]
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def test_a_team_is_a_domain_and_a_key_a_skill() -> None:
    for domain, team in zip(repository(), teams(), strict=True):
        assert (team.name, team.budget_usd) == (domain.name, domain.budget.monthly_usd)
        assert [key.skill for key in team.keys] == [work.id for work in workloads(domain)]


def test_a_keys_models_are_its_files_in_their_order() -> None:
    for domain, team in zip(repository(), teams(), strict=True):
        for work, key in zip(workloads(domain), team.keys, strict=True):
            assert key.models == (work.model, *work.fallback_models)
            assert key.fallbacks == work.fallback_models
            assert key.budget_usd == work.skill.budget.monthly_usd
            assert key.period == team.period == "month"


def test_caps_nest_skill_within_domain_within_the_providers_limit() -> None:
    for team in teams():
        assert sum(key.budget_usd for key in team.keys) <= team.budget_usd
        assert team.provider_limit_usd == team.budget_usd * Decimal("1.1")


def test_a_limit_that_is_written_is_taken(tmp_path: Path) -> None:
    cats, dogs = two(tmp_path)
    budget = cats.budget.model_copy(update={"provider_limit_usd": Decimal(130)})
    (team, _) = plan([cats.model_copy(update={"budget": budget}), dogs], settings())
    assert team.budget_usd == Decimal(100)
    assert team.provider_limit_usd == Decimal(130)


def test_a_key_has_room_for_its_pods_at_their_most(tmp_path: Path) -> None:
    (cats, _) = plan(two(tmp_path), settings())
    assert {(key.calls_per_minute, key.parallel_calls) for key in cats.keys} == {(240, 40)}


def test_what_one_call_can_cost_is_bounded() -> None:
    (sonnet,) = (m for team in teams()[-1:] for m in team.models if m.name == "claude-sonnet-4-5")
    price = sonnet.price
    assert price.max_input_tokens
    assert price.max_output_tokens
    # A prompt of 200,000 tokens, all written to the cache, is dearer than a short one: 7.50 and
    # 22.50 USD a million tokens instead of 3.75 and 15. 0.2 * 7.50 + 0.064 * 22.50 = 2.94.
    assert (price.max_input_tokens, price.max_output_tokens) == (200_000, 64_000)
    assert sonnet.max_request_usd == Decimal("2.94")


def test_a_long_prompt_is_reserved_at_its_own_price() -> None:
    price = ModelPrice(
        1, 5, 0.1, 1.25, 300_000, 10_000, tiers=(Tier(100_000, 2, 7.5), Tier(200_000, 3, 9, 0.3, 4))
    )
    info = deployment(teams()[0], Model("m", "r", price))["model_info"]
    assert [step["range"] for step in info["tiered_pricing"]] == [
        [0, 99_999],
        [99_999, 199_999],
        [199_999, 300_000],
    ]
    assert [step["input_cost_per_token"] for step in info["tiered_pricing"]] == [1e-6, 2e-6, 3e-6]
    assert [step["output_cost_per_token"] for step in info["tiered_pricing"]] == [
        5e-6,
        7.5e-6,
        9e-6,
    ]
    assert "cache_read_input_token_cost" not in info["tiered_pricing"][1]
    assert info["tiered_pricing"][2]["cache_creation_input_token_cost"] == 4e-6
    assert info["input_cost_per_token"] == 1e-6
    # 0.3 * 4 + 0.01 * 9
    assert Model("m", "r", price).max_request_usd == Decimal("1.29")


def test_a_tier_that_no_prompt_can_reach_costs_nothing() -> None:
    price = ModelPrice(1, 5, None, None, 100_000, 10_000, tiers=(Tier(200_000, 9, 9),))
    assert Model("m", "r", price).max_request_usd == Decimal("0.15")


def test_a_model_of_one_price_has_no_tiers() -> None:
    info = deployment(teams()[0], Model("m", "r", ModelPrice(1, 5, None, None, 10, 10)))
    assert "tiered_pricing" not in info["model_info"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("claude-haiku-4-5", None),
        ("gpt-99", "has no price"),
        ("gpt-5", "has no route at OpenRouter"),
        (
            "text-embedding-3-small",
            "has no known length, so that nobody knows what one call can cost",
        ),
    ],
)
def test_a_model_that_no_budget_can_hold_is_not_offered(name: str, why: str | None) -> None:
    assert unusable(name) == why


def test_every_route_has_a_price() -> None:
    assert [name for name in routes() if unusable(name)] == []


# LiteLLM


@pytest.mark.parametrize("stack", STACKS)
def test_every_deployment_carries_its_price_and_its_domains_key(stack: str) -> None:
    listed = config(stack)["model_list"]
    assert len(listed) == sum(len(team.models) for team in teams(stack))
    for entry in listed:
        team, _, model = entry["model_name"].partition("/")
        (known,) = (m for t in teams(stack) if t.name == team for m in t.models if m.name == model)
        info = entry["model_info"]
        for field, price in (
            ("input_cost_per_token", known.price.input),
            ("output_cost_per_token", known.price.output),
            ("cache_read_input_token_cost", known.price.cache_read),
            ("cache_creation_input_token_cost", known.price.cache_write),
        ):
            assert price
            assert Decimal(str(info[field])) * 1_000_000 == Decimal(str(price))
        assert info["max_output_tokens"] == known.price.max_output_tokens
        parameters = entry["litellm_params"]
        assert parameters["model"] == f"openrouter/{known.route}"
        assert parameters["api_key"] == f"os.environ/{litellm.key_variable(team)}"
        assert parameters["api_base"] == "http://openrouter.ai/api/v1"


def test_budgets_fail_closed() -> None:
    general = config()["general_settings"]
    assert general["fail_closed_budget_enforcement"] is True
    assert general["allow_requests_on_db_unavailable"] is False
    assert general["store_model_in_db"] is False
    assert config()["litellm_settings"]["cache_params"] == {
        "type": "redis",
        "supported_call_types": [],
    }


def test_nothing_is_tried_again_behind_the_budgets_back() -> None:
    found = config()
    assert found["router_settings"]["num_retries"] == 0
    assert found["litellm_settings"]["num_retries"] == 0
    assert "fallbacks" not in found["router_settings"]


def test_a_call_without_a_limit_gets_what_is_reserved_for_it() -> None:
    env = {
        entry["name"]: entry.get("value")
        for entry in container("prod", "model-gateway")["env"]
        if "value" in entry
    }
    for entry in config("prod")["model_list"]:
        assert (
            str(entry["litellm_params"]["max_tokens"])
            == (env["DEFAULT_MAX_OUTPUT_TOKENS_FALLBACK"])
        )


def test_no_secret_and_no_personal_data_is_in_the_file() -> None:
    text = json.dumps(config("prod"))
    assert "sk-" not in text
    assert config("prod")["litellm_settings"]["turn_off_message_logging"] is True


def test_a_keys_fallbacks_are_its_own(tmp_path: Path) -> None:
    cats, dogs = plan(two(tmp_path), settings())
    state = litellm.key_state(cats.keys[0])
    assert state["router_settings"] == {
        "fallbacks": [{"cats/claude-sonnet-4-5": ["cats/claude-haiku-4-5"]}]
    }
    assert state["models"] == ["cats/claude-sonnet-4-5", "cats/claude-haiku-4-5"]
    assert litellm.key_state(dogs.keys[0])["router_settings"] == {"fallbacks": []}


# Pods


def container(stack: str, name: str) -> dict[str, Any]:
    deployment = one(platform(stack).services, "Deployment", name)
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize("stack", STACKS)
def test_every_secret_that_is_read_is_one_that_somebody_makes(stack: str) -> None:
    known = {secret.name for secret in named_secrets(repository(), settings(stack))}
    read = {
        entry["remoteRef"]["key"]
        for secret in kinds(platform(stack).services, "ExternalSecret")
        for entry in secret["spec"]["data"]
    }
    assert read
    assert read <= known


@pytest.mark.parametrize("stack", STACKS)
def test_every_variable_of_a_secret_is_in_that_secret(stack: str) -> None:
    (own,) = (
        secret
        for secret in kinds(platform(stack).services, "ExternalSecret")
        if secret["metadata"]["name"] == "model-gateway"
    )
    there = {entry["secretKey"] for entry in own["spec"]["data"]}
    for name in ("model-gateway", "model-gateway-counters"):
        for entry in container(stack, name)["env"]:
            if "valueFrom" in entry:
                assert entry["valueFrom"]["secretKeyRef"]["name"] == "model-gateway"
                assert entry["valueFrom"]["secretKeyRef"]["key"] in there
    wanted = {entry["litellm_params"]["api_key"] for entry in config(stack)["model_list"]}
    assert {f"os.environ/{name}" for name in there} >= wanted


def test_keys_are_mounted_by_the_job_alone() -> None:
    users = [
        obj["metadata"]["name"]
        for obj in platform("prod").services
        if obj["kind"] in ("Deployment", "CronJob", "Job") and "model-gateway-keys" in str(obj)
    ]
    assert [name.removesuffix(f"-{plan_digest('prod')}") for name in users] == [
        "model-gateway-sync",
        "model-gateway-sync",
    ]


def plan_digest(stack: str) -> str:
    """What the Job of this plan is called by."""
    config_map = one(platform(stack).services, "ConfigMap", "model-gateway-sync")
    return digest(config_map["data"])


def test_a_change_of_the_plan_makes_another_job(tmp_path: Path) -> None:
    cats, dogs = two(tmp_path)
    budget = cats.budget.model_copy(update={"monthly_usd": Decimal(120)})

    def job(*domains: Domain) -> str:
        (found,) = kinds(render(domains, settings()).services, "Job")
        return str(found["metadata"]["name"])

    assert job(cats, dogs) == job(dogs, cats)
    assert job(cats.model_copy(update={"budget": budget}), dogs) != job(cats, dogs)


def test_the_job_has_the_plan_and_a_file_for_every_key() -> None:
    wanted = json.loads(
        one(platform("prod"), "ConfigMap", "model-gateway-sync")["data"]["desired.json"]
    )
    assert wanted == litellm.desired(plan(repository(), settings("prod")))
    keys = one(platform("prod"), "ExternalSecret", "model-gateway-keys")["spec"]["data"]
    assert {entry["secretKey"] for entry in keys} == {key["key_alias"] for key in wanted["keys"]}


@pytest.mark.parametrize(("stack", "replicas"), [("staging", 1), ("prod", 2)])
def test_prod_survives_the_loss_of_a_pod(stack: str, replicas: int) -> None:
    for name in ("model-gateway", "tool-gateway"):
        spec = one(platform(stack), "Deployment", name)["spec"]
        assert spec["replicas"] == replicas
        assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
        assert one(platform(stack), "PodDisruptionBudget", name)["spec"]["maxUnavailable"] == 1


def test_configuration_of_a_thousand_skills_fits_into_a_config_map() -> None:
    many = [
        domain.model_copy(update={"name": f"{domain.name}{number}"})
        for number in range(70)
        for domain in repository()
    ]
    assert sum(len(workloads(domain)) for domain in many) > 1000
    for config_map in kinds(service_objects(many, settings("prod")), "ConfigMap"):
        assert len(json.dumps(config_map["data"]).encode()) < 1024 * 1024 * 3 // 4


def test_pods_may_do_nothing_but_their_work() -> None:
    for obj in platform("prod").services:
        if obj["kind"] not in ("Deployment", "CronJob", "Job"):
            continue
        if obj["metadata"]["namespace"] != names.PLATFORM_NAMESPACE:
            continue
        spec = obj["spec"].get("jobTemplate", obj)["spec"]
        pod = spec["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        for one_container in pod["containers"]:
            security = one_container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert one_container["resources"]["limits"]


def test_prod_refuses_images_and_routes_that_nobody_looked_up() -> None:
    said = [finding.message for finding in unverified(settings("prod"))]
    for name in ("agentgateway", "model-gateway", "valkey", "aspora"):
        assert any(f"the image of {name} " in text for text in said)
    assert "the models' names at OpenRouter are not verified" in said
    assert unverified(settings("staging")) == ()


def test_a_price_that_changes_restarts_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mark() -> str:
        deployment = one(render(two(tmp_path), settings()), "Deployment", "model-gateway")
        annotations = deployment["spec"]["template"]["metadata"]["annotations"]
        return str(annotations["aspora.io/config-hash"])

    before = mark()
    monkeypatch.setattr(litellm, "per_token", lambda price: price / 500_000)
    assert mark() != before
