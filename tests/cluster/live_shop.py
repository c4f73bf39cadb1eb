"""An app on a real cluster: a web server, a customer who counts failures, and the adapter under test."""

from __future__ import annotations

from typing import Any

from helmbroker.controller_bridge.apps.kubernetes import KubernetesAppReleases
from helmbroker.controller_bridge.apps.port import Broken, ConfigChange, Healthy, Rolling, Rollout
from helmbroker.kubeapi.client import KubeClient
from helmbroker.kubeapi.port import Kube, Obj
from tests.cluster.reach import eventually
from tests.cluster.shop import IMAGE, PATIENT, process, serving

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
while seen["end"] < 100 and time.monotonic() < begun + 900:
    try:
        seen[urllib.request.urlopen("http://shop-web:8080/", timeout=30).read().decode()] += 1
    except Exception as error:
        if seen:  # until the first answer the node may not know the new Service yet: it refuses
            failed.append(f"{time.monotonic() - begun:.1f} s: {type(error).__name__}: {error}"[:100])
    if seen:
        open("/tmp/answered", "w").close()
    time.sleep(0.01)
open("/dev/termination-log", "w").write(json.dumps({"seen": seen, "failed": failed[:10]}))
"""


def web(namespace: str, server: str = SERVER, **container: Any) -> Obj:
    """Two pods that serve HTTP, and go on serving while the cluster still sends them requests."""
    made = process(
        namespace,
        "web",
        replicas=2,
        command=["python3", "-c", server],
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
    """Asks the shop for its greeting, each time on a new connection, until it has seen the last one often.

    It is ready when it was answered once.
    """
    probe = {"exec": {"command": ["test", "-e", "/tmp/answered"]}, **PATIENT}
    run = {"name": "customer", "image": IMAGE, "command": ["python3", "-c", CUSTOMER], "readinessProbe": probe}
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
        change = ConfigChange({"test": variables})
        number = self.apps.change_config(self.namespace, change, author="ann", summary="why", key=key)
        assert number is not None
        return number

    def verdict(self, version: int) -> Rollout:
        seen: list[Rollout] = []

        def ended() -> bool | None:
            seen.append(self.apps.rollout(self.namespace, version))
            return None if isinstance(seen[-1], Rolling) else True

        eventually(ended, within_s=300)
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

        eventually(all_serve, within_s=120)


def live_shop(kube: KubeClient, namespace: str) -> Shop:
    kube.create(web(namespace))
    found = Shop(kube, namespace)
    found.until_serving(2)
    return found
