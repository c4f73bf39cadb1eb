"""App releases on real pods: no request fails, failures are explained, little is needed and nothing is left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helmbroker.controller_bridge.apps.port import Broken, Healthy, ReleaseState
from helmbroker.controller_bridge.rights import rights
from helmbroker.kubeapi.client import KubeClient
from helmbroker.kubeapi.pods import ready
from helmbroker.kubeapi.rights import rules
from tests.cluster.accounts import account
from tests.cluster.live_shop import Shop, customer, live_shop, service
from tests.cluster.reach import eventually
from tests.cluster.shop import environments

pytestmark = pytest.mark.cluster


@pytest.fixture
def shop(kube: KubeClient, namespace: str) -> Shop:
    return live_shop(kube, namespace)


def asks(shop: Shop) -> bool:
    """Whether the customer was answered."""
    pod = shop.kube.get("Pod", shop.namespace, "customer")
    assert pod is not None
    return ready(pod)


def test_no_request_fails_while_config_changes_and_breaks(shop: Shop) -> None:
    shop.kube.create(service(shop.namespace))
    shop.kube.create(customer(shop.namespace))
    shop.out("bind", GREETING="one")
    eventually(lambda: asks(shop) or None, within_s=120)
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

    told = eventually(report, within_s=300)
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

    eventually(full, within_s=120)
    bad = shop.change("rotate", GREETING="two")
    lost = shop.verdict(bad)
    assert isinstance(lost, Broken)
    assert "process type web: pods cannot be made: " in lost.reason
    assert "exceeded quota: full" in lost.reason
    shop.recovered(bad, lost)
    assert shop.pods() == before
    assert environments(shop.kube, shop.namespace) == [{"GREETING": "one"}] * 2


def test_environments_that_nothing_uses_are_swept(shop: Shop) -> None:
    for number in range(2, 5):
        assert shop.out(f"bind-{number}", GREETING=f"hello {number}", EMPTY="") == number
    names = {secret["metadata"]["name"] for secret in shop.kube.list("Secret", shop.namespace)}
    assert names == {"app-env-v4", *(f"app-release-v{number}" for number in range(1, 5))}
    back = shop.apps.rollback(shop.namespace, 2, author="bob", key="back")
    assert shop.verdict(back) == Healthy()
    assert environments(shop.kube, shop.namespace) == [{"GREETING": "hello 2", "EMPTY": ""}] * 2


def test_few_rights_suffice(kube: KubeClient, shop: Shop, tmp_path: Path) -> None:
    limited = KubeClient.from_environment(str(account(kube, shop.namespace, rules(rights("standalone")), tmp_path)))
    bridge = Shop(limited, shop.namespace)
    good = bridge.out("bind", GREETING="one")
    bad = bridge.change("break", BREAK="it")
    back = bridge.recovered(bad, bridge.verdict(bad))
    bridge.out("unbind")
    states = {release.version: release.state for release in bridge.apps.releases(shop.namespace)}
    assert states[bad] is ReleaseState.FAILED
    assert {states[good], states[back], states[1]} == {ReleaseState.SUCCEEDED}
    limited.close()
