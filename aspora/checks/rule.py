"""What a rule is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from aspora.checks.world import World
from aspora.problems import CodeInfo
from aspora.render.objects import Object

POD_SECURITY = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"
RBAC_PRACTICE = "https://kubernetes.io/docs/concepts/security/rbac-good-practices/"
NETWORK_POLICIES = "https://kubernetes.io/docs/concepts/services-networking/network-policies/"
NSA_GUIDE = (
    "https://media.defense.gov/2022/Aug/29/2003066362/-1/-1/0/"
    "CTR_KUBERNETES_HARDENING_GUIDANCE_1.2_20220829.PDF"
)
"""NSA and CISA, Kubernetes Hardening Guide, version 1.2."""
DECISIONS = "docs/decisions/"


class Hit(NamedTuple):
    """One object that breaks a rule, and how."""

    obj: Object
    message: str


@dataclass(frozen=True, slots=True)
class Rule:
    """`link` is a standard's page, or a decision record's path in this repository.

    `fields` are those of a skill, an agent or a domain that decide it, so that a finding can point
    at the line; the first that a file has counts.
    """

    id: str
    title: str
    why: str
    link: str
    look: Callable[[World], Iterator[Hit]]
    fields: tuple[str, ...] = ()

    @property
    def info(self) -> CodeInfo:
        """For `aspora explain` and the formats."""
        return CodeInfo(self.id, self.title, self.why, link=self.link)
