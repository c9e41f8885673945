"""A thin client for one Kubernetes API server: plain dicts in, plain dicts out.

Client certificates from a kubeconfig of the local platform, or a bearer token; keep-alive
connections that threads share, server-side apply, and a delete that waits until the object is gone.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
import urllib3
import yaml

from aspora.errors import LocalPlatformError
from local.discovery import ACCEPT, Ref, Resource, ref_of, resources, resources_of_crd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Object = dict[str, Any]

FIELD_MANAGER = "aspora"
CRD = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")

_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_TIMEOUT_SECONDS = 30.0
_ATTEMPTS = 6
_RETRIED = frozenset((429, 502, 503, 504))
_CONNECTIONS = 32
_START_AGAIN = "run `aspora up` again as before: it starts what no longer runs"
_ESTABLISH_SECONDS = 120.0  # a machine that builds something beside it takes its time


class KubeError(LocalPlatformError):
    """The API server refused a request. `message` names the object and holds the server's words."""

    def __init__(self, subject: str, status: int, reason: str, words: str) -> None:
        super().__init__(f"{subject}: {words}" if subject else words)
        self.status = status
        self.reason = reason
        self.words = words
        self.subject = subject


class UnknownKindError(KubeError):
    """The API server serves no such kind; usually its CustomResourceDefinition is missing."""

    def __init__(self, ref: Ref) -> None:
        words = f"the API server knows no kind {ref.kind} in {ref.api_version}"
        super().__init__(str(ref), 404, "NotFound", words)


class KubeClient:
    """One API server. Safe to share between threads.

    Every method raises `KubeError` when the server refuses, and `LocalPlatformError` when it does
    not answer at all.
    """

    def __init__(
        self,
        server: str,
        pool: urllib3.HTTPConnectionPool,
        *,
        bearer: str = "",
        hint: str = _START_AGAIN,
    ) -> None:
        """`bearer` is a token, where no certificate tells who we are; `hint` is said when the
        server does not answer."""
        self.server = server
        self._pool = pool
        self._authorization = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        self._hint = hint
        self._lock = threading.Lock()
        self._resources: dict[tuple[str, str], Resource] = {}

    @classmethod
    def from_kubeconfig(cls, path: Path) -> KubeClient:
        """Read the current context of a kubeconfig that names its certificates as files."""
        server, files = _read_kubeconfig(path)
        host, _, port = server.removeprefix("https://").partition(":")
        pool = urllib3.HTTPSConnectionPool(
            host,
            int(port or 443),
            maxsize=_CONNECTIONS,
            block=False,
            cert_file=files["client-certificate"],
            key_file=files["client-key"],
            ca_certs=files["certificate-authority"],
        )
        return cls(server, pool)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    # -- objects ---------------------------------------------------------------------------------

    def get(self, target: Ref | Mapping[str, Any]) -> Object | None:
        """The live object, or None when there is none (or not even its kind)."""
        ref = _as_ref(target)
        try:
            return self.request("GET", self._url(ref), subject=str(ref))
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    def apply(
        self,
        obj: Mapping[str, Any],
        *,
        dry_run: bool = False,
        force: bool = True,
        field_manager: str = FIELD_MANAGER,
    ) -> Object:
        """Server-side apply: create the object or make our fields of it what `obj` says."""
        ref = ref_of(obj)
        query = {
            "fieldManager": field_manager,
            "force": "true" if force else "false",
            "fieldValidation": "Strict",
        }
        if dry_run:
            query["dryRun"] = "All"
        url = f"{self._url(ref, wait=not dry_run)}?{urlencode(query)}"
        body = orjson.dumps(obj)
        deadline = time.monotonic() + (0 if dry_run else _ESTABLISH_SECONDS)
        while True:
            try:
                return self.request(
                    "PATCH", url, body, content="application/apply-patch+yaml", subject=str(ref)
                )
            except KubeError as error:
                if not _still_starting(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.2)

    def create(self, obj: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """POST a new object, reviews (SelfSubjectAccessReview) included. Never retried."""
        ref = ref_of(obj)
        resource = self.resource(ref)
        query = "?dryRun=All" if dry_run else ""
        url = resource.url(ref.namespace) + query
        return self.request("POST", url, orjson.dumps(obj), subject=str(ref))

    def delete(self, target: Ref | Mapping[str, Any], *, wait_seconds: float = 60) -> bool:
        """Delete and wait until the object is gone; False when there was nothing to delete.

        What it owned goes in the background. With `wait_seconds=0` nothing is waited for.
        """
        ref = _as_ref(target)
        body = orjson.dumps({"propagationPolicy": "Background"})
        try:
            answer = self.request("DELETE", self._url(ref), body, subject=str(ref))
        except KubeError as error:
            if error.status == 404:
                return False
            raise
        if answer.get("kind") != "Status" and wait_seconds > 0:
            self.wait_gone(ref, uid=answer["metadata"]["uid"], wait_seconds=wait_seconds)
        return True

    def wait_gone(self, ref: Ref, *, uid: str, wait_seconds: float = 60) -> None:
        """Wait until the object with this uid is no more; the error says what holds it."""
        deadline = time.monotonic() + wait_seconds
        pause = 0.02
        while True:
            live = self.get(ref)
            if live is None or live["metadata"]["uid"] != uid:
                return
            if time.monotonic() > deadline:
                raise LocalPlatformError(
                    f"{ref} is still there {wait_seconds:g} s after its deletion"
                    f"{_what_holds(live)}",
                    hint="see which controller owes that work, or remove the finalizer by hand",
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    def list(
        self,
        api_version: str,
        kind: str,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        metadata_only: bool = False,
    ) -> list[Object]:
        """The objects of a kind, everywhere or in one namespace, with apiVersion and kind set."""
        resource = self.resource(Ref(api_version, kind, "", ""))
        query = f"?{urlencode({'labelSelector': label_selector})}" if label_selector else ""
        answer = self.request(
            "GET",
            resource.url(namespace or "") + query,
            accept=_METADATA if metadata_only else "application/json",
            subject=f"list of {kind}",
        )
        items = answer.get("items") or []
        return [{**item, "apiVersion": api_version, "kind": kind} for item in items]

    def wait_established(self, crd_name: str, *, wait_seconds: float = _ESTABLISH_SECONDS) -> None:
        """Wait until the API server serves a CustomResourceDefinition, and learn its kinds."""
        deadline = time.monotonic() + wait_seconds
        while True:
            crd = self.get(Ref(*CRD, "", crd_name)) or {}
            conditions = {
                entry["type"]: entry for entry in (crd.get("status") or {}).get("conditions") or ()
            }
            if conditions.get("Established", {}).get("status") == "True":
                self._learn(resources_of_crd(crd))
                return
            if time.monotonic() > deadline:
                names = conditions.get("NamesAccepted", {})
                raise LocalPlatformError(
                    f"CustomResourceDefinition {crd_name} is not established after"
                    f" {wait_seconds:g} s: {names.get('message', 'no reason given')}"
                )
            time.sleep(0.05)

    # -- discovery -------------------------------------------------------------------------------

    def discover(self, *, refresh: bool = False) -> tuple[Resource, ...]:
        """Every kind the server serves (subresources left out), cached until `refresh`."""
        with self._lock:
            known = tuple(self._resources.values())
        if known and not refresh:
            return known
        for root in ("/api", "/apis"):
            self._learn(resources(self.request("GET", root, accept=ACCEPT, subject="discovery")))
        with self._lock:
            return tuple(self._resources.values())

    def resource(self, ref: Ref) -> Resource:
        """Where a kind lives; asks the server again, once, for a kind not seen before."""
        for refresh in (False, True):
            self.discover(refresh=refresh)
            with self._lock:
                found = self._resources.get((ref.api_version, ref.kind))
            if found:
                return found
        raise UnknownKindError(ref)

    def _learn(self, found: Iterator[Resource]) -> None:
        with self._lock:
            for resource in found:
                self._resources.setdefault((resource.api_version, resource.kind), resource)

    def _url(self, ref: Ref, *, wait: bool = False) -> str:
        try:
            resource = self.resource(ref)
        except UnknownKindError:
            name = self._crd_of(ref) if wait else None
            if name is None:
                raise
            self.wait_established(name)
            resource = self.resource(ref)
        if resource.namespaced and not ref.namespace:
            raise KubeError(str(ref), 400, "BadRequest", f"a {ref.kind} needs metadata.namespace")
        return resource.url(ref.namespace, ref.name)

    def _crd_of(self, ref: Ref) -> str | None:
        """The CustomResourceDefinition that is about to serve this kind, if there is one."""
        for crd in self.list(*CRD):
            spec = crd["spec"]
            if spec["group"] == ref.group and spec["names"]["kind"] == ref.kind:
                return str(crd["metadata"]["name"])
        return None

    # -- HTTP ------------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        content: str = "application/json",
        accept: str = "application/json",
        subject: str = "",
    ) -> Object:
        """One call; all but POST are repeated when the server is busy or a connection breaks."""
        headers = {"Accept": accept, "Content-Type": content, **self._authorization}
        attempts = 1 if method == "POST" else _ATTEMPTS
        for attempt in range(1, attempts + 1):
            status, data = self._send(method, path, body, headers, last=attempt == attempts)
            if 200 <= status < 300:
                return data
            reason = str(data.get("reason", ""))
            if attempt == attempts or not _may_pass(status, reason):
                break
            time.sleep(0.05 * 2**attempt)
        raise KubeError(subject, status, reason, str(data.get("message") or f"HTTP {status}"))

    def _send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], *, last: bool
    ) -> tuple[int, Object]:
        """Status and decoded body; status 503 for a broken connection that may be tried again."""
        try:
            answer = self._pool.request(
                method, path, body=body, headers=headers, retries=False, timeout=_TIMEOUT_SECONDS
            )
        except urllib3.exceptions.HTTPError as error:
            broken = isinstance(error, urllib3.exceptions.ProtocolError)
            if broken and not last:
                return 503, {}
            raise self._no_answer(error) from None
        try:
            data = orjson.loads(answer.data) if answer.data else {}
        except orjson.JSONDecodeError:
            data = {"message": answer.data.decode(errors="replace").strip()[:500]}
        return answer.status, data

    def _no_answer(self, error: Exception) -> LocalPlatformError:
        why = str(error).rpartition(": ")[2] or type(error).__name__
        return LocalPlatformError(
            f"the Kubernetes API server at {self.server} does not answer: {why}",
            hint=self._hint,
        )


def _as_ref(target: Ref | Mapping[str, Any]) -> Ref:
    return target if isinstance(target, Ref) else ref_of(target)


def _may_pass(status: int, reason: str) -> bool:
    """Whether a repeat may succeed. A 500 without a reason is a manifest that fits no schema."""
    return status in _RETRIED or (status, reason) in ((500, "InternalError"), (409, "Conflict"))


def _still_starting(error: KubeError) -> bool:
    """Whether the URL of a custom resource is not served yet (a plain 404 without details)."""
    return error.status == 404 and (
        "could not find the requested resource" in error.words or "page not found" in error.words
    )


def _what_holds(live: Object) -> str:
    """The finalizers and the unmet conditions of an object that will not go."""
    meta, spec = live["metadata"], live.get("spec") or {}
    finalizers = [*meta.get("finalizers", ())]
    if live.get("kind") == "Namespace":
        finalizers += spec.get("finalizers", ())
    notes = [
        entry["message"]
        for entry in (live.get("status") or {}).get("conditions") or ()
        if entry.get("status") == "True" and "Remaining" in entry.get("type", "")
    ]
    held = f": held by finalizer {', '.join(finalizers)}" if finalizers else ""
    return held + "".join(f"; {note}" for note in notes)


def _read_kubeconfig(path: Path) -> tuple[str, dict[str, str]]:
    """The server and the certificate files of the current context."""
    hint = "`aspora up` writes it"
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        context = _named(data, "contexts", data["current-context"])["context"]
        cluster = _named(data, "clusters", context["cluster"])["cluster"]
        user = _named(data, "users", context["user"])["user"]
        server = str(cluster["server"])
        files = {
            "certificate-authority": str(cluster["certificate-authority"]),
            "client-certificate": str(user["client-certificate"]),
            "client-key": str(user["client-key"]),
        }
    except OSError as error:
        raise LocalPlatformError(
            f"the kubeconfig {path} cannot be read: {error.strerror}", hint=hint
        ) from None
    except (yaml.YAMLError, KeyError, TypeError, StopIteration) as error:
        raise LocalPlatformError(
            f"the kubeconfig {path} is not one of the local platform (missing: {error})", hint=hint
        ) from None
    return server, {key: str(path.parent / value) for key, value in files.items()}


def _named(data: Mapping[str, Any], section: str, name: str) -> dict[str, Any]:
    return next(entry for entry in data[section] if entry["name"] == name)
