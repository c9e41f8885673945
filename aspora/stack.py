"""The settings of a stack, as `Pulumi.<stack>.yaml` holds them under `config:`.

One model for both readers: the core reads the file, to render without an engine, and `infra`
reads the same keys through `pulumi.Config`. Names that AWS makes up are not here: they never
appear in a rendered object.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from aspora.fields import Cidr, Flag, Host, Model, Name, Text, named, whole
from aspora.stack_aws import AwsSettings

PREFIX = "aspora:"
"""Pulumi's namespace of our keys: `aspora:environment` and so on."""

Environment = Literal["local", "staging", "prod"]
Region = Annotated[str, named(r"^[a-z]{2}(-[a-z]+)+-\d$", "AWS region", "us-east-1")]
Version = Annotated[str, named(r"^1\.\d{2}$", "Kubernetes minor version", '"1.37"')]
Registry = Annotated[
    str,
    named(r"^[a-z0-9.-]+(:\d+)?(/[a-z0-9._-]+)*$", "registry host", "ghcr.io"),
]
Url = Annotated[
    str,
    named(
        r"^https://[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+"
        r"(:[1-9][0-9]{0,4})?(/[A-Za-z0-9._~/-]*)?$",
        "https address",
        "https://portfolio.tools.example.com/mcp",
        400,
    ),
]
OPENROUTER = "openrouter.ai"
"""Where models are; only the model gateway may call it."""


ClusterName = Annotated[
    str,
    # The strictest are ElastiCache's: 40 characters, "-cache-platform" among them, and no two
    # hyphens in a row.
    named(
        r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        "name of a cluster of 1 to 25 lower-case letters, digits and hyphens",
        "aspora-staging",
        25,
    ),
]


class Network(Model):
    """Address ranges that NetworkPolicies have to name, since no label stands for them."""

    vpc_cidr: Cidr = Field(description="The VPC.")
    node_cidrs: tuple[Cidr, ...] = Field(min_length=1, description="Subnets of nodes and pods.")
    database_cidrs: tuple[Cidr, ...] = Field(
        min_length=1, description="Subnets of PostgreSQL and Valkey."
    )
    endpoint_cidrs: tuple[Cidr, ...] = Field(
        min_length=1, description="Subnets of the interface endpoints, S3's among them."
    )


class Cluster(Model):
    """The Kubernetes cluster of the stack."""

    name: ClusterName = Field(description="Its name in EKS; names on AWS begin with it.")
    version: Version = Field(description="Kubernetes minor version.")


class Images(Model):
    """Where the images of agents come from."""

    registry: Registry = Field(description="Put before every image of a domain file.")
    allowed: tuple[Registry, ...] = Field(
        (), description="Prefixes that images of domains must have; the registry when left out."
    )


class GitOps(Model):
    """Where Argo CD finds the rendered objects of domains with `delivery: argocd`."""

    repo_url: Text = Field(
        alias="repoURL",
        description="The Git repository.",
        examples=["https://github.com/aspora/platform"],
    )
    branch: Text = Field(
        description="The branch that CI writes the rendered tree to.", examples=["rendered/prod"]
    )
    path: Text = Field(
        "rendered", description="The folder in it; one sub-folder a domain.", examples=["rendered"]
    )


class ToolServerAddress(Model):
    """An MCP server that domain files may name in `tools`, and where it is."""

    name: Name = Field(description="As domain files write it.", examples=["portfolio"])
    url: Url = Field(
        description="Its Streamable HTTP endpoint; the tool gateway calls nothing else there.",
        examples=["https://portfolio.tools.example.com/mcp"],
    )


def server_host(url: str) -> str:
    """The host of a tool server's address."""
    return urlsplit(url).hostname or ""


class OutsideCallers(Model):
    """Whose tokens (JWT) aspora-gateway takes from callers outside the cluster."""

    issuer: Url = Field(
        description="The `iss` claim of the tokens.", examples=["https://login.example.com"]
    )
    jwks_uri: Url = Field(
        alias="jwksURI",
        description="Where the issuer's public keys are; istiod reads them.",
        examples=["https://login.example.com/.well-known/jwks.json"],
    )
    audiences: tuple[Text, ...] = Field(
        min_length=1, description="A token's `aud` holds one of these.", examples=[["aspora"]]
    )


class SandboxOverhead(Model):
    """What gVisor itself takes of a node for each pod (RuntimeClass overhead)."""

    cpu_millis: Annotated[int, whole(0, 4000, 100)] = Field(
        100, description="Millicores. Not measured yet: a starting value."
    )
    memory_mib: Annotated[int, whole(0, 8192, 128)] = Field(
        128, alias="memoryMiB", description="MiB. Not measured yet: a starting value."
    )


class StackSettings(Model):
    """Everything in which one stack differs from another."""

    model_config = ConfigDict(alias_generator=lambda name: PREFIX + to_camel(name))

    environment: Environment = Field(description="What the stack is for; prod is strictest.")
    region: Region = Field(description="AWS region.")
    cluster: Cluster = Field(description="The Kubernetes cluster.")
    network: Network = Field(description="Address ranges.")
    images: Images = Field(description="Where images come from.")
    public_host: Host = Field(description="Host name of the ingress gateway.")
    gitops: GitOps = Field(description="Where Argo CD reads.")
    progressive_delivery: Flag = Field(
        default=True, description="Service skills are Argo Rollouts; else plain Deployments."
    )
    sandbox_overhead: SandboxOverhead = Field(
        SandboxOverhead(), description="What gVisor takes for each pod."
    )
    tool_servers: tuple[ToolServerAddress, ...] = Field(
        (), description="The MCP servers behind the tool gateway."
    )
    outside_callers: OutsideCallers | None = Field(
        None,
        description="Who may call skills from outside; nobody when left out. prod needs it.",
    )
    minimal_replicas: Flag = Field(
        default=False,
        description="One pod of each service skill until load asks for more, and one warm sandbox.",
    )
    aws: AwsSettings | None = Field(
        None, description="The AWS side; staging and prod need it, `local` has none."
    )

    @property
    def digests_required(self) -> bool:
        """Whether an image has to be pinned by digest: in prod only."""
        return self.environment == "prod"

    @property
    def allowed_registries(self) -> tuple[str, ...]:
        """Prefixes, each ending in a slash, that validation and the admission policy accept."""
        prefixes = self.images.allowed or (self.images.registry,)
        return tuple(f"{prefix}/" for prefix in prefixes)
