"""Where an object comes from: the line in a domain file that decides it.

The renderer says of each skill's objects which skill they are of, and the loader where the skill
stands. What belongs to no domain points at the stack's settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from aspora.checks import BY_ID
from aspora.load import DomainFile
from aspora.problems import Path, Position
from aspora.render import DomainObjects, Rendered
from aspora.render.objects import Object, Ref, ref
from aspora.yamldoc import Document

CHECKOV_FIELDS: Mapping[str, tuple[str, ...]] = {
    "CKV_K8S_10": ("resources",),
    "CKV_K8S_11": ("resources",),
    "CKV_K8S_12": ("resources",),
    "CKV_K8S_13": ("resources",),
    "CKV_K8S_14": ("image",),
    "CKV_K8S_43": ("image",),
}
"""Fields of a skill, an agent or a domain that decide a check of checkov's; ours say so themselves
(`Rule.fields`)."""
OF_KIND: Mapping[str, tuple[str, ...]] = {
    "AppProject": ("delivery",),
    "Application": ("delivery",),
    "LimitRange": ("limits", "owner"),
    "ResourceQuota": ("quota",),
    "RoleBinding": ("owner",),
}
"""Fields that decide an object of a domain, whatever the check."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A file, and the places in it that may decide an object, the nearest first."""

    document: Document
    places: tuple[Path, ...]
    fields: tuple[str, ...] = ()

    def position(self, fields: tuple[str, ...]) -> Position:
        """The first of `fields` that stands at one of the places, else the nearest place."""
        for field in (*fields, *self.fields):
            for place in self.places:
                path = (*place, field)
                if self.document.resolve(path) == path:
                    return self.document.position(path, key=True)
        return self.document.position(self.places[0] or ("name",))


class Origins:
    """Answers for every object of a stack."""

    def __init__(self, files: Iterable[DomainFile], rendered: Rendered, stack: str) -> None:
        self._of: dict[Ref, Origin] = {}
        self._stack = Position(f"Pulumi.{stack}.yaml", 1, 1)
        documents = {file.domain.name: file for file in files}
        for domain in rendered.domains:
            for obj, origin in _origins(documents[domain.name], domain):
                self._of[ref(obj)] = origin

    def place(self, obj: Ref, check: str) -> Position:
        """Where a finding of a check on an object stands."""
        origin = self._of.get(obj)
        return origin.position(fields_of(check)) if origin else self._stack


def fields_of(check: str) -> tuple[str, ...]:
    """The fields that decide a check of ours or of checkov's."""
    rule = BY_ID.get(check)
    return rule.fields if rule else CHECKOV_FIELDS.get(check, ())


def _origins(file: DomainFile, domain: DomainObjects) -> Iterator[tuple[Object, Origin]]:
    skills = {skill.name: (skill.path, *_agent(file, skill.path), ()) for skill in domain.skills}
    for obj in (*domain.guardrails, *domain.handover):
        # The policy at the gateway for who calls a skill: `aspora-ecm.ecm-field-my-tickets`.
        skill = skills.get(obj["metadata"]["name"].rpartition(".")[2])
        places = skill if skill and obj["kind"] == "AuthorizationPolicy" else ((),)
        yield obj, Origin(file.document, places, OF_KIND.get(obj["kind"], ()))
    for one in domain.skills:
        for obj in one.objects:
            yield obj, Origin(file.document, skills[one.name])


def _agent(file: DomainFile, skill: Path) -> tuple[Path, ...]:
    """Where the agent of a skill stands: around it, or by the name that it gives."""
    if skill[0] == "agents":
        return (skill[:2],)
    wanted = file.domain.skills[int(skill[1])].agent
    agents = [agent.name for agent in file.domain.agents]
    return (("agents", agents.index(wanted)),) if wanted in agents else ()
