"""The programs that we run beside the charts: one pin a line, with where to look for the next.

A digest nobody has looked up stays null, and prod refuses to start with it (decision 16).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Program:
    """An image: its repository and tag, and the digest once somebody has looked it up."""

    name: str
    repository: str
    tag: str
    digest: str | None = None
    verified: bool = False

    @property
    def image(self) -> str:
        """As a pod names it; by digest where there is one."""
        return f"{self.repository}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


# github.com/agentgateway/agentgateway/releases
TOOL_GATEWAY = Program("agentgateway", "ghcr.io/agentgateway/agentgateway", "v1.5.0")
# Our own build of the MIT part of LiteLLM (decision 54); versions: the `litellm` package
MODEL_GATEWAY = Program("model-gateway", "ghcr.io/aspora/model-gateway", "1.109.1")
# github.com/valkey-io/valkey/releases
COUNTERS = Program("valkey", "docker.io/valkey/valkey", "9.1.1")
# This repository, with the `aspora` command
COMMAND = Program("aspora", "ghcr.io/aspora/platform", "v1.0.0")
# github.com/aws/aws-cli/tags
AWS_CLI = Program("aws-cli", "public.ecr.aws/aws-cli/aws-cli", "2.42.1")
# hub.docker.com/_/postgres: psql of the server's major version
PSQL = Program("postgres", "docker.io/library/postgres", "17")
# registry.k8s.io/kubectl: of the clusters' version (aspora:cluster.version)
KUBECTL = Program("kubectl", "registry.k8s.io/kubectl", "v1.37.2")

PROGRAMS = (TOOL_GATEWAY, MODEL_GATEWAY, COUNTERS, COMMAND, AWS_CLI, PSQL, KUBECTL)


def unverified() -> tuple[Program, ...]:
    """Those that prod must not run yet."""
    return tuple(one for one in PROGRAMS if one.digest is None or not one.verified)
