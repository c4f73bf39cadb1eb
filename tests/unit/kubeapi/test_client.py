"""KubeClient against an HTTP server that answers as told: what is sent, and what comes of bad answers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from helmbroker.kubeapi.client import KubeClient
from helmbroker.kubeapi.errors import (
    MESSAGE_LIMIT,
    AlreadyExists,
    Conflict,
    ErrorKind,
    Forbidden,
    Invalid,
    KubeError,
    NoCluster,
    NotFound,
    Unauthorized,
    Unreachable,
)
from helmbroker.kubeapi.port import Obj

TOKEN = "canary-token-4711"
SECRET: Obj = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "credentials", "namespace": "shop"},
    "data": {"password": "Y2FuYXJ5LXBhc3N3b3Jk"},  # canary-password
}


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """A server that gives its answers in turn and keeps what it was asked."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)

    def answer(self, status: int, body: Any, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.append((status, {key.replace("_", "-"): value for key, value in headers.items()}, content))

    def status(self, status: int, reason: str, message: str, **details: Any) -> None:
        self.answer(status, {"kind": "Status", "reason": reason, "message": message, "details": details})


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(size)
            url = urlsplit(self.path)
            body = json.loads(content) if content else None
            headers = {key.lower(): value for key, value in self.headers.items()}
            told.requests.append(Request(self.command, url.path, parse_qs(url.query), headers, body))
            if not told.answers:
                told.hold.wait(10)
                self.close_connection = True
                return
            status, more, answer = told.answers.pop(0)
            self.send_response(status)
            for key, value in {"Content-Length": str(len(answer)), **more}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Keep the test's output quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        told.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield told
        told.hold.set()
        running.shutdown()
        thread.join()


def kubeconfig(tmp_path: Path, url: str) -> str:
    path = tmp_path / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": url}}],
        "users": [{"name": "me", "user": {"token": TOKEN}}],
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.fixture
def kube(server: Server, tmp_path: Path) -> Iterator[KubeClient]:
    client = KubeClient.from_environment(kubeconfig(tmp_path, server.url), timeout_s=0.5)
    yield client
    client.close()


def test_a_get_says_who_asks(server: Server, kube: KubeClient) -> None:
    server.answer(200, SECRET)
    assert kube.get("Secret", "shop", "credentials") == SECRET
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/api/v1/namespaces/shop/secrets/credentials")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["user-agent"] == "helmbroker"
    assert TOKEN not in repr(kube)


def test_names_cannot_leave_their_place_in_the_path(server: Server, kube: KubeClient) -> None:
    server.answer(200, SECRET)
    kube.get("Secret", "shop", "../../pods?x=1")
    (request,) = server.requests
    assert request.path == "/api/v1/namespaces/shop/secrets/..%2F..%2Fpods%3Fx%3D1"


@pytest.mark.parametrize(
    ("kind", "namespace", "path"),
    [
        ("Deployment", "shop", "/apis/apps/v1/namespaces/shop/deployments"),
        ("Deployment", None, "/apis/apps/v1/deployments"),
        ("Namespace", None, "/api/v1/namespaces"),
        ("NetworkPolicy", "shop", "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies"),
    ],
)
def test_kinds_have_their_place(
    server: Server, kube: KubeClient, kind: str, namespace: str | None, path: str
) -> None:
    server.answer(200, {"items": []})
    assert kube.list(kind, namespace) == []
    assert server.requests[0].path == path


def test_a_list_is_read_to_its_last_page(server: Server, kube: KubeClient) -> None:
    server.answer(200, {"items": [{"metadata": {"name": "a"}}], "metadata": {"continue": "more"}})
    server.answer(200, {"items": [{"metadata": {"name": "b"}}], "metadata": {"continue": ""}})
    found = kube.list("Pod", "shop", labels={"b": "2", "a": "1"}, fields={"status.phase": "Running"})
    assert [pod["metadata"]["name"] for pod in found] == ["a", "b"]
    assert {(pod["apiVersion"], pod["kind"]) for pod in found} == {("v1", "Pod")}
    first, second = server.requests
    assert first.query == {
        "limit": ["500"],
        "labelSelector": ["a=1,b=2"],
        "fieldSelector": ["status.phase=Running"],
    }
    assert second.query == {**first.query, "continue": ["more"]}


def test_apply_says_who_manages(server: Server, kube: KubeClient) -> None:
    server.answer(200, SECRET)
    kube.apply(SECRET, field_manager="helmbroker", force=True)
    (request,) = server.requests
    assert (request.method, request.headers["content-type"]) == ("PATCH", "application/apply-patch+yaml")
    assert request.query == {"fieldManager": ["helmbroker"], "force": ["true"]}
    assert request.body == SECRET


def test_a_patch_keeps_nulls_and_carries_the_precondition(server: Server, kube: KubeClient) -> None:
    server.answer(200, SECRET)
    kube.patch("Secret", "shop", "credentials", {"metadata": {"labels": {"x": None}}}, resource_version="7")
    (request,) = server.requests
    assert (request.method, request.headers["content-type"]) == ("PATCH", "application/merge-patch+json")
    assert request.body == {"metadata": {"labels": {"x": None}, "resourceVersion": "7"}}


def test_delete_carries_its_preconditions(server: Server, kube: KubeClient) -> None:
    server.status(200, "", "")
    assert kube.delete("Secret", "shop", "credentials", uid="u-1") is True
    assert server.requests[0].body == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
        "preconditions": {"uid": "u-1"},
    }


@pytest.mark.parametrize(
    ("status", "reason", "error", "kind"),
    [
        (400, "BadRequest", Invalid, ErrorKind.INVALID),
        (401, "Unauthorized", Unauthorized, ErrorKind.UNAUTHORIZED),
        (403, "Forbidden", Forbidden, ErrorKind.FORBIDDEN),
        (404, "NotFound", NotFound, ErrorKind.NOT_FOUND),
        (409, "AlreadyExists", AlreadyExists, ErrorKind.ALREADY_EXISTS),
        (409, "Conflict", Conflict, ErrorKind.CONFLICT),
        (410, "Expired", KubeError, ErrorKind.OTHER),
        (422, "Invalid", Invalid, ErrorKind.INVALID),
        (429, "TooManyRequests", Unreachable, ErrorKind.UNREACHABLE),
        (500, "InternalError", Unreachable, ErrorKind.UNREACHABLE),
        (503, "ServiceUnavailable", Unreachable, ErrorKind.UNREACHABLE),
    ],
)
def test_answers_become_errors(
    server: Server, kube: KubeClient, status: int, reason: str, error: type[KubeError], kind: ErrorKind
) -> None:
    server.status(status, reason, "the server's words", retryAfterSeconds=3)
    with pytest.raises(KubeError) as caught:
        kube.create(SECRET)
    assert type(caught.value) is error
    assert (caught.value.kind, caught.value.status, caught.value.reason) == (kind, status, reason)
    assert str(caught.value) == "cannot create Secret shop/credentials: the server's words"
    assert caught.value.retry_after_s == 3.0
    assert len(server.requests) == 1


def test_what_the_server_quotes_of_a_secret_is_blotted_out(server: Server, kube: KubeClient) -> None:
    server.status(
        400, "BadRequest", 'cannot handle {"password":"Y2FuYXJ5LXBhc3N3b3Jk"} (canary-password, tail-canary)'
    )
    with pytest.raises(Invalid) as caught:
        kube.create({**SECRET, "stringData": {"tail": "tail-canary", "short": "a"}})
    assert caught.value.message == 'cannot handle {"password":"***"} (***, ***)'


def test_long_words_are_cut(server: Server, kube: KubeClient) -> None:
    server.status(422, "Invalid", "x" * 100_000)
    with pytest.raises(Invalid) as caught:
        kube.create(SECRET)
    assert len(caught.value.message) == MESSAGE_LIMIT + len("...")


def test_a_gateway_in_between_is_not_repeated(server: Server, kube: KubeClient) -> None:
    server.answer(502, b"<html>Bad gateway</html>", Retry_After="7")
    with pytest.raises(Unreachable, match="HTTP 502 without a Kubernetes Status") as caught:
        kube.list("Secret", "shop")
    assert "html" not in str(caught.value)
    assert caught.value.retry_after_s == 7.0


def test_something_that_is_no_kubernetes_is_told(server: Server, kube: KubeClient) -> None:
    server.answer(200, b"<html>Welcome</html>")
    with pytest.raises(KubeError, match="is it a Kubernetes API server"):
        kube.get("Secret", "shop", "credentials")
    server.answer(302, b"", Location="/login")
    with pytest.raises(KubeError, match="HTTP 302"):
        kube.get("Secret", "shop", "credentials")


def test_no_answer_in_time_is_unreachable_and_not_tried_again(server: Server, kube: KubeClient) -> None:
    with pytest.raises(Unreachable, match=r"cannot create Secret shop/credentials: .* no answer within 0\.5 s"):
        kube.create(SECRET)
    assert len(server.requests) == 1


def test_an_answer_that_breaks_off_is_unreachable(server: Server, kube: KubeClient) -> None:
    server.answer(200, b"{", Content_Length="100", Connection="close")
    with pytest.raises(Unreachable, match="the connection failed"):
        kube.get("Secret", "shop", "credentials")


def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    kube = KubeClient.from_environment(kubeconfig(tmp_path, f"http://127.0.0.1:{port}"))
    with pytest.raises(Unreachable, match=f"cannot list Pods in shop: .*127.0.0.1:{port} .*connection refused"):
        kube.list("Pod", "shop")
    kube.close()


def test_a_server_that_does_not_speak_tls_is_told(server: Server, tmp_path: Path) -> None:
    kube = KubeClient.from_environment(kubeconfig(tmp_path, server.url.replace("http:", "https:")))
    with pytest.raises(Unreachable, match="TLS"):
        kube.server_version()
    kube.close()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "- a\n- list\n",
        "users: {unclosed",
        f"contexts: []\nusers:\n- name: me\n  user: {{token: {TOKEN}}}\ncurrent-context: none\nclusters: []\n",
        (
            f"contexts: [{{name: a, context: {{cluster: a, user: me}}}}]\nclusters: [{{name: a}}]\n"
            f"current-context: a\nusers: [{{name: me, token: {TOKEN}}}]\n"
        ),
    ],
)
def test_a_kubeconfig_that_is_none_is_told_without_its_content(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken"
    path.write_text(content)
    with pytest.raises(NoCluster, match="not a usable kubeconfig; set KUBECONFIG") as caught:
        KubeClient.from_environment(str(path))
    assert str(path) in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_kubeconfig_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoCluster, match="absent"):
        KubeClient.from_environment(str(tmp_path / "absent"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(NoCluster, match="no kubeconfig is set and this is not a pod"):
        KubeClient.from_environment()


def test_the_kubeconfig_of_the_environment_is_found(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path, server.url))
    server.answer(200, {"gitVersion": "v1.34.2"})
    kube = KubeClient.from_environment()
    assert kube.server_version() == "v1.34.2"
    kube.close()
