"""Run a program without an engine, and keep what it registers.

The SDK's own mock monitor takes the place of the engine. What only AWS can know gets a made-up
value of the right form (an ARN, a host name), so that policy documents are whole; nothing is
called, and no credentials are read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pulumi
from pulumi.runtime import mocks

from aspora.registered import Registered

ACCOUNT = "123456789012"
SECRET = "[secret]"  # noqa: S105 - a placeholder
"""What stands in `inputs` where the program marked a value as secret."""
# Pulumi's protocol: how a secret is told from other maps. The SDK has no public name for it.
_SIGNATURE, _IS_SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
ZONES = ("a", "b", "c", "d")
Program = Callable[[], Awaitable[None] | None]


def record(
    program: Program,
    *,
    stack: str,
    project: str,
    region: str = "us-east-1",
    last_outputs: Mapping[str, Any] | None = None,
) -> tuple[Registered, ...]:
    """Everything `program` registers, by URN; its own errors pass through.

    `last_outputs` are what the stack exported in its last run.
    """
    made_up = _MadeUp(region, last_outputs or {})
    monitor = _Monitor(made_up)
    mocks.set_mocks(made_up, project=project, stack=stack, preview=False, monitor=monitor)
    run: Any = pulumi.runtime.test
    run(program)()
    # They arrive in the order of threads.
    return tuple(sorted(monitor.seen, key=lambda resource: resource.urn))


class _Monitor(mocks.MockMonitor):
    """The SDK's mock monitor, with the parts of a request that it does not hand on."""

    def __init__(self, made_up: mocks.Mocks) -> None:
        super().__init__(made_up)
        self.seen: list[Registered] = []

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        """Keep the request, then answer as the mock monitor does."""
        answer: Any = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            inputs = pulumi.runtime.rpc.deserialize_properties(request.object)
            self.seen.append(
                Registered(
                    type=request.type,
                    name=request.name,
                    urn=answer.urn,
                    inputs=_plain(inputs),
                    dependencies={
                        name: tuple(sorted(found.urns))
                        for name, found in request.propertyDependencies.items()
                        if found.urns
                    },
                    protect=request.protect,
                    retain=request.retainOnDelete,
                    parent=request.parent,
                )
            )
        return answer


def _plain(value: Any) -> Any:
    """Whole numbers as such, and no value of a secret: it never leaves the program."""
    if isinstance(value, Mapping):
        if value.get(_SIGNATURE) == _IS_SECRET:
            return SECRET
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    # The protocol knows floats alone.
    return int(value) if isinstance(value, float) and value.is_integer() else value


class _MadeUp(mocks.Mocks):
    """Outputs of the right form for what only AWS can know."""

    def __init__(self, region: str, last_outputs: Mapping[str, Any]) -> None:
        self._region = region
        self._last_outputs = dict(last_outputs)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """The inputs, and what the type computes."""
        if args.typ == "pulumi:pulumi:StackReference":
            return args.name, {"name": args.name, "outputs": self._last_outputs}
        if not args.typ.startswith("aws:"):
            return f"{args.name}-id", dict(args.inputs)
        computed = {"arn": self._arn(args), "name": args.name, **_COMPUTED.get(args.typ, {})}
        identity = f"{args.name}-id"
        return identity, _over(computed, args.inputs)

    def _arn(self, args: mocks.MockResourceArgs) -> str:
        service, _, kind = args.typ.split(":")[1].partition("/")
        if service == "s3":
            return f"arn:aws:s3:::{args.name}"
        if service == "iam":
            path = args.inputs.get("path", "/")
            return f"arn:aws:iam::{ACCOUNT}:{kind}{path}{args.name}"
        return f"arn:aws:{service}:{self._region}:{ACCOUNT}:{kind}/{args.name}"

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        """The data sources that the program asks."""
        answers: dict[str, dict[str, Any]] = {
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT},
            "aws:index/getPartition:getPartition": {"partition": "aws"},
        }
        return answers.get(args.token, {}), []


def _over(computed: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """`inputs` with what AWS adds to them, in the blocks that both have as well."""
    both = {
        name: _over(made_up, inputs[name])
        for name, made_up in computed.items()
        if isinstance(made_up, Mapping) and isinstance(inputs.get(name), Mapping)
    }
    return {**computed, **inputs, **both}


_COMPUTED: Mapping[str, dict[str, Any]] = {
    "aws:eks/cluster:Cluster": {
        "endpoint": "https://0123456789ABCDEF.gr7.us-east-1.eks.amazonaws.com",
        "certificateAuthority": {"data": "LS0tLS1CRUdJTi0tLS0t"},
        "identities": [
            {"oidcs": [{"issuer": "https://oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF"}]}
        ],
        "vpcConfig": {"clusterSecurityGroupId": "sg-0123456789abcdef0"},
    },
    "aws:rds/instance:Instance": {
        "address": "aspora.cluster.us-east-1.rds.amazonaws.com",
        "port": 5432,
        "resourceId": "db-ABCDEFGHIJKL01234",
        "masterUserSecrets": [
            {"secretArn": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:rds!db-0"}
        ],
    },
    "aws:elasticache/replicationGroup:ReplicationGroup": {
        "primaryEndpointAddress": "aspora.cache.amazonaws.com",
    },
    "aws:sqs/queue:Queue": {"url": f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/q"},
    "aws:route53/zone:Zone": {"zoneId": "Z0123456789ABCDEFGHIJ", "nameServers": ["ns-1.example"]},
}
