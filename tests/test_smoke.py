"""What `aspora smoke-test` calls well: kinds by kind, and how it reaches a real cluster."""

from __future__ import annotations

import base64
import http.server
import ssl
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import orjson
import pytest
import urllib3
from click.testing import CliRunner

from aspora import smoke
from aspora.cli import cli
from aspora.errors import AsporaError
from aspora.render import render
from infra import aws_session
from local import eks
from local.kube import KubeClient
from tests import certificates
from tests.core import platform, repository, settings

Object = dict[str, Any]
ROLLOUT = ("argoproj.io/v1alpha1", "Rollout")


def healthy(obj: Any) -> Object:
    """The object as a cluster shows it when all is well."""
    ready = [{"type": "Ready", "status": "True"}]
    replicas = obj.get("spec", {}).get("replicas", 1)
    status: Object = {"observedGeneration": 3, "conditions": ready, "phase": "Healthy"}
    status |= dict.fromkeys(("availableReplicas", "updatedReplicas", "readyReplicas"), replicas)
    if obj["kind"] == "Rollout":
        status["observedGeneration"] = "3"
    return {**obj, "metadata": {**obj["metadata"], "generation": 3}, "status": status}


def live(stack: str = "staging") -> tuple[list[Any], dict[smoke.Kind, list[Any]]]:
    objects = list(smoke.expected(platform(stack)))
    found: dict[smoke.Kind, list[Any]] = defaultdict(list)
    for obj in objects:
        found[(obj["apiVersion"], obj["kind"])].append(healthy(obj))
    return objects, found


def test_all_of_staging_is_well_when_every_status_says_so() -> None:
    objects, found = live()
    assert len(objects) > 400
    assert smoke.look(objects, found, controllers=True) == []


def test_an_object_that_is_not_there_is_named_with_its_kind() -> None:
    objects, found = live()
    gone = found[("networking.k8s.io/v1", "NetworkPolicy")].pop()
    (unwell,) = smoke.look(objects, found, controllers=True)
    meta = gone["metadata"]
    assert str(unwell) == f"NetworkPolicy {meta['namespace']}/{meta['name']}: it is not there"


def test_a_kind_that_is_not_served_is_each_of_its_objects() -> None:
    objects, found = live()
    count = len(found.pop(ROLLOUT))
    unwell = smoke.look(objects, found, controllers=False)
    assert [entry.kind for entry in unwell] == ["Rollout"] * count


def test_a_job_that_is_done_and_removed_is_well() -> None:
    objects, found = live()
    assert found.pop(("batch/v1", "Job"))
    assert smoke.look(objects, found, controllers=True) == []


SICK: dict[smoke.Kind, tuple[Object, str]] = {
    ("apps/v1", "Deployment"): ({"availableReplicas": 0}, "0 of"),
    ("apps/v1", "StatefulSet"): ({"updatedReplicas": 0}, "are new"),
    ("batch/v1", "Job"): ({"conditions": [{"type": "Failed", "status": "True"}]}, "it failed"),
    ROLLOUT: ({"phase": "Degraded"}, "it is Degraded"),
    ("extensions.agents.x-k8s.io/v1beta1", "SandboxWarmPool"): ({"readyReplicas": 0}, "0 of"),
}


@pytest.mark.parametrize("kind", sorted(smoke.HEALTH))
def test_each_kind_s_own_word_is_heard(kind: smoke.Kind) -> None:
    objects, found = live()
    waits = {"conditions": [{"type": "Ready", "status": "False", "message": "no such key"}]}
    change, why = SICK.get(kind, (waits, "it is not ready: no such key"))
    found[kind][0]["status"] |= change
    unwell = smoke.look(objects, found, controllers=True)
    assert [entry.kind for entry in unwell] == [kind[1]]
    assert why in unwell[0].why


@pytest.mark.parametrize("kind", [("apps/v1", "Deployment"), ROLLOUT])
def test_a_controller_that_has_not_seen_the_change_is_not_believed(kind: smoke.Kind) -> None:
    objects, found = live()
    found[kind][0]["metadata"]["generation"] = 4
    (unwell,) = smoke.look(objects, found, controllers=True)
    assert "has not seen the change" in unwell.why


def test_a_status_that_is_missing_is_not_well() -> None:
    objects, found = live()
    for entries in found.values():
        for obj in entries:
            del obj["status"]
    kinds = {entry.kind for entry in smoke.look(objects, found, controllers=True)}
    assert kinds == {kind for _, kind in smoke.HEALTH} - {"Job"}


def test_on_one_machine_only_what_it_makes_ready_is_asked() -> None:
    objects, found = live()
    for entries in found.values():
        for obj in entries:
            del obj["status"]
    kinds = {entry.kind for entry in smoke.look(objects, found, controllers=False)}
    assert kinds == {"Deployment"}


def test_what_argo_cd_applies_is_not_waited_for() -> None:
    first, *others = repository()
    argo = [first.model_copy(update={"delivery": "argocd"}), *others]
    mine = {f"{first.name}-"}
    objects = list(smoke.expected(render(argo, settings("staging"))))
    names = [obj["metadata"]["name"] for obj in objects if obj["kind"] in ("Rollout", "CronJob")]
    assert names
    assert not [name for name in names if name.startswith(tuple(mine))]
    assert any(obj["kind"] == "Application" for obj in objects)


def test_a_token_is_signed_for_one_cluster_and_the_client_sends_it() -> None:
    sts = boto3.client(
        "sts", region_name="us-east-1", aws_access_key_id="AKID", aws_secret_access_key="secret"
    )
    token = eks.token(sts, "aspora-staging")
    prefix, _, encoded = token.partition("k8s-aws-v1.")
    assert prefix == ""
    url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    query = parse_qs(urlsplit(url).query)
    assert query["Action"] == ["GetCallerIdentity"]
    assert query["X-Amz-Expires"] == ["60"]
    assert "x-k8s-aws-id" in query["X-Amz-SignedHeaders"][0].split(";")
    assert urlsplit(url).hostname == "sts.us-east-1.amazonaws.com"


class ApiServer:
    """Answers over TLS what kubectl would ask first, to whoever brings a token."""

    def __init__(self, folder: Path) -> None:
        certificates.write(folder, "localhost")
        asked = self.asked = list[tuple[str, str]]()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                token = self.headers.get("Authorization", "")
                asked.append((self.path, token))
                body = b'{"kind": "PodList", "items": [{"metadata": {"name": "a"}}]}'
                if self.path in ("/api", "/apis"):
                    body = orjson.dumps(_DISCOVERY if self.path == "/api" else {"items": []})
                self.send_response(200 if token.startswith("Bearer k8s-aws-v1.") else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


_DISCOVERY = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {"name": ""},
            "versions": [
                {
                    "version": "v1",
                    "resources": [
                        {
                            "resource": "pods",
                            "responseKind": {"group": "", "version": "v1", "kind": "Pod"},
                            "scope": "Namespaced",
                            "verbs": ["list"],
                        }
                    ],
                }
            ],
        }
    ],
}


@pytest.mark.parametrize("trusted", [True, False])
def test_a_real_stack_is_asked_over_tls_that_its_own_authority_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    server = ApiServer(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    certificates.write(other)
    authority = ((tmp_path if trusted else other) / "ca.crt").read_bytes()
    cluster = {
        "endpoint": f"https://localhost:{server.port}",
        "certificateAuthority": {"data": base64.b64encode(authority).decode()},
    }
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr(aws_session.Aws, "call", lambda *_, **__: {"cluster": cluster})
    client = eks.client(settings("staging"))
    try:
        if trusted:
            assert [pod["metadata"]["name"] for pod in client.list("v1", "Pod")] == ["a"]
            assert all(token.startswith("Bearer k8s-aws-v1.") for _, token in server.asked)
        else:
            with pytest.raises(AsporaError, match="does not answer") as caught:
                client.list("v1", "Pod")
            assert "inside the VPC" in caught.value.hint
            assert server.asked == []
    finally:
        client.close()
        server.close()


class Pool:
    """Remembers the headers, and answers a list."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []

    def request(self, *_: object, headers: dict[str, str], **__: object) -> Any:
        self.headers.append(headers)
        raise urllib3.exceptions.NewConnectionError(None, "no way")  # type: ignore[arg-type]


def test_a_cluster_that_does_not_answer_is_told_with_the_way_out() -> None:
    pool: Any = Pool()
    client = KubeClient("https://x.example", pool, bearer="abc", hint="run it inside the VPC")
    with pytest.raises(AsporaError) as caught:
        client.list("v1", "Pod")
    assert caught.value.hint == "run it inside the VPC"
    assert pool.headers[0]["Authorization"] == "Bearer abc"


def test_nothing_that_is_up_is_a_failure_with_the_command_that_starts_it(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASPORA_STATE", str(tmp_path))
    done = CliRunner().invoke(cli, ["smoke-test"], standalone_mode=False)
    assert isinstance(done.exception, AsporaError)
    assert "aspora up" in done.exception.hint
