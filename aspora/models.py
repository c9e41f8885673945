"""What a domain team may write in `domains/<domain>/domain.yaml`, and what is assumed when it
leaves a field out.

Defaults are the secure and the frugal choice. Loosening is a field of its own with a `reason`,
which the change report shows to the reviewer. Rules that look beyond one value stand in
`aspora/rules.py`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from aspora.fields import (
    AgentId,
    Bytes,
    CostCenter,
    Cpu,
    Flag,
    Group,
    Host,
    Image,
    Mailbox,
    Model,
    Name,
    Reason,
    Schedule,
    SkillId,
    Text,
    TimeZone,
    ToolName,
    Usd,
    whole,
)

Priority = Literal["critical", "standard", "batch"]
Delivery = Literal["pulumi", "argocd"]
Runtime = Literal["gvisor", "runc"]


class Owner(Model):
    """Who answers for the domain, and who pays for it."""

    team: Group = Field(
        description="The group of the cluster's identity provider that holds the domain's Role.",
        examples=["wealth-team"],
    )
    cost_center: CostCenter = Field(
        description="The cost centre the domain's bill goes to; a label on every object.",
        examples=["wealth-product"],
    )
    email: Mailbox | None = Field(
        None,
        description="The team's mailbox: alerts about the domain's cost go there too, where the"
        " stack sends mail.",
        examples=["wealth-team@example.com"],
    )


class Amounts(Model):
    """An amount of CPU and memory."""

    cpu: Cpu | None = Field(None, description="CPU cores, as Kubernetes writes them.")
    memory: Bytes | None = Field(None, description="Bytes of memory, as Kubernetes writes them.")


class Quota(Model):
    """The most a domain may ask of the cluster, all its pods together (ResourceQuota)."""

    cpu: Cpu = Field("8", description="Sum of the CPU requests.")
    memory: Bytes = Field("16Gi", description="Sum of the memory requests.")
    storage: Bytes = Field("20Gi", description="Sum of the volumes' sizes.")
    pods: Annotated[int, whole(1, 5000, 50)] = Field(30, description="Pods at any one time.")
    load_balancers: Annotated[int, whole(0, 50, 2)] = Field(
        0, description="Services of type LoadBalancer; the gateways make them needless."
    )


class Limits(Model):
    """What one container may ask for, and what it gets when it asks for nothing (LimitRange)."""

    max: Amounts = Field(
        Amounts(cpu="4", memory="8Gi"), description="No container may have more than this."
    )
    min: Amounts = Field(
        Amounts(cpu="100m", memory="128Mi"), description="No container may ask for less."
    )
    default: Amounts = Field(
        Amounts(cpu="500m", memory="512Mi"), description="The limit of a container that names none."
    )
    default_request: Amounts = Field(
        Amounts(cpu="100m", memory="128Mi"),
        description="The request of a container that names none.",
    )


class Resources(Model):
    """What a pod's container asks for and the most it gets."""

    requests: Amounts = Field(
        Amounts(), description="What the scheduler sets aside: 250m and 512Mi when left out."
    )
    limits: Amounts = Field(
        Amounts(), description="Where the kernel stops it: 1 CPU and 2Gi when left out."
    )


class Sandbox(Model):
    """How the domain's pods are isolated from the node."""

    runtime: Runtime = Field(
        "gvisor",
        description="gvisor gives each pod a kernel of its own; runc shares the node's.",
    )
    reason: Reason | None = Field(
        None, description="Why gVisor will not do. Needed for runc, shown to the reviewer."
    )


class DomainBudget(Model):
    """What the domain may spend on models; the model gateway refuses calls beyond it."""

    monthly_usd: Usd = Field(
        Decimal(500), alias="monthlyUSD", description="USD a calendar month, all skills together."
    )
    provider_limit_usd: Usd | None = Field(
        None,
        alias="providerLimitUSD",
        description="The monthly limit set on the domain's own key at OpenRouter, which holds when"
        " the gateway does not; a tenth above monthlyUSD when left out.",
    )


class SkillBudget(Model):
    """What a skill may spend on models; the model gateway refuses calls beyond it."""

    per_execution_usd: Usd = Field(
        Decimal("0.10"), alias="perExecutionUSD", description="USD one execution may cost."
    )
    monthly_usd: Usd = Field(
        Decimal(50), alias="monthlyUSD", description="USD a calendar month, within the domain's."
    )


class ToolServer(Model):
    """An MCP server behind the tool gateway, and the tools of it that may be called."""

    server: Name = Field(
        description="The server's name at the tool gateway.", examples=["ecm-tickets"]
    )
    tools: tuple[ToolName, ...] = Field(
        description="The tools that may be called; everything else is refused.",
        min_length=1,
        examples=[["list_tickets", "assign_ticket"]],
    )


class Scaling(Model):
    """How many pods a service skill has, and what makes it grow (KEDA ScaledObject)."""

    min: Annotated[int, whole(1, 500, 3)] = Field(2, description="The fewest pods.")
    max: Annotated[int, whole(1, 500, 20)] = Field(4, description="The most pods.")
    cpu_percent: Annotated[int, whole(10, 95, 70)] = Field(
        70, description="Grow when the mean CPU use passes this share of the request."
    )
    queue_depth: Annotated[int, whole(1, 10000, 10)] = Field(
        10, description="Grow when this many executions a pod are accepted and not yet started."
    )


class Sessions(Model):
    """A skill whose every session runs in a sandbox of its own (agent-sandbox)."""

    warm_pool: Annotated[int, whole(0, 100, 5)] = Field(
        2, description="Sandboxes kept started and unused, so that a session begins at once."
    )
    max_sessions: Annotated[int, whole(1, 500, 5)] = Field(
        5, description="Sessions at one time that the quota is checked against."
    )
    idle_seconds: Annotated[int, whole(30, 86400, 300)] = Field(
        300, description="Seconds without a call after which a session's sandbox is recycled."
    )
    storage: Bytes | None = Field(
        None, description="Size of the encrypted volume of each sandbox; none when left out."
    )


class Work(Model):
    """What an agent sets for all its skills, and a skill may set for itself."""

    image: Image | None = Field(
        None,
        description="Image of the pods, by tag; prod wants its digest too (…@sha256:…).",
        examples=["aspora/ecm-field-agent:v1.0.5"],
    )
    model: Text | None = Field(
        None,
        description="The model called first; one of the price table.",
        examples=["claude-haiku-4-5"],
    )
    fallback_models: tuple[Text, ...] | None = Field(
        None,
        description="Models tried in this order when the first fails or is too expensive.",
        examples=[["claude-haiku-4-5"]],
    )
    tools: tuple[ToolServer, ...] | None = Field(
        None, description="The MCP servers and tools that may be called; none when left out."
    )
    resources: Resources | None = Field(None, description="CPU and memory of each pod.")
    scaling: Scaling | None = Field(
        None, description="Pods of a skill that serves requests, 2 to 4 when left out."
    )
    spot: Flag | None = Field(
        None, description="May run on spot nodes, which AWS takes back at two minutes' notice."
    )
    priority: Priority | None = Field(
        None, description="Which pods give way first when nodes are full: batch before standard."
    )
    timeout_seconds: Annotated[int, whole(1, 3600, 300)] | None = Field(
        None, description="Seconds after which an execution is stopped; 300 when left out."
    )


class Tokens(Model):
    """What one execution sends to its model and gets back, all its calls together."""

    input: Annotated[int, whole(1, 100_000_000, 6000)] = Field(
        description="Tokens sent: prompts, tools' answers and what is repeated from call to call."
    )
    output: Annotated[int, whole(1, 10_000_000, 800)] = Field(description="Tokens answered.")


class Skill(Work):
    """One thing an agent can do: what runs, is budgeted, versioned and measured on its own.

    With `schedule` it becomes a CronJob, with `sessions` a pool of sandboxes, else a service.
    """

    name: Name = Field(description="Unique within the agent.", examples=["triage-and-assign"])
    description: Text = Field(
        description="What it does, for the catalogue and the reviewer.",
        examples=["Orders the open tickets and assigns each to whoever can close it."],
    )
    schedule: Schedule | None = Field(
        None, description="When it runs, as five cron fields; makes it a CronJob."
    )
    time_zone: TimeZone | None = Field(
        None, description="IANA zone the schedule is read in; Etc/UTC when left out."
    )
    sessions: Sessions | None = Field(
        None, description="Each session in a sandbox of its own; makes it a warm pool."
    )
    budget: SkillBudget = Field(SkillBudget(), description="The most it may spend on models.")
    executions_per_day: Annotated[int, whole(1, 10_000_000, 400)] | None = Field(
        None,
        description="Executions expected a day in prod, for the cost estimate; a schedule's own"
        " runs when left out.",
    )
    tokens_per_execution: Tokens | None = Field(
        None,
        description="Tokens expected for one execution, for the cost estimate; without them only"
        " the budget is known.",
    )
    callers: tuple[AgentId, ...] = Field(
        (), description="Agents that may call it through the gateway; each must list it in `calls`."
    )


class DomainSkill(Skill):
    """A skill with an ID of two parts: the domain's own, run by one of its agents."""

    agent: Name = Field(description="The agent whose settings and identity it takes.")


class Agent(Work):
    """A role within the domain: skills that share an image, a model, tools and S3 prefix."""

    name: Name = Field(description="Unique within the domain.", examples=["manager"])
    description: Text | None = Field(
        None, description="What the role is for.", examples=["Works with the people in the field."]
    )
    calls: tuple[SkillId, ...] = Field(
        (), description="Skills it may call through the gateway; each must list it in `callers`."
    )
    database: Flag = Field(
        default=False, description="May connect to the database subnets (PostgreSQL and Valkey)."
    )
    skills: tuple[Skill, ...] = Field((), description="What it can do.")


class Egress(Model):
    """A host on the Internet the domain may call, through the egress gateway."""

    host: Host = Field(description="Its full name; no wildcards.")
    port: Annotated[int, whole(1, 65535, 443)] = Field(443, description="TLS port.")
    reason: Reason = Field(description="Why, for whoever reviews it.")


class Domain(Model):
    """A domain of the company: a namespace, a team, a budget and its agents."""

    name: Name = Field(description="The folder's name too.", examples=["wealth"])
    description: Text | None = Field(
        None, description="What the domain is for.", examples=["Answers customers."]
    )
    owner: Owner = Field(description="Who answers for it, and who pays.")
    budget: DomainBudget = Field(DomainBudget(), description="The most it may spend on models.")
    quota: Quota = Field(Quota(), description="The most it may ask of the cluster.")
    limits: Limits = Field(Limits(), description="The most one container may have.")
    sandbox: Sandbox = Field(Sandbox(), description="How its pods are isolated from the node.")
    delivery: Delivery = Field(
        "pulumi", description="Who applies the workloads; guard rails are always Pulumi's."
    )
    egress: tuple[Egress, ...] = Field((), description="Hosts it may call outside.")
    agents: tuple[Agent, ...] = Field(min_length=1, description="Its agents.")
    skills: tuple[DomainSkill, ...] = Field(
        (), description="Skills of the domain itself, with IDs of two parts."
    )
