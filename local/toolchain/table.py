"""The programs of the local platform and where each may come from.

A version here equals the one that the Go module beside it requires; a test holds them together.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

ETCD = "3.7.3"  # next: github.com/etcd-io/etcd/releases
KUBERNETES = "1.37.2"  # next: kubernetes.io/releases
KWOK = "0.8.0"  # next: github.com/kubernetes-sigs/kwok/releases
PULUMI = "3.230.0"  # next: github.com/pulumi/pulumi/releases
OTELCOL = "0.158.0"  # next: github.com/open-telemetry/opentelemetry-collector-releases/releases
PROMETHEUS = "3.16.0"  # next: github.com/prometheus/prometheus/releases
ACTIONLINT = "1.7.12"  # next: github.com/rhysd/actionlint/releases
ALERTMANAGER = "0.35.0"  # next: github.com/prometheus/alertmanager/releases

System = tuple[str, str]  # operating system and processor, in Go's words


@dataclass(frozen=True)
class Download:
    """An official release file and the list of checksums its publisher puts beside it.

    `member` is the program's path inside the archive; empty when the file is the program. The
    checksum itself is not pinned here because it could not be looked up and verified.
    """

    url: str
    checksums: str
    member: str = ""


@dataclass(frozen=True)
class Tool:
    """One program: its version and how it is downloaded or built.

    `module` is a folder of local/tools, `package` what is built in it. `version_arguments` make
    the program print its version, `tags` are those of `go build`. A system that is missing in
    `downloads` is always built for.
    """

    name: str
    version: str
    module: str
    package: str
    ldflags: str = ""
    tags: str = ""
    version_arguments: tuple[str, ...] = ("--version",)
    downloads: Mapping[System, Download] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The folder of the tool cache for this version on this machine."""
        return "-".join((self.name, self.version, *this_system()))


def this_system() -> System:
    """This machine, in Go's words: ("linux", "amd64")."""
    machine = platform.machine().lower()
    known = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    return sys.platform, known.get(machine, machine)


def _kubernetes(name: str) -> Tool:
    major, minor, _ = KUBERNETES.split(".")
    variables = {"gitVersion": f"v{KUBERNETES}", "gitMajor": major, "gitMinor": minor}
    return Tool(
        name=name,
        version=KUBERNETES,
        module="kubernetes",
        package=f"k8s.io/kubernetes/cmd/{name}",
        ldflags=" ".join(
            f"-X k8s.io/component-base/version.{key}={value}" for key, value in variables.items()
        ),
        downloads={
            ("linux", cpu): Download(
                url=f"https://dl.k8s.io/v{KUBERNETES}/bin/linux/{cpu}/{name}",
                checksums=f"https://dl.k8s.io/v{KUBERNETES}/bin/linux/{cpu}/{name}.sha256",
            )
            for cpu in ("amd64", "arm64")
        },
    )


def _etcd() -> Tool:
    release = f"https://github.com/etcd-io/etcd/releases/download/v{ETCD}"
    return Tool(
        name="etcd",
        version=ETCD,
        module="etcd",
        package=".",
        downloads={
            ("linux", cpu): Download(
                url=f"{release}/etcd-v{ETCD}-linux-{cpu}.tar.gz",
                checksums=f"{release}/SHA256SUMS",
                member=f"etcd-v{ETCD}-linux-{cpu}/etcd",
            )
            for cpu in ("amd64", "arm64")
        },
    )


def _pulumi() -> Tool:
    release = "https://get.pulumi.com/releases/sdk"
    return Tool(
        name="pulumi",
        version=PULUMI,
        module="pulumi",
        package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        ldflags=f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI}",
        version_arguments=("version",),
        downloads={
            (system, cpu): Download(
                url=f"{release}/pulumi-v{PULUMI}-{system}-{their_cpu}.tar.gz",
                checksums=f"{release}/pulumi-{PULUMI}-checksums.txt",
                member="pulumi/pulumi",
            )
            for system in ("linux", "darwin")
            for cpu, their_cpu in (("amd64", "x64"), ("arm64", "arm64"))
        },
    )


# kwok's publisher is not known to put checksums beside the release: it is always built.
_KWOK = Tool(name="kwok", version=KWOK, module="kwok", package="sigs.k8s.io/kwok/cmd/kwok")

TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        _etcd(),
        _KWOK,
        _pulumi(),
        _kubernetes("kube-scheduler"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kube-apiserver"),
    )
}

# The published collector has a hundred components more; ours has those of our configuration, and
# is built, so that what tests run is what go.mod pins.
_OTELCOL = Tool(name="otelcol", version=OTELCOL, module="otelcol", package=".")


def _prometheus(name: str, project: str, version: str) -> Tool:
    """A program of the Prometheus project; `remove_all_sd` leaves out the discovery of targets in
    two dozen clouds, which nothing here uses."""
    release = f"https://github.com/prometheus/{project}/releases/download/v{version}"
    return Tool(
        name=name,
        version=version,
        module=project,
        package=f"github.com/prometheus/{project}/cmd/{name}",
        ldflags=f"-X github.com/prometheus/common/version.Version={version}",
        tags="remove_all_sd" if project == "prometheus" else "",
        downloads={
            ("linux", cpu): Download(
                url=f"{release}/{project}-{version}.linux-{cpu}.tar.gz",
                checksums=f"{release}/sha256sums.txt",
                member=f"{project}-{version}.linux-{cpu}/{name}",
            )
            for cpu in ("amd64", "arm64")
        },
    )


def _actionlint() -> Tool:
    """What looks at workflows, beside zizmor, which is a Python package (local/environments.py)."""
    release = f"https://github.com/rhysd/actionlint/releases/download/v{ACTIONLINT}"
    return Tool(
        name="actionlint",
        version=ACTIONLINT,
        module="actionlint",
        package="github.com/rhysd/actionlint/cmd/actionlint",
        ldflags=f"-X github.com/rhysd/actionlint.version={ACTIONLINT}",
        downloads={
            ("linux", cpu): Download(
                url=f"{release}/actionlint_{ACTIONLINT}_linux_{cpu}.tar.gz",
                checksums=f"{release}/actionlint_{ACTIONLINT}_checksums.txt",
                member="actionlint",
            )
            for cpu in ("amd64", "arm64")
        },
    )


OPTIONAL: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        _OTELCOL,
        _prometheus("promtool", "prometheus", PROMETHEUS),
        _prometheus("prometheus", "prometheus", PROMETHEUS),
        _prometheus("amtool", "alertmanager", ALERTMANAGER),
        _actionlint(),
    )
}
"""Programs that the local platform does without: tests use them where they have been made."""
