"""What a gVisor node does at its first boot, before it joins the cluster: EC2 user data.

A MIME archive that EKS's AL2023 image reads in two steps (awslabs/amazon-eks-ami): cloud-init runs
the shell part, which installs runsc; then nodeadm takes the NodeConfig part, which names runsc to
containerd, and starts containerd and the kubelet. So nothing here restarts containerd. Karpenter
adds a NodeConfig with the cluster's endpoint, and nodeadm merges the two.

nodeadm does not ask whether the script succeeded. So the script shuts the machine down unless it
came to its end: a node that joined without runsc would hold every pod it is given.
"""

from __future__ import annotations

from shlex import quote

from aspora.stack_aws import Gvisor

HANDLER = "runsc"
"""What containerd knows gVisor by; RuntimeClass `gvisor` names it."""
ARCHIVE = "gvisor-x86_64.tar.bz2"
LIMIT_BYTES = 16_384
"""EC2's limit before base64 (EC2 user guide); Karpenter's own part has to fit in as well."""

_BOUNDARY = "aspora-gvisor-node"

_ARCHIVE_OF_PARTS = """\
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="{boundary}"

--{boundary}
Content-Type: text/x-shellscript; charset="us-ascii"

{script}
--{boundary}
Content-Type: application/node.eks.aws

{node_config}
--{boundary}--
"""

# The end of the script is the only place that says `installed=yes`: whatever ends it earlier, an
# unset variable or a signal included, leads through the trap.
_SCRIPT = """\
#!/bin/bash
set -euo pipefail
umask 022

installed=no
finish() {
  [ "$installed" = yes ] && return
  echo "gVisor was not installed: this machine shuts down instead of joining" >&2
  shutdown -h now
}
trap finish EXIT

export AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=10
work=$(mktemp -d)
archive="$work/@archive@"
aws s3 cp --only-show-errors --region @region@ @source@ "$archive"
echo "@sha256@  $archive" | sha256sum --check --strict --quiet

command -v bzip2 >/dev/null || dnf install -y -q bzip2
tar -xjf "$archive" --no-same-owner -C /usr/local/bin
chmod 0755 /usr/local/bin/runsc /usr/local/bin/containerd-shim-runsc-v1
chmod -R a+rX,go-w /usr/local/bin/gvisor-bin
rm -rf "$work"

install -d -m 0755 /etc/containerd
cat >/etc/containerd/runsc.toml <<'EOF'
[runsc_config]
platform = "systrap"
systemd-cgroup = "true"
EOF

/usr/local/bin/runsc --platform=systrap --network=none 'do' /bin/true
installed=yes
"""

# `pod_annotations` lets a pod say how gVisor is to treat its own volumes; flags it cannot change.
_NODE_CONFIG = """\
apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  containerd:
    config: |
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.@handler@]
      runtime_type = "io.containerd.runsc.v1"
      pod_annotations = ["dev.gvisor.*"]

      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.@handler@.options]
      TypeUrl = "io.containerd.runsc.v1.options"
      ConfigPath = "/etc/containerd/runsc.toml"
"""


def archive_key(release: str) -> str:
    """Where a release lies in the tools bucket: the node role may read `gvisor/*` of it."""
    return f"gvisor/{release}/{ARCHIVE}"


def gvisor_node(runtime: Gvisor, bucket: str, region: str) -> str:
    """The user data of a node that installs `runtime` from `bucket`.

    Raises ValueError without a checksum; validation (ASP408) lets no such stack get here.
    """
    if runtime.sha256 is None:
        raise ValueError(f"gVisor {runtime.release} has no checksum")
    script = _filled(
        _SCRIPT,
        archive=ARCHIVE,
        region=quote(region),
        source=quote(f"s3://{bucket}/{archive_key(runtime.release)}"),
        sha256=runtime.sha256,
    )
    return _ARCHIVE_OF_PARTS.format(
        boundary=_BOUNDARY, script=script, node_config=_filled(_NODE_CONFIG, handler=HANDLER)
    )


def _filled(text: str, **values: str) -> str:
    """`text` with each @name@ replaced: the shell's own braces and dollars stay as they are."""
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
