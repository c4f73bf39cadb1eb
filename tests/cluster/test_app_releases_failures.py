"""Rollouts that fail on real pods, and what is told about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from helmbroker.controller_bridge.apps.kubernetes import KubernetesAppReleases
from helmbroker.controller_bridge.apps.patience import UNSCHEDULABLE_S
from helmbroker.controller_bridge.apps.port import Broken, Rolling
from helmbroker.kubeapi.client import KubeClient
from tests.cluster.live_shop import Shop, live_shop
from tests.cluster.reach import eventually
from tests.cluster.shop import image_change, process

pytestmark = pytest.mark.cluster


@pytest.fixture
def shop(kube: KubeClient, namespace: str) -> Shop:
    return live_shop(kube, namespace)


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

    eventually(no_room, within_s=120)
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

    assert "process type clock: 0 of 1 pods are ready" in eventually(probed, within_s=120).reason
