"""Repositories of any size: domains of 20 skills each, all kinds of workload among them."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent
SKILLS_PER_DOMAIN = 20

HEAD = """\
# yaml-language-server: $schema=../../docs/reference/domain.schema.json
name: {domain}
description: A domain made for the benchmark, as long as a real one.
owner:
  team: {domain}-team
  costCenter: {domain}-operations
budget:
  monthlyUSD: 5000
quota:
  cpu: 200
  memory: 400Gi
  storage: 500Gi
  pods: 400
agents:
"""
AGENT = """\
  - name: agent-{agent}
    description: Does five things.
    image: aspora/{domain}-agent-{agent}:v1.{agent}.0
    model: claude-haiku-4-5
    fallbackModels: [claude-sonnet-4-5]
    database: {database}
    tools:
      - server: tickets
        tools: [list_tickets, get_ticket, update_ticket]
      - server: knowledge-base
        tools: [search_articles]
    resources:
      requests: {{cpu: 250m, memory: 512Mi}}
      limits: {{cpu: 1000m, memory: 2Gi}}
    skills:
"""
SKILL = """\
      - name: skill-{skill}
        description: Answers a question of kind {skill}, with the source it went by.
        budget: {{perExecutionUSD: 0.0{digit}, monthlyUSD: {monthly}}}
        executionsPerDay: {monthly}
"""
KINDS = (
    "        scaling: {{min: 2, max: {max}, queueDepth: 5}}\n",
    "        scaling: {{min: 1, max: {max}}}\n        priority: critical\n",
    "        timeoutSeconds: 60\n",
    '        schedule: "{skill} 6 * * 1-5"\n        timeZone: Asia/Dubai\n        spot: true\n',
    "        sessions: {{warmPool: 2, maxSessions: 4, storage: 10Gi}}\n",
)


def domain(name: str) -> str:
    """One domain file: 4 agents of 5 skills."""
    parts = [HEAD.format(domain=name)]
    for agent in range(4):
        parts.append(AGENT.format(domain=name, agent=agent, database=str(agent == 0).lower()))
        for skill in range(5):
            number = agent * 5 + skill
            parts.append(SKILL.format(skill=number, digit=number % 9 + 1, monthly=20 + number))
            parts.append(KINDS[skill].format(skill=number, max=4 + number % 5))
    return "".join(parts)


def repository(folder: Path, domains: int) -> int:
    """Write a repository of so many domains; the number of its skills."""
    for path in ROOT.glob("Pulumi*.yaml"):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
    for index in range(domains):
        name = f"domain-{index:03}"
        path = folder / "domains" / name / "domain.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(domain(name), encoding="utf-8")
    return domains * SKILLS_PER_DOMAIN
