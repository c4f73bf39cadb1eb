"""The product's chart on a cluster, from nothing to a binding, and what happens to it afterwards."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from cryptography import x509

from helmbroker.kubeapi.client import KubeClient
from helmbroker.kubeapi.port import Kube
from tests.addons.programs import kubectl
from tests.charts.product import HA
from tests.cluster.installed import READY_S, RELEASE, Installed, forwarded, namespaces, start_pod
from tests.cluster.installed_database import start_database
from tests.cluster.osb import Binding, Instance
from tests.cluster.reach import eventually
from tests.unit.runtime.certificates import Authority

pytestmark = pytest.mark.cluster

QUIET_S = 20.0  # what the default profile may take; a slow machine with other tests gets ten times as long
SECRETS = ("broker-keys", "bridge-keys", "platform", "bridge-login", "metrics", "logins")
# asks for the catalog over and over, each time by a new connection, and tells what it got when it is stopped
LOAD = """
import base64, collections, json, os, threading, time, urllib.request
login = base64.b64encode(os.environ["LOGIN"].encode()).decode()
request = urllib.request.Request(os.environ["URL"], headers={
    "Authorization": "Basic " + login, "X-Broker-API-Version": "2.17"})
seen = collections.Counter()
def ask():
    while not os.path.exists("/tmp/stop"):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()
                seen[str(answer.status)] += 1
        except Exception as error:
            if seen:  # until the first answer the node may not know the new Service yet: it refuses
                seen[repr(error)] += 1
        if seen["200"] and not os.path.exists("/tmp/begun"):
            open("/tmp/begun", "w").close()
        time.sleep(0.02)
threads = [threading.Thread(target=ask) for _ in range(3)]
[each.start() for each in threads]
[each.join() for each in threads]
with open("/tmp/telling", "w") as file:
    json.dump(seen, file)
os.rename("/tmp/telling", "/tmp/told")
threading.Event().wait()
"""


@pytest.fixture(scope="module")
def installed(kube: KubeClient) -> Iterator[Installed]:
    with namespaces(kube) as found:
        yield found


def test_the_default_profile(kube: Kube, installed: Installed) -> None:
    took_s = installed.apply({})
    assert took_s < 10 * QUIET_S, f"ready after {took_s:.1f} s"
    made = {name: installed.secret(name) for name in SECRETS}
    assert {len(pod["spec"]["containers"]) for pod in installed.living()} == {2}
    assert not [c for pod in installed.living() for c in pod["status"]["containerStatuses"] if c["restartCount"]]

    with installed.platform() as platform:
        instance = platform.instance("redis", "small")
        end = instance.provision()
        assert end.state == "succeeded", end
        binding = instance.binding()
        assert binding.bind().state == "succeeded"
        assert binding.credentials()["password"]
    said = kubectl(
        "exec", "--namespace", installed.namespace, f"{RELEASE}-broker-0", "--container", "worker",
        "--", "helmbroker", "check",
    )  # fmt: skip
    assert "redis" in said
    _upgrade_and_rollback_keep_what_was_made(installed, made, binding)
    _what_is_left_is_found_again(kube, installed, made, binding)


def _upgrade_and_rollback_keep_what_was_made(
    installed: Installed, made: dict[str, dict[str, str]], binding: Binding
) -> None:
    """Also a key ring that was changed since."""
    before = {pod["metadata"]["uid"] for pod in installed.living()}
    installed.apply({"broker": {"settings": {"LOG_LEVEL": "debug"}}})
    assert {name: installed.secret(name) for name in SECRETS} == made
    assert {pod["metadata"]["uid"] for pod in installed.living()} - before
    with installed.platform() as platform:
        platform.expect(200, "GET", binding.path)

    made["broker-keys"] = {"keys.json": made["broker-keys"]["keys.json"] + "\n"}  # as one that was rotated since
    installed.change_secret("broker-keys", made["broker-keys"])
    installed.roll_back()
    assert {name: installed.secret(name) for name in SECRETS} == made
    with installed.platform() as platform:
        platform.expect(200, "GET", binding.path)


def _what_is_left_is_found_again(
    kube: Kube, installed: Installed, made: dict[str, dict[str, str]], binding: Binding
) -> None:
    """Uninstalled, and installed again: key rings, volumes and instances stay."""
    installed.uninstall()
    left = [each["metadata"]["name"] for each in kube.list("Secret", installed.namespace)]
    claims = [each["metadata"]["name"] for each in kube.list("PersistentVolumeClaim", installed.namespace)]
    assert sorted(each for each in left if "helm.release" not in each) == [
        f"{RELEASE}-bridge-keys",
        f"{RELEASE}-broker-keys",
    ]
    assert sorted(claims) == [f"data-{RELEASE}-bridge-0", f"data-{RELEASE}-broker-0"]
    assert [pod for pod in kube.list("Pod", installed.instances) if pod["metadata"]["name"].endswith("-0")]

    installed.apply({})
    assert installed.secret("broker-keys") == made["broker-keys"]
    assert installed.secret("platform") != made["platform"]
    with installed.platform() as platform:
        same = Binding(Instance(platform, binding.instance.id, binding.instance.ids), binding.id)
        assert same.credentials()["password"]
        assert same.unbind().state == "succeeded"
        assert same.instance.delete().state == "succeeded"


def test_the_bridge_speaks_to_the_broker(installed: Installed) -> None:
    """Its readiness asks the broker with its login, and the cluster with its account."""
    installed.apply({})
    token = kubectl("create", "token", "default", "--namespace", installed.namespace).strip()

    with forwarded(installed.namespace, f"service/{RELEASE}-bridge", 80) as port:
        asked = {"Authorization": f"Bearer {token}"}
        answer = requests.get(f"http://127.0.0.1:{port}/v2/resources/services/", headers=asked, timeout=60)
    assert answer.status_code == 200, answer.text
    assert "redis" in answer.text


def test_https(kube: Kube, installed: Installed, tmp_path: Path) -> None:
    """The bridge is ready when the broker answers it: by the name of its Service, and by our authority alone."""
    authority = Authority(tmp_path)
    names = [x509.DNSName(f"{RELEASE}-{each}.{installed.namespace}.svc") for each in ("broker", "bridge")]
    certificate, key = authority.issue("hb", names)
    data = {"tls.crt": certificate.read_text(), "tls.key": key.read_text(), "ca.crt": authority.ca.read_text()}
    metadata = {"name": "our-tls", "namespace": installed.namespace}
    kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data})
    installed.apply({"tls": {"enabled": True, "secretName": "our-tls"}})

    with forwarded(installed.namespace, f"service/{RELEASE}-broker", 443) as port:
        assert ssl.get_server_certificate(("127.0.0.1", port)).split() == certificate.read_text().split()


def test_high_availability(kube: Kube, installed: Installed) -> None:
    start_database(kube, installed.namespace)
    installed.apply({}, HA)
    eventually(lambda: len(installed.living()) == 6 or None, within_s=READY_S)  # the scaler makes the second API
    installed.await_ready()
    ready = installed.living()

    login = installed.secret("platform")
    container = {
        "image": "sandbox.local/demo-app:1",
        "command": ["python3", "-c", LOAD],
        "env": [
            {"name": "LOGIN", "value": f"{login['username']}:{login['password']}"},
            {"name": "URL", "value": f"http://{RELEASE}-broker.{installed.namespace}.svc/v2/catalog"},
        ],
        "readinessProbe": {
            "exec": {"command": ["test", "-e", "/tmp/begun"]},
            "periodSeconds": 1,
            "timeoutSeconds": 10,
        },
    }
    start_pod(kube, installed.namespace, "load", container)
    with installed.platform() as platform:
        instance = platform.instance("redis", "small")
        operation = instance.begin()
    installed.apply({"podAnnotations": {"another": "pod"}}, HA)
    assert not {pod["metadata"]["uid"] for pod in ready} & {pod["metadata"]["uid"] for pod in installed.living()}

    with installed.platform() as platform:
        same = Instance(platform, instance.id, instance.ids)
        assert same.follow(operation).state == "succeeded"
        assert same.delete().state == "succeeded"
    inside = ("exec", "--namespace", installed.namespace, "load", "--", "sh", "-c")
    seen = json.loads(
        kubectl(*inside, "touch /tmp/stop; while ! test -e /tmp/told; do sleep 0.2; done; cat /tmp/told")
    )
    assert set(seen) == {"200"}, seen
    assert seen["200"] > 200
