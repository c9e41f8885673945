"""Random valid edits of domain files: what people do to them, by a seed that can be repeated.

A platform is the plain data of its domain files by name. Each edit changes a copy; one that the
validation refuses is thrown away and another is drawn, so that what is left could be merged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import yaml

from aspora.load import Loaded, load
from aspora.stack import StackSettings

Data = dict[str, Any]
Platform = dict[str, Data]
Edit = Callable[[Random, Platform], str | None]
"""Changes the platform in place and says what it did; None where it has nothing to change."""

MODELS = ("claude-haiku-4-5", "claude-sonnet-4-5", "claude-haiku-5-5")
TOOLS = {
    "tickets": ("list_tickets", "get_ticket", "update_ticket"),
    "knowledge-base": ("search_articles", "get_article"),
    "payments": ("get_transaction",),
}
NAMES = ("amber", "basil", "cedar", "dahlia", "elm", "fern", "ginger", "hazel", "iris", "juniper")
# On a leap day alone: no Job starts while a test looks.
SCHEDULES = ("0 0 29 2 *", "30 1 29 2 *", "15 4 29 2 1-5")
MAX_DOMAINS = 4
MAX_SKILLS = 4
ATTEMPTS = 200


def first(settings: StackSettings, folder: Path) -> Platform:
    """Where a series begins: two small domains, one of which calls the other."""
    seed = Random(0)
    platform = {name: _domain(seed, name) for name in ("amber-bank", "basil-bank")}
    assert not check(platform, settings, folder).problems
    return platform


def edited(
    seed: int, platform: Platform, settings: StackSettings, folder: Path
) -> tuple[Platform, str]:
    """The platform after one to three edits that hold, and what they were."""
    random = Random(seed)
    for _ in range(ATTEMPTS):
        new = deepcopy(platform)
        said = [random.choice(EDITS)(random, new) for _ in range(random.randint(1, 3))]
        done = [what for what in said if what]
        if done and new != platform and not check(new, settings, folder).problems:
            return new, "; ".join(done)
    raise AssertionError(f"seed {seed}: no edit of {ATTEMPTS} holds")


def write(platform: Platform, root: Path) -> None:
    """The domain files below `root`/domains; others that were there go."""
    domains = root / "domains"
    for path in domains.glob("*/domain.yaml"):
        if path.parent.name not in platform:
            path.unlink()
            path.parent.rmdir()
    for name, data in platform.items():
        path = domains / name / "domain.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")


def check(platform: Platform, settings: StackSettings, folder: Path) -> Loaded:
    """What validation says of it."""
    if not platform:
        raise AssertionError("a platform has a domain at least")
    write(platform, folder)
    return load([folder / "domains"], settings)


# -- what files consist of ---------------------------------------------------------------------


def _domain(random: Random, name: str) -> Data:
    return {
        "name": name,
        "owner": {"team": f"{name}-team", "costCenter": name},
        "quota": {"cpu": 64, "memory": "128Gi", "storage": "100Gi", "pods": 200},
        "budget": {"monthlyUSD": 5000},
        "agents": [_agent(random, name, agent) for agent in random.sample(NAMES, 2)],
    }


def _agent(random: Random, domain: str, name: str) -> Data:
    return {
        "name": name,
        "image": f"aspora/{domain}-{name}:v1.0.{random.randint(0, 9)}",
        "model": random.choice(MODELS),
        "skills": [_skill(random, skill) for skill in random.sample(NAMES, random.randint(1, 2))],
    }


def _skill(random: Random, name: str) -> Data:
    skill: Data = {"name": name, "description": f"Does what {name} does."}
    kind = random.choice(("service", "service", "cron", "sessions"))
    if kind == "cron":
        skill["schedule"] = random.choice(SCHEDULES)
    elif kind == "sessions":
        skill["sessions"] = {"warmPool": random.randint(1, 2), "maxSessions": 3}
        if random.random() < 0.5:
            skill["sessions"]["storage"] = "5Gi"
    else:
        skill["executionsPerDay"] = random.randint(1, 500)
    return skill


def _agents(platform: Platform) -> Iterator[tuple[Data, Data]]:
    for domain in platform.values():
        for agent in domain["agents"]:
            yield domain, agent


def _skills(platform: Platform) -> list[tuple[Data, Data, Data]]:
    return [(d, a, s) for d, a in _agents(platform) for s in a["skills"]]


def _any_domain(random: Random, platform: Platform) -> Data:
    return random.choice(list(platform.values()))


# -- edits -------------------------------------------------------------------------------------


def _skill_field(random: Random, platform: Platform) -> str | None:
    _, agent, skill = random.choice(_skills(platform))
    values: dict[str, Any] = {
        "description": f"Does it, version {random.randint(1, 99)}.",
        "budget": {"perExecutionUSD": 0.05, "monthlyUSD": random.randint(10, 90)},
        "timeoutSeconds": random.randint(10, 900),
        "priority": random.choice(("critical", "standard", "batch")),
        "spot": random.random() < 0.5,
        "model": random.choice(MODELS),
        "image": f"{agent['image'].partition(':')[0]}:v2.{random.randint(0, 9)}.0",
        "resources": {
            "requests": {"cpu": f"{random.randint(2, 5)}00m", "memory": "512Mi"},
            "limits": {"cpu": 1, "memory": "1Gi"},
        },
    }
    if "schedule" in skill:
        values |= {"schedule": random.choice(SCHEDULES), "timeZone": "Asia/Dubai"}
    elif "sessions" in skill:
        values["sessions"] = {"warmPool": random.randint(1, 3), "maxSessions": random.randint(3, 6)}
    else:
        low = random.randint(1, 3)
        values["scaling"] = {"min": low, "max": low + random.randint(1, 4), "queueDepth": 7}
        values["executionsPerDay"] = random.randint(1, 900)
    name = random.choice(list(values))
    skill[name] = values[name]
    return f"{skill['name']}.{name}"


def _agent_field(random: Random, platform: Platform) -> str | None:
    domain, agent = random.choice(list(_agents(platform)))
    server = random.choice(list(TOOLS))
    values: dict[str, Any] = {
        "image": f"aspora/{domain['name']}-{agent['name']}:v3.{random.randint(0, 9)}.0",
        "model": random.choice(MODELS),
        "fallbackModels": [random.choice(MODELS)],
        "database": random.random() < 0.5,
        "tools": [{"server": server, "tools": list(TOOLS[server][: random.randint(1, 3)])}],
        "priority": random.choice(("critical", "standard")),
        "description": f"Agent, version {random.randint(1, 99)}.",
    }
    name = random.choice(list(values))
    agent[name] = values[name]
    return f"agent {agent['name']}.{name}"


def _forget_a_field(random: Random, platform: Platform) -> str | None:
    things = [agent for _, agent in _agents(platform)] + [s for _, _, s in _skills(platform)]
    optional = {
        "budget",
        "scaling",
        "tools",
        "database",
        "resources",
        "spot",
        "priority",
        "timeZone",
    }
    found = [(thing, name) for thing in things for name in sorted(optional & thing.keys())]
    if not found:
        return None
    thing, name = random.choice(found)
    del thing[name]
    return f"{thing['name']}.{name} left out"


def _domain_field(random: Random, platform: Platform) -> str | None:
    domain = _any_domain(random, platform)
    values: dict[str, Any] = {
        "description": f"A domain, version {random.randint(1, 99)}.",
        "quota": {**domain["quota"], "cpu": random.randint(64, 90)},
        "limits": {"max": {"cpu": random.randint(4, 8), "memory": "16Gi"}},
        "budget": {"monthlyUSD": random.randint(4000, 9000)},
        "owner": {**domain["owner"], "costCenter": random.choice(NAMES)},
        "egress": [{"host": f"{random.choice(NAMES)}.example.com", "reason": "Rates of exchange."}],
    }
    name = random.choice(list(values))
    domain[name] = values[name]
    return f"domain {domain['name']}.{name}"


def _sandbox(random: Random, platform: Platform) -> str | None:
    domain = _any_domain(random, platform)
    if domain.pop("sandbox", None):
        return f"domain {domain['name']} in gVisor"
    domain["sandbox"] = {"runtime": "runc", "reason": "A driver that gVisor cannot load."}
    return f"domain {domain['name']} in runc"


def _delivery(random: Random, platform: Platform) -> str | None:
    domain = _any_domain(random, platform)
    was = domain.get("delivery", "pulumi")
    domain["delivery"] = "argocd" if was == "pulumi" else "pulumi"
    return f"domain {domain['name']} delivered by {domain['delivery']}"


def _call(random: Random, platform: Platform) -> str | None:
    """Both sides declare it, or neither does any more."""
    caller_domain, caller = random.choice(list(_agents(platform)))
    domain, agent, skill = random.choice(_skills(platform))
    called = f"{domain['name']}/{agent['name']}/{skill['name']}"
    who = f"{caller_domain['name']}/{caller['name']}"
    calls, callers = caller.setdefault("calls", []), skill.setdefault("callers", [])
    known = called in calls and who in callers
    for found, value in ((calls, called), (callers, who)):
        if known:
            found.remove(value)
        elif value not in found:
            found.append(value)
    return f"{who} {'no longer calls' if known else 'calls'} {called}"


def _add_skill(random: Random, platform: Platform) -> str | None:
    _, agent = random.choice(list(_agents(platform)))
    free = [name for name in NAMES if name not in {skill["name"] for skill in agent["skills"]}]
    if len(agent["skills"]) >= MAX_SKILLS:
        return None
    agent["skills"].append(_skill(random, random.choice(free)))
    return f"skill {agent['skills'][-1]['name']} added to {agent['name']}"


def _remove_skill(random: Random, platform: Platform) -> str | None:
    _, agent, skill = random.choice(_skills(platform))
    agent["skills"].remove(skill)
    return f"skill {skill['name']} removed from {agent['name']}"


def _rename_skill(random: Random, platform: Platform) -> str | None:
    _, _, skill = random.choice(_skills(platform))
    was, skill["name"] = skill["name"], random.choice(NAMES)
    return f"skill {was} renamed {skill['name']}"


def _other_kind(random: Random, platform: Platform) -> str | None:
    _, _, skill = random.choice(_skills(platform))
    for name in ("schedule", "timeZone", "sessions", "scaling", "executionsPerDay"):
        skill.pop(name, None)
    skill |= _skill(random, skill["name"])
    return f"skill {skill['name']} of another kind"


def _add_agent(random: Random, platform: Platform) -> str | None:
    domain = _any_domain(random, platform)
    if len(domain["agents"]) >= MAX_SKILLS:
        return None
    domain["agents"].append(_agent(random, domain["name"], random.choice(NAMES)))
    return f"agent {domain['agents'][-1]['name']} added to {domain['name']}"


def _remove_agent(random: Random, platform: Platform) -> str | None:
    domain, agent = random.choice(list(_agents(platform)))
    domain["agents"].remove(agent)
    return f"agent {agent['name']} removed from {domain['name']}"


def _rename_agent(random: Random, platform: Platform) -> str | None:
    _, agent = random.choice(list(_agents(platform)))
    was, agent["name"] = agent["name"], random.choice(NAMES)
    return f"agent {was} renamed {agent['name']}"


def _reorder(random: Random, platform: Platform) -> str | None:
    domain = _any_domain(random, platform)
    random.shuffle(domain["agents"])
    for agent in domain["agents"]:
        random.shuffle(agent["skills"])
    return f"agents and skills of {domain['name']} in another order"


def _add_domain(random: Random, platform: Platform) -> str | None:
    name = f"{random.choice(NAMES)}-bank"
    if name in platform or len(platform) >= MAX_DOMAINS:
        return None
    platform[name] = _domain(random, name)
    return f"domain {name} added"


def _remove_domain(random: Random, platform: Platform) -> str | None:
    if len(platform) < 2:
        return None
    name = random.choice(list(platform))
    del platform[name]
    return f"domain {name} removed"


def _rename_domain(random: Random, platform: Platform) -> str | None:
    was, name = random.choice(list(platform)), f"{random.choice(NAMES)}-bank"
    if name in platform:
        return None
    platform[name] = {**platform.pop(was), "name": name}
    return f"domain {was} renamed {name}"


EDITS: tuple[Edit, ...] = (
    *(_skill_field,) * 6,
    *(_agent_field,) * 4,
    *(_domain_field,) * 3,
    _forget_a_field,
    _forget_a_field,
    _sandbox,
    _delivery,
    _call,
    _call,
    _add_skill,
    _add_skill,
    _remove_skill,
    _rename_skill,
    _other_kind,
    _add_agent,
    _remove_agent,
    _rename_agent,
    _reorder,
    _add_domain,
    _remove_domain,
    _rename_domain,
)
"""Fields change more often than the rest, as they do with people."""
