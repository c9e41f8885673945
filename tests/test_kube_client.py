"""The API client: discovery and errors with a played server, the rest on the real one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
import urllib3

from aspora.errors import LocalPlatformError
from local.discovery import Ref, ref_of, resources, resources_of_crd
from local.kube import KubeClient, KubeError, UnknownKindError
from local.sweep import orphans, remove

CONFIG = {"apiVersion": "v1", "kind": "ConfigMap"}
LABELS = {"app.kubernetes.io/managed-by": "aspora-test"}
SELECTOR = "app.kubernetes.io/managed-by=aspora-test"


def config_map(namespace: str, name: str = "settings", **fields: Any) -> dict[str, Any]:
    return {**CONFIG, "metadata": {"name": name, "namespace": namespace}, **fields}


def widget_crd(group: str) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {"size": {"type": "integer", "minimum": 1}},
                                }
                            },
                        }
                    },
                }
            ],
        },
    }


# --- refs and discovery -------------------------------------------------------------------------


def test_a_ref_says_what_a_person_would() -> None:
    assert str(ref_of(config_map("wealth"))) == "ConfigMap wealth/settings"
    assert str(Ref("v1", "Namespace", "", "wealth")) == "Namespace wealth"
    assert Ref("apps/v1", "Deployment", "a", "b").group == "apps"
    assert Ref("v1", "Pod", "a", "b").group == ""


def test_discovery_knows_the_url_of_each_kind() -> None:
    entry = {"responseKind": {"kind": "Role"}, "resource": "roles", "scope": "Namespaced"}
    listing = {
        "items": [
            {
                "metadata": {"name": "rbac.authorization.k8s.io"},
                "versions": [{"version": "v1", "resources": [{**entry, "verbs": ["get"]}]}],
            }
        ]
    }
    (role,) = resources(listing)
    assert role.url("wealth", "team") == (
        "/apis/rbac.authorization.k8s.io/v1/namespaces/wealth/roles/team"
    )
    assert role.url() == "/apis/rbac.authorization.k8s.io/v1/roles"


def test_a_definition_adds_its_served_versions_only() -> None:
    crd = widget_crd("example.test")
    crd["spec"]["versions"].append({"name": "v0", "served": False})
    assert [found.api_version for found in resources_of_crd(crd)] == ["example.test/v1"]


# --- a played server ----------------------------------------------------------------------------


class Played:
    """Answers each request with the next of `answers`: (status, body)."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.requests: list[str] = []
        played = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                played.requests.append(f"{self.command} {self.path.partition('?')[0]}")
                status, body = played.answers.pop(0)
                data = body if isinstance(body, bytes) else orjson.dumps(body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def client(self) -> KubeClient:
        port = self.server.server_address[1]
        pool = urllib3.HTTPConnectionPool("127.0.0.1", port)
        return KubeClient(f"http://127.0.0.1:{port}", pool)

    def stop(self) -> None:
        if self.thread.is_alive():
            self.server.shutdown()
            self.thread.join()
            self.server.server_close()


@pytest.fixture
def played() -> Iterator[Played]:
    played = Played()
    yield played
    played.stop()


def test_a_busy_server_is_asked_again_and_a_refusal_is_not(played: Played) -> None:
    client = played.client()
    played.answers = [(429, {}), (503, {}), (409, {"reason": "Conflict"}), (200, {"ok": True})]
    assert client.request("GET", "/x") == {"ok": True}
    assert len(played.requests) == 4
    played.answers = [(500, {"message": "no such field"})]
    with pytest.raises(KubeError, match="no such field"):
        client.request("GET", "/x")
    assert len(played.requests) == 5
    client.close()


def test_a_post_is_never_sent_twice(played: Played) -> None:
    client = played.client()
    played.answers = [(503, {"message": "busy"})]
    with pytest.raises(KubeError) as caught:
        client.request("POST", "/x", b"{}", subject="Review")
    assert (caught.value.status, caught.value.message) == (503, "Review: busy")
    client.close()


def test_an_answer_that_is_no_json_is_shown_as_it_is(played: Played) -> None:
    client = played.client()
    played.answers = [(404, b"404 page not found\n")]
    with pytest.raises(KubeError, match=r"^Role a/b: 404 page not found$"):
        client.request("GET", "/x", subject="Role a/b")
    client.close()


def test_no_server_is_an_error_with_a_way_out(played: Played) -> None:
    client = played.client()
    played.stop()
    with pytest.raises(LocalPlatformError) as caught:
        client.get(config_map("wealth"))
    assert "does not answer" in caught.value.message
    assert client.server in caught.value.message
    assert "Connection refused" in caught.value.message
    assert "aspora up" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read: No such file or directory"),
        ("a: [", "is not one of the local platform"),
        ("current-context: x\ncontexts: []", "is not one of the local platform"),
        ("- 1", "is not one of the local platform"),
    ],
)
def test_a_bad_kubeconfig_is_an_error_with_a_way_out(
    tmp_path: Path, text: str | None, words: str
) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(LocalPlatformError) as caught:
        KubeClient.from_kubeconfig(path)
    assert words in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.hint


# --- the real server ----------------------------------------------------------------------------


@pytest.mark.engine
def test_apply_makes_changes_and_takes_away(cluster: KubeClient, namespace: str) -> None:
    cluster.apply(config_map(namespace, data={"a": "1", "b": "2"}))
    cluster.apply(config_map(namespace, data={"a": "3"}))
    live = cluster.get(config_map(namespace))
    assert live is not None
    assert live["data"] == {"a": "3"}


@pytest.mark.engine
def test_a_dry_run_changes_nothing(cluster: KubeClient, namespace: str) -> None:
    cluster.apply(config_map(namespace), dry_run=True)
    assert cluster.get(config_map(namespace)) is None


@pytest.mark.engine
def test_refusals_name_the_object_and_hold_the_servers_words(
    cluster: KubeClient, namespace: str
) -> None:
    with pytest.raises(KubeError, match=rf"^ConfigMap {namespace}/settings: .*\.dta.* schema"):
        cluster.apply(config_map(namespace, dta={}))
    with pytest.raises(KubeError, match=r'^ConfigMap nowhere/settings: namespaces "nowhere"') as no:
        cluster.apply(config_map("nowhere"), dry_run=True)
    assert no.value.status == 404
    with pytest.raises(UnknownKindError, match="knows no kind ConfigMap in v9"):
        cluster.apply({**config_map(namespace), "apiVersion": "v9"})
    with pytest.raises(KubeError, match=r"needs metadata\.namespace"):
        cluster.apply({**CONFIG, "metadata": {"name": "x"}})


@pytest.mark.engine
def test_delete_says_whether_there_was_anything(cluster: KubeClient, namespace: str) -> None:
    cluster.apply(config_map(namespace))
    assert cluster.delete(config_map(namespace)) is True
    assert cluster.delete(config_map(namespace)) is False
    assert cluster.delete(Ref("no.such/v1", "Thing", namespace, "x")) is False


@pytest.mark.engine
def test_a_delete_that_hangs_names_the_finalizer(cluster: KubeClient, namespace: str) -> None:
    held = config_map(namespace, "held")
    held["metadata"]["finalizers"] = ["example.test/wait"]
    cluster.apply(held)
    with pytest.raises(LocalPlatformError, match=r"held is still there .*: held by finalizer exam"):
        cluster.delete(held, wait_seconds=0.2)
    cluster.apply(config_map(namespace, "held"))  # lets the finalizer go
    assert cluster.get(held) is None


@pytest.mark.engine
def test_delete_waits_until_a_namespace_is_gone(cluster: KubeClient) -> None:
    obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "short-lived"}}
    cluster.apply(obj)
    cluster.apply(config_map("short-lived"))
    assert cluster.delete(obj) is True
    assert cluster.get(obj) is None
    cluster.apply(obj)
    cluster.delete(obj, wait_seconds=0)


@pytest.mark.engine
def test_objects_follow_their_definition_at_once(cluster: KubeClient, namespace: str) -> None:
    crd = widget_crd("follow.test")
    widget = {
        "apiVersion": "follow.test/v1",
        "kind": "Widget",
        "metadata": {"name": "one", "namespace": namespace},
        "spec": {"size": 2},
    }
    with pytest.raises(UnknownKindError):
        cluster.apply(widget)
    cluster.apply(crd)
    cluster.apply(widget)
    with pytest.raises(KubeError, match="size") as caught:
        cluster.apply({**widget, "spec": {"size": 0}})
    assert caught.value.status == 422
    assert [ref_of(found).name for found in cluster.list("follow.test/v1", "Widget")] == ["one"]
    cluster.delete(crd)
    assert cluster.get(widget) is None


@pytest.mark.engine
def test_reviews_can_be_posted(cluster: KubeClient) -> None:
    attributes = {"resource": "pods", "verb": "create", "namespace": "default"}
    answer = cluster.create(
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
    )
    assert answer["status"]["allowed"] is True


@pytest.mark.engine
def test_threads_share_one_client(cluster: KubeClient, namespace: str) -> None:
    def work(number: int) -> None:
        cluster.apply(config_map(namespace, f"n{number}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(40)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started < 20
    names = {
        found["metadata"]["name"] for found in cluster.list("v1", "ConfigMap", namespace=namespace)
    }
    assert {f"n{number}" for number in range(40)} <= names


# --- the sweep ----------------------------------------------------------------------------------


def labelled(obj: dict[str, Any]) -> dict[str, Any]:
    return {**obj, "metadata": {**obj["metadata"], "labels": LABELS}}


@pytest.mark.engine
def test_the_sweep_finds_and_removes_exactly_what_nobody_wants(
    cluster: KubeClient, namespace: str
) -> None:
    crd = labelled(widget_crd("sweep.test"))
    other = labelled({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "swept"}})
    wanted = labelled(config_map(namespace, "wanted"))
    left = labelled(config_map(namespace, "left"))
    stranger = config_map(namespace, "stranger")
    widget = labelled(
        {
            "apiVersion": "sweep.test/v1",
            "kind": "Widget",
            "metadata": {"name": "one", "namespace": "swept"},
        }
    )
    for obj in (crd, other, wanted, left, stranger, widget):
        cluster.apply(obj)
    owner = cluster.get(wanted)
    assert owner is not None
    owned = labelled(config_map(namespace, "owned"))
    owned["metadata"]["ownerReferences"] = [
        {**CONFIG, "name": "wanted", "uid": owner["metadata"]["uid"]}
    ]
    cluster.apply(owned)

    found = orphans(cluster, SELECTOR, {ref_of(wanted)})
    assert found == [ref_of(widget), ref_of(left), ref_of(other), ref_of(crd)]
    assert remove(cluster, found) == 4
    assert orphans(cluster, SELECTOR, {ref_of(wanted)}) == []
    assert cluster.get(wanted) is not None
    assert cluster.get(stranger) is not None
    assert remove(cluster, found) == 0
