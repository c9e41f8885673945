"""AWS: which identity may touch which prefix, secret, database and key.

A role is asked four things: who may become it, what its own policies give, whether a boundary holds
it, and whether the bucket's policy would stop it if its own did not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aspora.isolation.given import Given, Skill
from aspora.isolation.model import Access, Crossing
from aspora.isolation.notes import Noted
from aspora.isolation.owners import (
    ANYBODY,
    SHARED,
    Thing,
    actions_of,
    cache_users,
    resources_of,
    thing,
)
from aspora.isolation.patterns import fits, overlap
from aspora.isolation.promises import (
    AGENT_ACTIONS,
    MANAGED,
    PLATFORM,
    PLATFORM_READS,
    PREVIEW_ACTIONS,
    PREVIEWS,
    READER,
    READER_ACTIONS,
    TEAM_ACTIONS,
)
from aspora.isolation.roles import Holder, Role, allows, homeless, roles
from aspora.isolation.shields import Shields

CI_PATH = "/aspora/ci/"
"""Roles of GitHub's runs: deployments and previews of pull requests."""
DATA = ("s3", "secretsmanager", "rds-db", "elasticache", "kms", "sts")
"""Services whose actions reach what domains own; the rest runs the cluster."""
OWN_OBJECTS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket")


class Cloud:
    """One look at the AWS side of a stack."""

    def __init__(self, given: Given, noted: Noted) -> None:
        self._given = given
        self._noted = noted
        self._roles = roles(given)
        self._users = cache_users(given)
        self._shields = Shields(given, noted)
        self._held: dict[str, set[tuple[str, str]]] = {}

    def hold(self) -> None:
        """Look at every role; a stack without an AWS side has none."""
        if not self._given.aws:
            return
        for resource in homeless(self._given):
            ref = f"{resource.type.rpartition(':')[2]} {resource.name}"
            what = "is a policy of the role {}, which is not there"
            self._noted.note("unread", ref, what, [str(resource.inputs["role"])], [ref])
        self._shields.hold()
        for role in self._roles:
            self._trust(role)
            for holder in role.holders:
                self._holder(role, holder)
        self._associations()
        self._entries()
        self._promised()

    # -- who may become a role --------------------------------------------------------------

    def _trust(self, role: Role) -> None:
        by = [role.ref]
        if not role.bounded and role.path != CI_PATH:
            self._noted.note("one side", role.ref, "is held by {}", ["no permissions boundary"], by)
        for holder in role.holders:
            if holder.lacking:
                self._noted.note(
                    "one side", role.ref, "asks no {} of who becomes it", holder.lacking, by
                )
            if holder.kind == "run" and "*" in holder.name:
                self._noted.note(
                    "rights", role.ref, "may be taken by runs of {}", [holder.name], by
                )
            if holder.name == ANYBODY:
                self._anybody(role)

    def _anybody(self, role: Role) -> None:
        self._noted.note("crossing", role.ref, "may be taken by {}", ["anybody"], [role.ref])
        for domain in self._given.declared_by_name:
            if domain != role.tag and role.tag in self._given.declared_by_name:
                self._cross(
                    domain,
                    role.tag,
                    "anybody",
                    role.ref,
                    f"anybody may become {role.name}",
                    [role.ref],
                )

    def _domain_of(self, role: Role, holder: Holder) -> str | None:
        """The domain that a holder belongs to; None for the platform. A team may have several."""
        if holder.kind == "pods":
            return self._given.domains.get(holder.name.partition("/")[0])
        if holder.kind == "team":
            own = [one.name for one in self._given.declared if one.team == holder.name]
            return role.tag if role.tag in own else next(iter(own), None)
        return None

    def _holder(self, role: Role, holder: Holder) -> None:
        home = self._domain_of(role, holder)
        if role.tag != (home or PLATFORM):
            what = f"has the tag of {role.tag or 'nobody'} and is held by {{}}"
            self._noted.note("one side", role.ref, what, [holder.name], [role.ref])
        if holder.kind == "team" and home is None and holder.name != ANYBODY:
            self._noted.note(
                "rights",
                role.ref,
                "may be taken by {}, no domain's team",
                [holder.name],
                [role.ref],
            )
        if _deploys(role):
            return
        allowed = PREVIEWS if role.path == CI_PATH else MANAGED
        for arn in role.attached:
            if home is not None or arn.rpartition("/")[2] not in allowed:
                self._noted.note("rights", role.ref, "has the policy {}", [arn], [role.ref])
        for found in self._things(role):
            self._judge(role, holder, home, *found)

    # -- what it may do ---------------------------------------------------------------------

    def _things(self, role: Role) -> Iterator[tuple[str, Thing, str]]:
        for statement, by in allows(role):
            for action in actions_of(statement):
                for arn in resources_of(statement):
                    yield action, thing(action, arn, statement, self._users), by

    def _judge(
        self, role: Role, holder: Holder, home: str | None, action: str, what: Thing, by: str
    ) -> None:
        if home is None:
            self._platform(role, holder, action, what, by)
            return
        subject = f"{'team' if holder.kind == 'team' else 'identity'} {holder.name}"
        owner = what.owner or None
        self._noted.accesses.add(
            Access(subject, what.kind, (action,), what.name, home, owner, (by, role.ref))
        )
        if action not in _promised_actions(holder):
            self._noted.note(
                "rights",
                subject,
                "may {}, which nothing promises",
                [f"{action} on {what.name}"],
                [by],
            )
        if what.kind == "key" and what.part:
            self._noted.note("rights", subject, "may use {}", [f"{what.name} {what.part}"], [by])
        if what.owner not in (home, SHARED):
            self._foreign(subject, home, action, what, by)
            return
        self._held.setdefault(holder.name, set()).add((action, what.name))
        account = holder.name.partition("/")[2]
        if what.kind == "bucket" and what.part != account:
            self._noted.note(
                "outside",
                subject,
                f"may {action} {{}}, its domain's and not its own",
                [what.name],
                [by],
            )

    def _foreign(self, subject: str, home: str, action: str, what: Thing, by: str) -> None:
        """Another domain's: a path, unless the bucket's own policy stands in the way."""
        others = [one for one in self._given.declared_by_name if one != home]
        reached = others if what.owner == ANYBODY else [one for one in others if one == what.owner]
        stopped = what.kind == "bucket" and self._shields.stop(what.name, action)
        kind = "one side" if stopped else "crossing" if reached else "rights"
        whose = "of anybody" if what.owner == ANYBODY else f"of {what.owner}"
        if kind == "one side":
            self._noted.note(
                "one side",
                subject,
                f"may {action} {{}}, {whose}, by its own policy",
                [what.name],
                [by],
            )
            return
        if kind == "rights":
            self._noted.note("rights", subject, f"may {action} {{}}, {whose}", [what.name], [by])
            return
        self._noted.note("crossing", subject, f"may {action} {{}}, {whose}", [what.name], [by])
        for other in reached:
            self._cross(
                home, other, subject, what.name, f"{subject} may {action} {what.name}", [by]
            )

    def _cross(
        self, home: str, other: str, source: str, target: str, path: str, by: Iterable[str]
    ) -> None:
        self._noted.crossings.add(
            Crossing(
                home,
                other,
                "aws",
                source,
                target,
                path,
                declared=False,
                why="no domain touches another's data",
                by=tuple(by),
            )
        )

    def _platform(self, role: Role, holder: Holder, action: str, what: Thing, by: str) -> None:
        """The platform's identities keep to what is the platform's."""
        service = action.partition(":")[0]
        if not any(overlap(service, one) for one in DATA):
            return
        subject = (
            f"identity {holder.name}" if holder.kind == "pods" else f"{holder.kind} {holder.name}"
        )
        self._noted.accesses.add(
            Access(
                subject, what.kind, (action,), what.name, None, what.owner or None, (by, role.ref)
            )
        )
        if _exempt(holder, action, what):
            return
        foreign = what.owner == ANYBODY or what.owner in self._given.declared_by_name
        if foreign or "*" in action or holder.kind == "run":
            self._noted.note(
                "rights", subject, f"may {action} {{}}, which nothing promises", [what.name], [by]
            )

    # -- pods, people and promises ----------------------------------------------------------

    def _associations(self) -> None:
        """Pod Identity gives a ServiceAccount the role whose trust names it."""
        arns = {role.name: role for role in self._roles}
        for one in self._given.resources("aws:eks/podIdentityAssociation:PodIdentityAssociation"):
            holder = f"{one.inputs['namespace']}/{one.inputs['serviceAccount']}"
            role = arns.get(str(one.inputs["roleArn"]).rpartition("/")[2])
            ref = f"PodIdentityAssociation {one.name}"
            if role is None or not any(found.name == holder for found in role.holders):
                self._noted.note(
                    "one side", ref, "gives {} a role whose trust does not name it", [holder], [ref]
                )
            if further := one.inputs.get("targetRoleArn"):
                what = "leads on to the role {}"
                self._noted.note("rights", ref, what, [str(further)], [ref])
            if role is not None:
                self._held.setdefault(holder, set()).add(("associated", role.name))

    def _entries(self) -> None:
        """A team's role is the team's group in the cluster, and nothing more."""
        holders = {role.name: role.holders for role in self._roles}
        entries = self._given.resources("aws:eks/accessEntry:AccessEntry")
        for entry in entries:
            role = str(entry.inputs["principalArn"]).rpartition("/")[2]
            groups = set(entry.inputs.get("kubernetesGroups") or ())
            allowed = {one.name for one in holders.get(role, ()) if one.kind == "team"} | {
                "aspora-preview"
            }
            ref = f"AccessEntry {entry.name}"
            nobody = all(one.kind == "service" for one in holders.get(role, ()))
            if entry.inputs.get("type", "STANDARD") != "STANDARD" and not (
                role in holders and nobody
            ):
                what = "makes {} a node"
                self._noted.note("rights", ref, what, [role], [ref])
            if more := groups - allowed:
                self._noted.note("rights", ref, f"puts {role} into {{}}", more, [ref])
            for group in groups & allowed:
                self._held.setdefault(group, set()).add(("entry", role))
        for one in self._given.resources("aws:eks/accessPolicyAssociation:AccessPolicyAssociation"):
            role = str(one.inputs["principalArn"])
            if f":role{CI_PATH}" not in role:
                ref = f"AccessPolicyAssociation {one.name}"
                self._noted.note("rights", ref, "gives {} rights of EKS", [role], [ref])

    def _promised(self) -> None:
        """Each skill's pods, each reader and each team have what they need."""
        for namespace, account, skill in self._given.running:
            domain_name = skill.id.partition("/")[0]
            self._needs(f"{namespace}/{account}", _needed(skill, domain_name, account))
        for namespace, name in self._given.domains.items():
            domain = self._given.declared_by_name.get(name)
            if domain is None:
                continue
            secrets = f"secret aspora/*/{name}/*"
            self._needs(f"{namespace}/{READER}", [("secretsmanager:GetSecretValue", secrets)])
            self._needs(domain.team, [("eks:DescribeCluster", "*"), ("entry", "*")])

    def _needs(self, holder: str, wanted: Iterable[tuple[str, str]]) -> None:
        held = self._held.get(holder, set())
        for action, pattern in wanted:
            if not any(action == mine and overlap(pattern, name) for mine, name in held):
                self._noted.note(
                    "closed", f"identity {holder}", "may not {}, as it was promised", [action], ()
                )


def _promised_actions(holder: Holder) -> frozenset[str]:
    if holder.kind == "team":
        return TEAM_ACTIONS
    return READER_ACTIONS if holder.name.endswith(f"/{READER}") else AGENT_ACTIONS


def _deploys(role: Role) -> bool:
    """Whoever deploys a stack is the platform, and is looked at by its trust alone."""
    return role.path == CI_PATH and role.name.endswith("-deploy")


def _exempt(holder: Holder, action: str, what: Thing) -> bool:
    """What is promised to an identity of the platform: to a preview all it may, to others what
    they have of every domain; of buckets they only write."""
    if holder.kind == "run":
        return any(
            action in actions and any(fits(one, what.name) for one in names)
            for actions, names in PREVIEW_ACTIONS
        )
    listed = any(fits(one, what.name) for one in PLATFORM_READS.get(holder.name, ()))
    writes = ("s3:PutObject", "s3:AbortMultipartUpload")
    return listed and action in (writes if what.kind == "bucket" else READER_ACTIONS)


def _needed(skill: Skill, domain: str, account: str) -> list[tuple[str, str]]:
    wanted = [(action, f"bucket */{domain}/{account}/*") for action in OWN_OBJECTS]
    wanted += [("associated", "*"), ("kms:Decrypt", "*"), ("kms:GenerateDataKey", "*")]
    if skill.database:
        wanted += [
            ("rds-db:connect", f"database user {domain}"),
            ("elasticache:Connect", "cache user *"),
        ]
        wanted += [("elasticache:Connect", "cache *")]
    return wanted
