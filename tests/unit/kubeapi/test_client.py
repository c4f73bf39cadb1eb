"""KubeClient against an HTTP server that answers as told: what is sent, and what comes of bad answers."""

from __future__ import annotations

import json

import pytest

from helmbroker.kubeapi.client import KubeClient
from helmbroker.kubeapi.errors import (
    MESSAGE_LIMIT,
    AlreadyExists,
    Conflict,
    ErrorKind,
    Forbidden,
    Invalid,
    KubeError,
    NotFound,
    Unauthorized,
    Unreachable,
)
from helmbroker.kubeapi.port import Change, Obj
from tests.unit.kubeapi.answering import TOKEN, Server

SECRET: Obj = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "credentials", "namespace": "shop"},
    "data": {"password": "Y2FuYXJ5LXBhc3N3b3Jk"},  # canary-password
}


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


def test_a_watch_goes_on_from_the_list_and_reads_line_by_line(server: Server, kube: KubeClient) -> None:
    server.answer(200, {"items": [{"metadata": {"name": "a"}}], "metadata": {"resourceVersion": "41"}})
    pod = {"kind": "Pod", "metadata": {"name": "b"}}
    events = [{"type": "ADDED", "object": pod}, {"type": "DELETED", "object": pod}]
    server.answer(200, "\n".join(map(json.dumps, events)).encode())
    listed, changes = kube.watch("Pod", "shop", for_s=30)
    assert [each["metadata"]["name"] for each in listed] == ["a"]
    assert list(changes) == [Change(pod), Change(pod, deleted=True)]
    asked = server.requests[1]
    assert asked.path == "/api/v1/namespaces/shop/pods"
    assert asked.query == {"watch": ["1"], "timeoutSeconds": ["30"], "resourceVersion": ["41"]}


@pytest.mark.parametrize("at_once", [True, False])
def test_a_watch_that_the_server_has_forgotten_is_an_error(server: Server, kube: KubeClient, at_once: bool) -> None:
    gone = {"kind": "Status", "reason": "Expired", "message": "too old resource version", "code": 410}
    server.answer(200, {"items": [], "metadata": {"resourceVersion": "41"}})
    if at_once:
        server.answer(410, gone)
    else:
        server.answer(200, {"type": "ERROR", "object": gone})
    _, changes = kube.watch("Pod", "shop", for_s=30)
    with pytest.raises(KubeError, match="cannot watch Pods in shop: too old resource version") as caught:
        next(changes)
    assert caught.value.status == 410


def test_a_watch_without_a_word_ends_with_an_error(server: Server, impatient: KubeClient) -> None:
    server.answer(200, {"items": []})
    _, changes = impatient.watch("Pod", "shop", for_s=0.1)
    with pytest.raises(Unreachable, match=r"no answer within 0\.6 s"):
        next(changes)


def test_other_kinds_are_asked_of_the_server_once(server: Server, kube: KubeClient) -> None:
    resources = [
        {"name": "widgets/status", "kind": "Widget", "namespaced": True},
        {"name": "widgetry", "kind": "Widget", "namespaced": True},
    ]
    server.answer(200, {"kind": "APIResourceList", "resources": resources})
    server.answer(200, {"items": []})
    server.answer(200, {"metadata": {"name": "x"}})
    assert kube.list("Widget.v1.example.com", "shop") == []
    kube.create({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "x", "namespace": "shop"}})
    assert [request.path for request in server.requests] == [
        "/apis/example.com/v1",
        "/apis/example.com/v1/namespaces/shop/widgetry",
        "/apis/example.com/v1/namespaces/shop/widgetry",
    ]


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


SET = "(shop/db; apps/v1, Kind=StatefulSet)"


@pytest.mark.parametrize(
    "words",
    [
        f"failed to create typed patch object {SET}: .spec.x: field not declared in schema",
        (
            f"failed to convert new object {SET} to proper version: unable to convert unstructured object to "
            "apps/v1, Kind=StatefulSet: quantities must match the regular expression '^x$'"
        ),
    ],
    ids=["no such field", "no quantity"],
)
def test_what_server_side_apply_cannot_read_is_invalid_though_it_says_500(
    server: Server, kube: KubeClient, words: str
) -> None:
    server.status(500, "", words)
    with pytest.raises(Invalid):
        kube.apply(SECRET, field_manager="helmbroker")


def test_a_conversion_that_somebody_else_does_may_succeed_later(server: Server, kube: KubeClient) -> None:
    server.status(500, "", "failed to convert new object (a/b; x/v1, Kind=X) to proper version: webhook: EOF")
    with pytest.raises(Unreachable):
        kube.apply(SECRET, field_manager="helmbroker")


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


def test_no_answer_in_time_is_unreachable_and_not_tried_again(server: Server, impatient: KubeClient) -> None:
    with pytest.raises(Unreachable, match=r"cannot create Secret shop/credentials: .* no answer within 0\.5 s"):
        impatient.create(SECRET)
    assert len(server.requests) == 1


def test_an_answer_that_breaks_off_is_unreachable(server: Server, kube: KubeClient) -> None:
    server.answer(200, b"{", Content_Length="100", Connection="close")
    with pytest.raises(Unreachable, match="the connection failed"):
        kube.get("Secret", "shop", "credentials")


def test_what_is_served_is_asked_at_once(server: Server, kube: KubeClient) -> None:
    """Two requests, however many kinds there are."""
    core = {
        "version": "v1",
        "resources": [{"resource": "pods", "responseKind": {"kind": "Pod"}}, {"resource": "x"}],
    }
    server.answer(200, {"kind": "APIGroupDiscoveryList", "items": [{"metadata": {}, "versions": [core]}]})
    apps = {"version": "v1", "resources": [{"responseKind": {"group": "apps", "kind": "Deployment"}}]}
    groups = [{"metadata": {"name": "apps"}, "versions": [apps]}, {"metadata": {"name": "odd"}}]
    server.answer(200, {"kind": "APIGroupDiscoveryList", "items": groups})
    assert kube.api_versions() == ("apps/v1", "apps/v1/Deployment", "v1", "v1/Pod")
    assert [request.path for request in server.requests] == ["/api", "/apis"]
    assert server.requests[0].headers["accept"].startswith("application/json;g=apidiscovery.k8s.io;v=v2;")


def test_a_server_that_does_not_tell_what_it_serves(server: Server, kube: KubeClient) -> None:
    server.answer(200, {"kind": "APIVersions", "versions": ["v1"]})
    server.answer(200, {"kind": "APIGroupList", "groups": []})
    assert kube.api_versions() == ()


def test_in_the_name_of_somebody_else(server: Server, kube: KubeClient) -> None:
    """Beside the one that asks in its own."""
    for each in (kube.acting_as("system:serviceaccount:shop:alice"), kube):
        server.answer(200, SECRET)
        each.get("Secret", "shop", "credentials")
    assert [request.headers.get("impersonate-user") for request in server.requests] == [
        "system:serviceaccount:shop:alice",
        None,
    ]
