"""App releases on real pods: no request fails, failures are explained, little is needed and nothing is left."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from helmbroker.controller_bridge.apps.kubernetes import KubernetesAppReleases
from helmbroker.controller_bridge.apps.patience import UNSCHEDULABLE_S
from helmbroker.controller_bridge.apps.port import Broken, ConfigChange, Healthy, ReleaseState, Rolling, Rollout
from helmbroker.kubeapi.client import KubeClient
from helmbroker.kubeapi.port import Kube, Obj
from tests.cluster.reach import eventually, pause
from tests.cluster.shop import IMAGE, PATIENT, environments, image_change, process, serving

pytestmark = pytest.mark.cluster

SERVER = """
import http.server, os, signal, sys
if os.environ.get("BREAK"):
    print("starting", "refused by " + os.environ["BREAK"], sep="\\n", file=sys.stderr)
    sys.exit(3)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ.get("GREETING", "none").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
CUSTOMER = """
import collections, json, time, urllib.request
seen, failed, begun = collections.Counter(), [], time.monotonic()
while seen["end"] < 100 and time.monotonic() < begun + 300:
    try:
        seen[urllib.request.urlopen("http://shop-web:8080/", timeout=30).read().decode()] += 1
    except Exception as error:
        failed.append(f"{time.monotonic() - begun:.1f} s: {type(error).__name__}: {error}"[:100])
    time.sleep(0.01)
open("/dev/termination-log", "w").write(json.dumps({"seen": seen, "failed": failed[:10]}))
"""
RIGHTS: list[dict[str, list[str]]] = [
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "patch"]},
    {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "create", "patch", "delete"]},
]


def web(namespace: str, **container: Any) -> Obj:
    """Two pods that serve HTTP, and go on serving while the cluster still sends them requests."""
    made = process(
        namespace,
        "web",
        replicas=2,
        command=["python3", "-c", SERVER],
        ports=[{"containerPort": 8080}],
        readinessProbe={"httpGet": {"path": "/", "port": 8080}, **PATIENT},
        lifecycle={"preStop": {"sleep": {"seconds": 5}}},
        **container,
    )
    made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 15
    return made


def service(namespace: str) -> Obj:
    spec = {"selector": {"app": "shop", "process": "web"}, "ports": [{"port": 8080}]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop-web", "namespace": namespace},
        "spec": spec,
    }


def customer(namespace: str) -> Obj:
    """Asks the shop for its greeting, a new connection each time, until it has seen the last one often."""
    run = {"name": "customer", "image": IMAGE, "command": ["python3", "-c", CUSTOMER]}
    spec = {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [run]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "customer", "namespace": namespace},
        "spec": spec,
    }


class Shop:
    """The app in a namespace, and the adapter under test."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.kube, self.namespace = kube, namespace
        self.apps = KubernetesAppReleases(kube)

    def change(self, key: str, **variables: str) -> int:
        change = ConfigChange({"addon_test": variables})
        number = self.apps.change_config(self.namespace, change, author="ann", summary="why", key=key)
        assert number is not None
        return number

    def verdict(self, version: int) -> Rollout:
        seen: list[Rollout] = []

        def ended() -> bool | None:
            seen.append(self.apps.rollout(self.namespace, version))
            return None if isinstance(seen[-1], Rolling) else True

        eventually(ended, within_s=120)
        return seen[-1]

    def out(self, key: str, **variables: str) -> int:
        number = self.change(key, **variables)
        assert self.verdict(number) == Healthy()
        self.apps.settle(self.namespace, number)
        return number

    def recovered(self, version: int, lost: Rollout) -> int:
        assert isinstance(lost, Broken)
        back = self.apps.recover(self.namespace, version, reason=lost.reason, key=f"back-{version}")
        assert self.verdict(back) == Healthy()
        self.apps.settle(self.namespace, back)
        return back

    def pods(self) -> set[str]:
        return {pod["metadata"]["uid"] for pod in serving(self.kube, self.namespace)}

    def until_serving(self, count: int) -> None:
        def all_serve() -> bool | None:
            return True if len(serving(self.kube, self.namespace)) == count else None

        eventually(all_serve, within_s=60)


@pytest.fixture
def shop(kube: KubeClient, namespace: str) -> Shop:
    kube.create(web(namespace))
    found = Shop(kube, namespace)
    found.until_serving(2)
    return found


def test_no_request_fails_while_config_changes_and_breaks(shop: Shop) -> None:
    shop.kube.create(service(shop.namespace))
    shop.kube.create(customer(shop.namespace))
    shop.out("bind", GREETING="one")
    shop.out("rotate", GREETING="two")
    bad = shop.change("break", GREETING="three", BREAK="canary-value")
    lost = shop.verdict(bad)
    assert isinstance(lost, Broken)
    assert "ended with exit code 3 (Error): refused by $BREAK" in lost.reason
    shop.recovered(bad, lost)
    shop.out("end", GREETING="end")

    def report() -> dict[str, Any] | None:
        pod = shop.kube.get("Pod", shop.namespace, "customer")
        assert pod is not None
        for status in pod["status"].get("containerStatuses") or ():
            if "terminated" in status["state"]:
                found: dict[str, Any] = json.loads(status["state"]["terminated"]["message"])
                return found
        return None

    told = eventually(report, within_s=120)
    assert told["failed"] == []
    assert {"one", "two", "end"} <= set(told["seen"]) <= {"none", "one", "two", "end"}
    assert sum(told["seen"].values()) > 200


def test_returning_needs_no_new_pod(shop: Shop) -> None:
    shop.out("bind", GREETING="one")
    before = shop.pods()
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full", "namespace": shop.namespace}}
    shop.kube.create({**quota, "spec": {"hard": {"pods": "2"}}})

    def full() -> bool | None:
        found = shop.kube.get("ResourceQuota", shop.namespace, "full")
        return True if found and found.get("status", {}).get("used", {}).get("pods") == "2" else None

    eventually(full, within_s=30)
    bad = shop.change("rotate", GREETING="two")
    lost = shop.verdict(bad)
    assert isinstance(lost, Broken)
    assert "process type web: pods cannot be made: " in lost.reason
    assert "exceeded quota: full" in lost.reason
    shop.recovered(bad, lost)
    assert shop.pods() == before
    assert environments(shop.kube, shop.namespace) == [{"GREETING": "one"}] * 2


def test_an_image_that_is_not_there_is_told_soon(shop: Shop) -> None:
    bad = shop.change("bind", GREETING="one")
    image = "sandbox.local/no-such-image:1"
    shop.kube.patch("Deployment", shop.namespace, "shop-web", image_change("web", image))
    lost = shop.verdict(bad)
    assert isinstance(lost, Broken)
    assert f"image {image} for container web of pod shop-web-" in lost.reason
    assert "cannot be pulled: " in lost.reason
    assert len(shop.pods()) == 2


def test_a_secret_of_the_owner_that_is_missing_is_told(shop: Shop) -> None:
    reference = {"name": "OWN", "valueFrom": {"secretKeyRef": {"name": "of-the-owner", "key": "x"}}}
    shop.kube.create(process(shop.namespace, "clock", env=[reference]))
    lost = shop.verdict(shop.change("bind", GREETING="one"))
    assert isinstance(lost, Broken)
    assert "process type clock: container clock of pod shop-clock-" in lost.reason
    assert 'secret "of-the-owner" not found' in lost.reason


def test_a_pod_without_room_is_told_after_patience(shop: Shop) -> None:
    shop.kube.create(process(shop.namespace, "huge", resources={"requests": {"memory": "100Ti"}}))
    number = shop.change("bind", GREETING="one")

    def no_room() -> Rolling | None:
        seen = shop.apps.rollout(shop.namespace, number)
        assert isinstance(seen, Rolling)
        return seen if "cannot be scheduled" in seen.reason else None

    eventually(no_room, within_s=60)
    later = KubernetesAppReleases(shop.kube, now=lambda: datetime.now(UTC) + timedelta(seconds=UNSCHEDULABLE_S))
    lost = later.rollout(shop.namespace, number)
    assert isinstance(lost, Broken)
    assert "process type huge: pod shop-huge-" in lost.reason
    assert "Insufficient memory" in lost.reason


def test_a_probe_that_fails_is_told(shop: Shop) -> None:
    failing = {"exec": {"command": ["/bin/sh", "-c", 'test -z "$GREETING"; echo no such greeting; exit 1']}}
    shop.kube.create(process(shop.namespace, "clock", readinessProbe={**failing, "periodSeconds": 1}))
    number = shop.change("bind", GREETING="one")

    def probed() -> Rolling | None:
        seen = shop.apps.rollout(shop.namespace, number)
        assert isinstance(seen, Rolling)
        return seen if "Readiness probe failed" in seen.reason else None

    assert "process type clock: 0 of 1 pods are ready" in eventually(probed, within_s=60).reason


def test_environments_that_nothing_uses_are_swept(shop: Shop) -> None:
    for number in range(2, 5):
        assert shop.out(f"bind-{number}", GREETING=f"hello {number}", EMPTY="") == number
    names = {secret["metadata"]["name"] for secret in shop.kube.list("Secret", shop.namespace)}
    assert names == {"app-env-v4", *(f"app-release-v{number}" for number in range(1, 5))}
    back = shop.apps.rollback(shop.namespace, 2, author="bob", key="back")
    assert shop.verdict(back) == Healthy()
    assert environments(shop.kube, shop.namespace) == [{"GREETING": "hello 2", "EMPTY": ""}] * 2


def test_few_rights_suffice(kube: KubeClient, shop: Shop, tmp_path: Path) -> None:
    limited = as_bridge(kube, shop.namespace, tmp_path)
    bridge = Shop(limited, shop.namespace)
    good = bridge.out("bind", GREETING="one")
    bad = bridge.change("break", BREAK="it")
    back = bridge.recovered(bad, bridge.verdict(bad))
    bridge.out("unbind")
    states = {release.version: release.state for release in bridge.apps.releases(shop.namespace)}
    assert states[bad] is ReleaseState.FAILED
    assert {states[good], states[back], states[1]} == {ReleaseState.SUCCEEDED}
    limited.close()


def as_bridge(kube: KubeClient, namespace: str, tmp_path: Path) -> KubeClient:
    """A client with RIGHTS and nothing else."""
    meta: Callable[[str], Obj] = lambda name: {"name": name, "namespace": namespace}  # noqa: E731
    group = "rbac.authorization.k8s.io"
    kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("bridge")})
    kube.create({"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta("bridge"), "rules": RIGHTS})
    subjects = [{"kind": "ServiceAccount", "name": "bridge", "namespace": namespace}]
    role = {"apiGroup": group, "kind": "Role", "name": "bridge"}
    binding = {"apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": meta("bridge")}
    kube.create({**binding, "roleRef": role, "subjects": subjects})
    asked = {**meta("token"), "annotations": {"kubernetes.io/service-account.name": "bridge"}}
    kube.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": asked, "type": "kubernetes.io/service-account-token"}
    )

    def issued() -> Obj | None:
        secret = kube.get("Secret", namespace, "token")
        data: Obj = (secret or {}).get("data") or {}
        return data if "token" in data else None

    data = eventually(issued, within_s=30)
    cluster = {"server": kube.server_url, "certificate-authority-data": data["ca.crt"]}
    content = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "it", "user": {"token": base64.b64decode(data["token"]).decode()}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    client = KubeClient.from_environment(str(path))

    def accepted() -> bool | None:
        pause(0.1)
        return True if client.list("Secret", namespace) else None

    eventually(accepted, within_s=30)
    return client
