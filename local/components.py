"""The programs of the local control plane: their command lines, certificates and ports.

They are run by us rather than by `kwokctl`, which binds every port to all interfaces, leaves
etcd open to every user of the machine, and wants a kubectl or downloads one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from local.pki import Authority, Identity, write_key
from local.processes import LOOPBACK, environment, find, spawn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.paths import Paths

NAMES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
PORTS = ("etcd", "etcd-peer", "kube-apiserver")  # the other programs open none

# Simulated addresses: nodes have one of the block kept for documentation, pods a private one.
NODE_ADDRESS = "192.0.2.1"
POD_CIDR = "10.128.0.0/12"
NODE_GRACE_SECONDS = 200  # five times Kubernetes' own: a busy laptop must not lose its nodes

_STAGES = Path(__file__).parent / "stages.yaml"
_GROUPS = {"kube-controller-manager": "", "kube-scheduler": "", "kwok": "system:masters"}


@dataclass(frozen=True)
class Certificates:
    """What the programs and the administrator prove themselves with."""

    etcd_authority: Path
    etcd: Identity
    authority: Path
    apiserver: Identity
    admin: Identity
    accounts_key: Path


def data_folder(paths: Paths) -> Path:
    """Where etcd keeps its data."""
    return paths.cluster / "etcd"


def log_of(paths: Paths, name: str) -> Path:
    """The log of one program, begun anew at each start."""
    return paths.logs / f"{name}.log"


def pki_folder(paths: Paths) -> Path:
    """Where the certificates of this start are."""
    return paths.cluster / "pki"


def admin(paths: Paths) -> tuple[Path, Identity]:
    """The authority and the administrator's certificate as the last start left them."""
    folder = pki_folder(paths)
    return folder / "kubernetes.crt", Identity(folder / "admin.crt", folder / "admin.key")


def make_certificates(paths: Paths, server: str) -> Certificates:
    """New certificates, and the kubeconfigs of the programs that talk to the API server."""
    folder = pki_folder(paths)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    etcd = Authority(folder, "etcd-authority")
    kubernetes = Authority(folder, "kubernetes")
    for name, group in _GROUPS.items():
        identity = kubernetes.issue(name, f"system:{name}", group)
        write_kubeconfig(_kubeconfig(paths, name), server, kubernetes.certificate, identity)
    accounts_key = folder / "accounts.key"
    write_key(accounts_key)
    return Certificates(
        etcd_authority=etcd.certificate,
        etcd=etcd.issue("etcd", "etcd", server=True),
        authority=kubernetes.certificate,
        apiserver=kubernetes.issue("apiserver", "kube-apiserver", server=True),
        admin=kubernetes.issue("admin", "aspora-admin", "system:masters"),
        accounts_key=accounts_key,
    )


def write_kubeconfig(path: Path, server: str, authority: Path, identity: Identity) -> None:
    """A kubeconfig that names its certificates as files; replaced in one step."""
    import yaml

    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "aspora-local",
                "cluster": {"server": server, "certificate-authority": str(authority)},
            }
        ],
        "users": [
            {
                "name": "aspora-local",
                "user": {
                    "client-certificate": str(identity.certificate),
                    "client-key": str(identity.key),
                },
            }
        ],
        "contexts": [
            {
                "name": "aspora-local",
                "context": {"cluster": "aspora-local", "user": "aspora-local"},
            }
        ],
        "current-context": "aspora-local",
    }
    new = path.with_name(path.name + ".new")
    new.write_text(yaml.safe_dump(content, sort_keys=False))
    new.chmod(0o600)
    new.replace(path)


def running(paths: Paths, name: str) -> list[psutil.Process]:
    """Processes of this program that belong to this state folder."""
    return find(name, _marker(paths, name))


def start(
    name: str, tool: Path, paths: Paths, ports: Mapping[str, int], certificates: Certificates
) -> None:
    """Start one program in the background."""
    arguments = {
        "etcd": _etcd,
        "kube-apiserver": _apiserver,
        "kube-controller-manager": _controller_manager,
        "kube-scheduler": _scheduler,
        "kwok": _kwok,
    }[name](paths, ports, certificates)
    home = paths.cluster
    spawn(
        [str(tool), _marker(paths, name), *arguments],
        log=log_of(paths, name),
        env=environment(home),
    )


def _marker(paths: Paths, name: str) -> str:
    """The argument by which a program of this state folder is known."""
    if name == "etcd":
        return f"--data-dir={data_folder(paths)}"
    if name == "kube-apiserver":
        return f"--client-ca-file={admin(paths)[0]}"
    return f"--kubeconfig={_kubeconfig(paths, name)}"


def _kubeconfig(paths: Paths, name: str) -> Path:
    return pki_folder(paths) / f"{name}.kubeconfig"


def _etcd(_: Paths, ports: Mapping[str, int], certificates: Certificates) -> list[str]:
    clients = f"https://{LOOPBACK}:{ports['etcd']}"
    peers = f"https://{LOOPBACK}:{ports['etcd-peer']}"
    authority, (certificate, key) = certificates.etcd_authority, certificates.etcd
    return [
        "--name=aspora",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=aspora={peers}",
        f"--cert-file={certificate}",
        f"--key-file={key}",
        f"--trusted-ca-file={authority}",
        "--client-cert-auth=true",
        f"--peer-cert-file={certificate}",
        f"--peer-key-file={key}",
        f"--peer-trusted-ca-file={authority}",
        "--peer-client-cert-auth=true",
        "--unsafe-no-fsync=true",  # a power cut may cost this data, which `up` can make again
        "--quota-backend-bytes=8589934592",
        "--log-level=warn",
    ]


def _apiserver(_: Paths, ports: Mapping[str, int], certificates: Certificates) -> list[str]:
    certificate, key = certificates.apiserver
    return [
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={LOOPBACK}",
        "--endpoint-reconciler-type=none",  # a loopback address is no valid endpoint
        f"--secure-port={ports['kube-apiserver']}",
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--etcd-servers=https://{LOOPBACK}:{ports['etcd']}",
        f"--etcd-cafile={certificates.etcd_authority}",
        f"--etcd-certfile={certificates.etcd.certificate}",
        f"--etcd-keyfile={certificates.etcd.key}",
        "--anonymous-auth=false",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",  # as on EKS: Pod Security decides, not this switch
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={certificates.accounts_key}",
        f"--service-account-signing-key-file={certificates.accounts_key}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--enable-priority-and-fairness=false",
        "--max-requests-inflight=0",
        "--max-mutating-requests-inflight=0",
        "--profiling=false",
    ]


def _controller_manager(_: Paths, __: Mapping[str, int], certificates: Certificates) -> list[str]:
    return [
        f"--bind-address={LOOPBACK}",
        "--secure-port=0",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--root-ca-file={certificates.authority}",
        f"--service-account-private-key-file={certificates.accounts_key}",
        f"--node-monitor-grace-period={NODE_GRACE_SECONDS}s",
        "--kube-api-qps=5000",
        "--kube-api-burst=10000",
        "--profiling=false",
    ]


def _scheduler(_: Paths, __: Mapping[str, int], ___: Certificates) -> list[str]:
    return [
        f"--bind-address={LOOPBACK}",
        "--secure-port=0",
        "--leader-elect=false",
        "--kube-api-qps=5000",
        "--kube-api-burst=10000",
        "--profiling=false",
    ]


def _kwok(_: Paths, __: Mapping[str, int], ___: Certificates) -> list[str]:
    return [
        f"--config={_STAGES}",
        "--manage-all-nodes=true",
        f"--node-ip={NODE_ADDRESS}",
        f"--cidr={POD_CIDR}",
        f"--node-lease-duration-seconds={NODE_GRACE_SECONDS}",
    ]


def uses(process: psutil.Process, tool: Path) -> bool:
    """Whether a running program is the one asked for, not one of an earlier version."""
    with suppress(psutil.Error, IndexError):  # it may end while we look
        return os.path.normpath(process.cmdline()[0]) == os.path.normpath(tool)
    return False
