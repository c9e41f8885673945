"""Kubernetes for the local platform: every resource is its manifest, applied server-side.

A preview sends the manifest as a dry run, so that it finds what the API server would refuse. A Helm
release is kept in the engine's state and not installed: the charts' webhooks need real pods.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from local.discovery import Ref, ref_of
from local.kube import CRD, FIELD_MANAGER, KubeError
from local.providers.base import Difference, ProviderError, Resource, Server, State, Values
from local.providers.immutable import fixed_fields, replacing
from local.providers.values import changes, holds_unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.kube import KubeClient, Object

_IMMUTABLE = re.compile(
    r"immutable|may not (be )?change|cannot change|updates to \S+ .*forbidden", re.IGNORECASE
)
_TERMINATING = "because it is being terminated"
_BOOKKEEPING = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid")

Holder = tuple[str, str, str, str]

RELEASE = "kubernetes:helm.sh/v3:Release"
"""Kept in the state alone; `aspora status` lists them as not installed."""
_NEEDED = ("chart", "name", "namespace", "values")


def serve_kubernetes(client: KubeClient, *, delete_seconds: float = 60) -> Server:
    """Start the stand-in for `kubernetes`. A delete waits `delete_seconds` for the object to go."""
    return Server(KubernetesStandIn(client, delete_seconds=delete_seconds))


class KubernetesStandIn:
    """Inputs are plain manifests; outputs are the same, so the state holds nothing live."""

    name = "kubernetes"

    def __init__(self, client: KubeClient, *, delete_seconds: float = 60) -> None:
        self._client = client
        self._delete_seconds = delete_seconds
        self._holders: dict[Holder, str] = {}
        self._replacing: set[str] = set()
        self._namespaces: dict[str, tuple[float, bool]] = {}

    def check(self, resource: Resource, inputs: Values) -> list[tuple[str, str]]:
        """The manifest must have an identity, and be of the kind that the type token says."""
        if resource.type == RELEASE:
            return [(name, "is missing") for name in _NEEDED if name not in inputs]
        ref = ref_of(inputs)
        problems = [
            (name, "is missing")
            for name, value in (
                ("apiVersion", ref.api_version),
                ("kind", ref.kind),
                ("metadata.name", ref.name),
            )
            if not value
        ]
        version = ref.api_version if "/" in ref.api_version else f"core/{ref.api_version}"
        token = f"kubernetes:{version}:{ref.kind}"
        if not problems and token != resource.type:
            problems.append(("kind", f"the manifest is a {token}, the resource a {resource.type}"))
        self._holders[_holder(ref)] = resource.urn
        return problems

    def diff(self, resource: Resource, old: Values, new: Values) -> Difference:
        """Every changed field; those Kubernetes never changes in place ask for a new object."""
        found = tuple(changes(old, new))
        if resource.type == RELEASE:
            return Difference(found)
        replaces = replacing(old, found)
        if replaces:
            self._replacing.add(resource.urn)
        return Difference(found, replaces)

    def create(self, resource: Resource, inputs: Values) -> tuple[str, Values]:
        """Apply; an object that is there already is adopted."""
        if resource.type == RELEASE:
            return f"{inputs['namespace']}/{inputs['name']}", inputs
        identity = _identity(ref_of(inputs))
        if not resource.preview:
            self._apply(inputs, may_replace=True)
        elif resource.urn not in self._replacing:
            self._rehearse(inputs, may_replace=True)
        self._replacing.discard(resource.urn)
        return identity, inputs

    def update(self, resource: Resource, old: State, new: Values) -> Values:
        """Apply; fields that the manifest no longer has go."""
        if resource.type == RELEASE:
            return new
        if resource.preview:
            self._rehearse(new, may_replace=False)
        else:
            self._apply(new, may_replace=False)
        return new

    def read(self, resource: Resource, state: State) -> State | None:
        """Gone, as we left it, or with the live values of our fields where someone changed them."""
        wanted = state.inputs or state.outputs
        if resource.type == RELEASE:
            return State(wanted, wanted)
        ref = ref_of(wanted)
        live = self._client.get(ref)
        if live is None or _is_going(live) or self._namespace_is_going(ref.namespace):
            return None
        if self._in_place(wanted, live):
            return State(wanted, wanted)
        drifted = _ours(wanted, live)
        return State(drifted, drifted)

    def delete(self, resource: Resource, state: State) -> None:
        """Delete and wait; not when another resource has taken the object over (a rename)."""
        if resource.type == RELEASE:
            return
        ref = ref_of(state.outputs or state.inputs)
        if self._holders.get(_holder(ref), resource.urn) == resource.urn:
            self._client.delete(ref, wait_seconds=self._delete_seconds)

    def invoke(self, token: str, arguments: Values) -> Values:
        """No data source of this provider is played."""
        raise ProviderError(f"{token} is not known to the local Kubernetes stand-in")

    def _apply(self, obj: Values, *, may_replace: bool) -> None:
        ref = ref_of(obj)
        try:
            live = self._client.apply(obj)
        except KubeError as error:
            if not (may_replace and self._is_ours_but_fixed(obj, error)):
                raise
            self._client.delete(ref, wait_seconds=self._delete_seconds)
            live = self._client.apply(obj)
        if _is_going(live):
            uid = live["metadata"]["uid"]
            self._client.wait_gone(ref, uid=uid, wait_seconds=self._delete_seconds)
            self._client.apply(obj)
        if (ref.api_version, ref.kind) == CRD:
            self._client.wait_established(ref.name)

    def _rehearse(self, obj: Values, *, may_replace: bool) -> None:
        """Send a dry run. A namespace or kind that this same run will make may be missing yet."""
        if holds_unknown(obj):
            return
        try:
            self._client.apply(obj, dry_run=True)
        except KubeError as error:
            if error.status == 404 or _TERMINATING in error.words:
                return
            if not (may_replace and self._is_ours_but_fixed(obj, error)):
                raise

    def _is_ours_but_fixed(self, obj: Values, error: KubeError) -> bool:
        """Whether a lost state met an object of ours that needs to be replaced, not changed."""
        if error.status != 422 or not _IMMUTABLE.search(error.words):
            return False
        live = self._client.get(obj) if len(fixed_fields(obj)) else None
        fields = live["metadata"].get("managedFields", ()) if live else ()
        return any(entry.get("manager") == FIELD_MANAGER for entry in fields)

    def _namespace_is_going(self, name: str) -> bool:
        """Whether all in it will be gone soon; asked once a second, for many objects share one."""
        if not name:
            return False
        asked, going = self._namespaces.get(name, (0.0, False))
        if time.monotonic() - asked > 1:
            live = self._client.get(Ref("v1", "Namespace", "", name))
            going = live is None or _is_going(live)
            self._namespaces[name] = (time.monotonic(), going)
        return going

    def _in_place(self, wanted: Values, live: Object) -> bool:
        """Whether applying again would change nothing."""
        try:
            after = self._client.apply(wanted, dry_run=True)
        except KubeError:
            return False
        return _without_bookkeeping(after) == _without_bookkeeping(live)


def _is_going(live: Object) -> bool:
    return "deletionTimestamp" in live["metadata"]


def _holder(ref: Ref) -> Holder:
    return ref.group, ref.kind, ref.namespace, ref.name


def _identity(ref: Ref) -> str:
    return f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name


def _without_bookkeeping(obj: Mapping[str, Any]) -> Object:
    meta = {key: value for key, value in obj["metadata"].items() if key not in _BOOKKEEPING}
    return {**obj, "metadata": meta}


def _ours(wanted: Any, live: Any) -> Any:
    """The live values of those fields that the manifest sets; a missing field stays missing."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return {key: _ours(value, live[key]) for key, value in wanted.items() if key in live}
    if isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        return [_ours(one, other) for one, other in zip(wanted, live, strict=True)]
    return live
