"""What the platform team has agreed to: how far a domain may go beyond the defaults.

A domain team merges its own folder. What costs its neighbours something (a larger quota, the
node's kernel, a way to the Internet, more money) is besides compared with `domains/approvals.yaml`,
which `.github/CODEOWNERS` gives to the platform team. So the approval is a reviewed line in Git:
it needs no label, no token and no memory of who belongs to which team.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated

from pydantic import Field

from aspora import yamldoc
from aspora.errors import InvalidInput
from aspora.fields import Flag, Host, Model, Name, Usd, whole
from aspora.load import DomainFile, validate
from aspora.models import Amounts, Domain, DomainBudget, Limits, Quota
from aspora.problems import Problem, format_path
from aspora.quantities import parse_cpu, parse_memory
from aspora.resolve import Path
from aspora.rules import usd

FILE = "domains/approvals.yaml"
_CPU, _MEMORY = "4", "8Gi"
"""A container's most by default; a test compares them with the model's."""


class ApprovedHost(Model):
    """A host on the Internet, and its port."""

    host: Host = Field(description="Its full name; no wildcards.")
    port: Annotated[int, whole(1, 65535, 443)] = Field(443, description="TLS port.")


class Approval(Model):
    """The most that one domain may set in its own file; left out, it is the default there."""

    domain: Name = Field(description="The domain.", examples=["wealth"])
    monthly_usd: Usd = Field(
        DomainBudget().monthly_usd, alias="monthlyUSD", description="USD a month for models."
    )
    quota: Quota = Field(Quota(), description="The largest quota.")
    container: Amounts = Field(Limits().max, description="The largest `limits.max`.")
    runc: Flag = Field(default=False, description="Its pods may share the node's kernel.")
    egress: tuple[ApprovedHost, ...] = Field((), description="Hosts on the Internet it may call.")


class Approvals(Model):
    """The whole file."""

    approvals: tuple[Approval, ...] = Field((), description="One for each domain that needs one.")


@dataclass(frozen=True)
class _Exceeds:
    """A value of a domain's file that is beyond what was agreed to."""

    path: Path
    value: str
    allowed: str


def check(root: FilePath, files: Sequence[DomainFile]) -> tuple[Problem, ...]:
    """Whatever goes beyond the approvals, at its place in the domain's file, and approvals that
    nothing needs any more. Raises InvalidInput when the approvals cannot be read."""
    document, approvals = read(root)
    approved = {approval.domain: approval for approval in approvals}
    problems = list(_repeated(document, approvals))
    for file in files:
        mine = approved.get(file.domain.name, Approval(domain=file.domain.name))
        problems += [_problem(file, found) for found in exceeding(file.domain, mine)]
    domains = {file.domain.name: file.domain for file in files}
    for index, approval in enumerate(approvals):
        problems += _stale(document, ("approvals", index), approval, domains)
    return tuple(sorted(problems))


def read(root: FilePath) -> tuple[yamldoc.Document, tuple[Approval, ...]]:
    """The file below `root` with its approvals. Raises InvalidInput with every problem."""
    document = yamldoc.load(root / FILE, inside=root, name=FILE)
    if not document.complete:
        raise InvalidInput(tuple(document.problems))
    model = validate(Approvals, document.data, document)
    if isinstance(model, list) or document.problems:
        found = model if isinstance(model, list) else []
        raise InvalidInput(tuple(sorted([*document.problems, *found])))
    return document, model.approvals


def exceeding(domain: Domain, approval: Approval) -> Iterator[_Exceeds]:
    """Every value of `domain` that is more than `approval` allows."""
    for path, value, allowed, parse in _amounts(domain, approval):
        # A maximum that is taken away is no maximum at all.
        if value is None or parse(value) > parse(allowed):
            yield _Exceeds(path, value or "no limit", allowed)
    if domain.budget.monthly_usd > approval.monthly_usd:
        yield _Exceeds(
            ("budget", "monthlyUSD"), usd(domain.budget.monthly_usd), usd(approval.monthly_usd)
        )
    if domain.sandbox.runtime == "runc" and not approval.runc:
        yield _Exceeds(("sandbox", "runtime"), "runc", "gvisor")
    hosts = {(host.host, host.port) for host in approval.egress}
    for index, egress in enumerate(domain.egress):
        if (egress.host, egress.port) not in hosts:
            where = f"{egress.host}:{egress.port}"
            yield _Exceeds(("egress", index), where, "no such host")


_Amount = tuple[Path, str | None, str, Callable[[str], int]]


def _amounts(domain: Domain, approval: Approval) -> Iterator[_Amount]:
    have, most = domain.quota, approval.quota
    yield ("quota", "cpu"), have.cpu, most.cpu, parse_cpu
    yield ("quota", "memory"), have.memory, most.memory, parse_memory
    yield ("quota", "storage"), have.storage, most.storage, parse_memory
    yield ("quota", "pods"), str(have.pods), str(most.pods), int
    yield ("quota", "loadBalancers"), str(have.load_balancers), str(most.load_balancers), int
    top, limit = domain.limits.max, approval.container
    yield ("limits", "max", "cpu"), top.cpu, limit.cpu or _CPU, parse_cpu
    yield ("limits", "max", "memory"), top.memory, limit.memory or _MEMORY, parse_memory


def _problem(file: DomainFile, found: _Exceeds) -> Problem:
    name = file.domain.name
    return Problem(
        "ASP351",
        format_path(found.path),
        f"{found.value} for {name}: the platform team has agreed to {found.allowed}",
        file.document.position(found.path),
        f"take less, or propose more in {FILE}, which the platform team reviews",
    )


def _repeated(document: yamldoc.Document, approvals: Sequence[Approval]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, approval in enumerate(approvals):
        path: Path = ("approvals", index, "domain")
        if approval.domain in seen:
            message = f'domain "{approval.domain}" stands twice'
            hint = "one approval holds all that is agreed for a domain"
            yield Problem("ASP301", format_path(path), message, document.position(path), hint)
        seen.add(approval.domain)


def _stale(
    document: yamldoc.Document, at: Path, approval: Approval, domains: Mapping[str, Domain]
) -> Iterator[Problem]:
    """An approval that lies about is one that somebody uses later and nobody reviews."""
    domain = domains.get(approval.domain)
    found: list[tuple[Path, str]] = []
    if domain is None:
        found.append(((*at, "domain"), f'there is no domain "{approval.domain}"'))
    else:
        if approval.runc and domain.sandbox.runtime != "runc":
            found.append(((*at, "runc"), f"{domain.name} runs in gVisor"))
        used = {(egress.host, egress.port) for egress in domain.egress}
        for index, host in enumerate(approval.egress):
            if (host.host, host.port) not in used:
                message = f"{domain.name} does not call {host.host}:{host.port}"
                found.append(((*at, "egress", index), message))
    for path, message in found:
        position = document.position(path)
        yield Problem("ASP352", format_path(path), message, position, "take it out")
