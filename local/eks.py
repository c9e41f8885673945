"""A client of a real stack's API server, with the caller's own AWS credentials."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlsplit

import urllib3

from aspora.stack import StackSettings
from infra.aws_session import Aws
from local.kube import KubeClient

TOKEN_SECONDS = 60
"""How long the signature of a token is valid; EKS takes it for 15 minutes from then."""
_OUTSIDE = "its endpoint is private: run this inside the VPC, or from a network that it lets in"


def client(settings: StackSettings) -> KubeClient:
    """Of the stack's cluster. Raises AwsError."""
    aws = Aws(settings.region)
    found = aws.call("eks", "describe_cluster", name=settings.cluster.name)["cluster"]
    address = urlsplit(found["endpoint"])
    pool = urllib3.HTTPSConnectionPool(
        str(address.hostname),
        address.port or 443,
        ca_cert_data=base64.b64decode(found["certificateAuthority"]["data"]).decode(),
    )
    bearer = token(aws.client("sts"), settings.cluster.name)
    return KubeClient(found["endpoint"], pool, bearer=bearer, hint=_OUTSIDE)


def token(sts: Any, cluster: str) -> str:
    """What `aws eks get-token` prints: a signed GetCallerIdentity, bound to one cluster by a header
    (github.com/kubernetes-sigs/aws-iam-authenticator, API authorization from outside)."""

    def bind(request: Any, **_: Any) -> None:
        request.headers["x-k8s-aws-id"] = cluster

    sts.meta.events.register("before-sign.sts.GetCallerIdentity", bind)
    url = sts.generate_presigned_url(
        "get_caller_identity", ExpiresIn=TOKEN_SECONDS, HttpMethod="GET"
    )
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
