"""Domains that use what the repository's own do not."""

from __future__ import annotations

from tests.core import MINIMAL

RUNC = """\
name: plain
owner: {team: plain-team, costCenter: plain}
sandbox: {runtime: runc, reason: The vendor's library needs io_uring.}
agents:
  - name: clerk
    image: aspora/plain-clerk:v1.0.0
    model: claude-haiku-4-5
    skills:
      - name: file-away
        description: Files what came in.
"""
EGRESS = """\
name: outward
owner: {team: outward-team, costCenter: outward}
egress:
  - {host: api.example.com, reason: Exchange rates come from there.}
agents:
  - name: clerk
    image: aspora/outward-clerk:v1.0.0
    model: claude-haiku-4-5
    skills:
      - name: look-up
        description: Looks a rate up.
"""
ARGOCD = """\
name: handed
owner: {team: handed-team, costCenter: handed}
delivery: argocd
agents:
  - name: clerk
    image: aspora/handed-clerk:v1.0.0
    model: claude-haiku-4-5
    skills:
      - name: file-away
        description: Files what came in.
"""
EVERYTHING = """\
name: all
description: Every field there is.
owner: {team: all-team, costCenter: all-cost}
budget: {monthlyUSD: 900}
quota: {cpu: 20, memory: 40Gi, storage: 50Gi, pods: 40, loadBalancers: 1}
limits:
  max: {cpu: 2, memory: 4Gi}
  min: {cpu: 50m, memory: 64Mi}
  default: {cpu: 400m, memory: 400Mi}
  defaultRequest: {cpu: 80m, memory: 80Mi}
sandbox: {runtime: runc, reason: The vendor's library needs io_uring.}
delivery: argocd
egress:
  - {host: api.example.com, port: 8443, reason: Exchange rates come from there.}
agents:
  - name: front
    description: Answers.
    image: aspora/all-front:v1.0.0
    model: claude-haiku-4-5
    fallbackModels: [claude-sonnet-4-5]
    database: true
    calls: [all/back/compute]
    tools: [{server: tickets, tools: [get_ticket]}]
    resources:
      requests: {cpu: 200m, memory: 256Mi}
      limits: {cpu: 1, memory: 1Gi}
    scaling: {min: 1, max: 3, cpuPercent: 60, queueDepth: 4}
    spot: true
    priority: critical
    timeoutSeconds: 60
    skills:
      - name: answer
        description: Answers.
        budget: {perExecutionUSD: 0.05, monthlyUSD: 100}
        executionsPerDay: 100
      - name: nightly
        description: Sums the day up.
        schedule: "0 3 * * *"
        timeZone: Asia/Dubai
  - name: back
    image: aspora/all-back:v1.0.0
    model: claude-haiku-4-5
    skills:
      - name: compute
        description: Computes.
        callers: [all/front]
      - name: try-out
        description: Runs what a model wrote.
        sessions: {warmPool: 1, maxSessions: 2, idleSeconds: 60, storage: 1Gi}
skills:
  - name: own
    agent: front
    description: A skill of the domain's own.
"""
TIGHT = MINIMAL.replace("agents:", "quota: {pods: 5}\nagents:", 1)
ADDED = (RUNC, EGRESS, ARGOCD, EVERYTHING, TIGHT)
