"""RBAC: what teams, agents and the platform may do to which resources.

Roles of Kubernetes itself and of charts are not among the objects; a binding to a role that is not
there counts as a binding to everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aspora.isolation.given import Given, Object, labels, ref, space
from aspora.isolation.model import Access, Crossing, FindingKind
from aspora.isolation.notes import Noted
from aspora.isolation.patterns import overlap
from aspora.isolation.promises import (
    APPLIED,
    NEVER,
    NOT_THERE,
    PLATFORM_WRITES,
    READING,
    TEAM_RIGHTS,
)
from aspora.isolation.selectors import selects

EVERYTHING: Mapping[str, Any] = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
CLUSTER = "the whole cluster"
_ACCOUNTS = "system:serviceaccounts:"


@dataclass(frozen=True, slots=True)
class Right:
    """One subject may use verbs on one resource in a namespace; empty means in all of them."""

    subject: str
    namespace: str
    group: str
    resource: str
    verbs: frozenset[str]
    by: tuple[str, ...]

    @property
    def what(self) -> str:
        """For people: `apps/deployments`."""
        return f"{self.group}/{self.resource}" if self.group else self.resource


def rights(given: Given) -> Iterator[Right]:
    """Every right that a binding gives."""
    roles = _Roles(given)
    for binding in given.kind("RoleBinding", "ClusterRoleBinding"):
        where = space(binding)
        rules, by = roles.of(binding["roleRef"], where)
        for subject in binding.get("subjects") or ():
            name = _subject(subject, where)
            for rule in rules:
                for group in rule.get("apiGroups") or ("",):
                    for resource in rule.get("resources") or rule.get("nonResourceURLs") or ():
                        verbs = frozenset(rule.get("verbs") or ())
                        yield Right(name, where, group, resource, verbs, (ref(binding), *by))


class _Roles:
    """Rules of roles, those gathered by labels included."""

    def __init__(self, given: Given) -> None:
        self._found = {
            (obj["kind"], space(obj), obj["metadata"]["name"]): obj
            for obj in given.kind("Role", "ClusterRole")
        }

    def of(self, wanted: Mapping[str, str], where: str) -> tuple[list[Any], tuple[str, ...]]:
        """The rules of a `roleRef`, and the roles that hold them."""
        home = where if wanted["kind"] == "Role" else ""
        obj = self._found.get((wanted["kind"], home, wanted["name"]))
        if obj is None:
            return [EVERYTHING], (f"{wanted['kind']} {wanted['name']}, which is not there",)
        gathered = [obj, *self._gathered(obj)]
        rules = [rule for one in gathered for rule in one.get("rules") or ()]
        return rules, tuple(ref(one) for one in gathered)

    def _gathered(self, obj: Object) -> Iterator[Object]:
        for selector in (obj.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
            for (kind, _, _), other in self._found.items():
                its_labels = other["metadata"].get("labels") or {}
                if kind == "ClusterRole" and other is not obj and selects(selector, its_labels):
                    yield other


def _subject(subject: Mapping[str, str], where: str) -> str:
    if subject["kind"] == "ServiceAccount":
        return f"ServiceAccount {subject.get('namespace', where)}/{subject['name']}"
    return f"{subject['kind']} {subject['name']}"


def hold(given: Given, noted: Noted) -> None:
    """Look at every right, and at what each team was promised."""
    teams: dict[str, set[str]] = {}
    for domain in given.declared:
        teams.setdefault(f"Group {domain.team}", set()).add(domain.name)
    every = list(rights(given))
    for right in every:
        if right.subject in teams:
            _team(given, right, teams[right.subject], noted)
        elif home := _home(given, right.subject):
            _pods(given, right, home, noted)
        else:
            _platform(given, right, noted)
    _promised(given, every, noted)
    for project in given.kind("AppProject"):
        _project(given, project, noted)
    projects = {obj["metadata"]["name"]: obj for obj in given.kind("AppProject")}
    for application in given.kind("Application"):
        _application(application, projects, noted)


def _team(given: Given, right: Right, domains: set[str], noted: Noted) -> None:
    if (right.group, right.resource) in NOT_THERE:
        return
    there = given.domains.get(right.namespace)
    home = min(domains)
    if there in domains and right.namespace:
        allowed = TEAM_RIGHTS.get((right.group, right.resource), frozenset())
        if more := right.verbs - allowed:
            what = f"may {{}} {right.what} in {right.namespace}, more than a team is promised"
            noted.note("rights", right.subject, what, more, right.by)
        _access(right, there, there, noted)
        return
    _foreign(given, right, home, noted)


def _foreign(given: Given, right: Right, home: str, noted: Noted) -> None:
    """A right of somebody of a domain outside of it."""
    there = given.domains.get(right.namespace)
    others = [there] if there else [name for name in given.declared_by_name if name != home]
    where = right.namespace or CLUSTER
    what = f"may {', '.join(sorted(right.verbs))} {{}} in {where}"
    kind: FindingKind = "rights" if right.namespace and not there else "crossing"
    noted.note(kind, right.subject, what, [right.what], right.by)
    _access(right, home, there, noted)
    for other in others if kind == "crossing" else ():
        path = f"{right.subject} may {', '.join(sorted(right.verbs))} {right.what} in {where}"
        noted.crossings.add(
            Crossing(
                home,
                other or "",
                "kubernetes",
                right.subject,
                f"{where}: {right.what}",
                path,
                declared=False,
                why="nobody of a domain has rights in another",
                by=right.by,
            )
        )


def _home(given: Given, subject: str) -> str | None:
    """The domain whose ServiceAccount, or all of whose ServiceAccounts, a subject is."""
    kind, _, name = subject.partition(" ")
    if kind == "ServiceAccount":
        return given.domains.get(name.partition("/")[0])
    if kind == "User" and name.startswith("system:serviceaccount:"):
        return given.domains.get(name.split(":")[2])
    return given.domains.get(name.removeprefix(_ACCOUNTS)) if kind == "Group" else None


def _pods(given: Given, right: Right, home: str, noted: Noted) -> None:
    """Agents have no rights at all: their pods have no token either."""
    if given.domains.get(right.namespace) == home:
        what = (
            f"may {', '.join(sorted(right.verbs))} {{}} in {right.namespace}; agents have no rights"
        )
        noted.note("rights", right.subject, what, [right.what], right.by)
        _access(right, home, home, noted)
    else:
        _foreign(given, right, home, noted)


def _platform(given: Given, right: Right, noted: Noted) -> None:
    """Rights of the platform, wherever they hold."""
    where = right.namespace or CLUSTER
    writes = PLATFORM_WRITES.get(right.subject)
    more = sorted(right.verbs - READING)
    if writes is None:
        what = f"may {', '.join(sorted(right.verbs))} {{}} in {where}, which nothing promises"
    elif any(
        overlap(group, right.group) and overlap(name, right.resource) for group, name in NEVER
    ):
        what = f"may touch {{}} in {where}: secrets or processes"
    elif "*" in right.group or "*" in right.resource:
        what = f"may touch {{}}, and whatever else there will be, in {where}"
    elif "*" in right.verbs or (more and (right.group, right.resource) not in writes):
        what = f"may {', '.join(more)} {{}} in {where}"
    else:
        _access(right, None, given.domains.get(right.namespace), noted)
        return
    noted.note("rights", right.subject, what, [right.what], right.by)


def _promised(given: Given, every: Iterable[Right], noted: Noted) -> None:
    """Each team can do what it was promised."""
    held: dict[tuple[str, str, str, str], set[str]] = {}
    for right in every:
        key = (right.subject, right.namespace, right.group, right.resource)
        held.setdefault(key, set()).update(right.verbs)
    for namespace, name in given.domains.items():
        domain = given.declared_by_name.get(name)
        for (group, resource), verbs in TEAM_RIGHTS.items() if domain else ():
            subject = f"Group {domain.team if domain else ''}"
            if lacking := verbs - held.get((subject, namespace, group, resource), set()):
                what = f"may not {{}} {resource} in {namespace}, as it was promised"
                noted.note("closed", subject, what, lacking, ())


def _access(right: Right, home: str | None, owner: str | None, noted: Noted) -> None:
    where = right.namespace or CLUSTER
    verbs = tuple(sorted(right.verbs))
    resource = f"{where}: {right.what}"
    noted.accesses.add(Access(right.subject, "kubernetes", verbs, resource, home, owner, right.by))


def _project(given: Given, project: Object, noted: Noted) -> None:
    """What Argo CD may apply for a domain: into its own namespace, nothing of the cluster."""
    spec, name = project["spec"], f"AppProject {project['metadata']['name']}"
    home = labels(project).get("domain", "")
    own = {space for space, domain in given.domains.items() if domain == home}
    for end in spec.get("destinations") or ():
        if end.get("namespace") not in own:
            noted.note(
                "crossing", name, "applies into {}", [str(end.get("namespace"))], [ref(project)]
            )
    listed = spec.get("namespaceResourceWhitelist") or ({"group": "*", "kind": "*"},)
    wide = [one for one in listed if (one.get("group"), one.get("kind")) not in APPLIED]
    wide += spec.get("clusterResourceWhitelist") or ()
    loose = [one for one in spec.get("sourceRepos") or ("*",) if "*" in one]
    loose += [f"Applications in {one}" for one in spec.get("sourceNamespaces") or ()]
    if loose:
        noted.note("rights", name, "takes objects from {}", loose, [ref(project)])
    for one in wide:
        noted.note(
            "rights",
            name,
            "may apply {}",
            [f"{one.get('group')}/{one.get('kind')}"],
            [ref(project)],
        )


def _application(obj: Object, projects: Mapping[str, Object], noted: Noted) -> None:
    """It applies what its project lets it, so the project is among the objects, and its domain's:
    Argo CD's own project `default` lets it apply anything anywhere."""
    name = str(obj["spec"].get("project", "default"))
    project = projects.get(name)
    home = labels(obj).get("domain")
    if project is None or not home or labels(project).get("domain") != home:
        noted.note("rights", ref(obj), "applies what the project {} lets it", [name], [ref(obj)])
