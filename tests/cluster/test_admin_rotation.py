"""The administrator's password rotates when the platform side asks for it, through the broker, to the Secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helmbroker.kubeapi.port import Kube
from tests.cluster.bridge import Resource, bridge
from tests.cluster.broker import broker
from tests.cluster.osb import END_S
from tests.cluster.reach import eventually, throw_away_namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


def rotated(resource: Resource) -> dict[str, Any]:
    """Ask for it; how the resource is when it has ended."""
    resource.bridge.expect("POST", f"{resource.path}rotate/", {"admin": True})

    def ended() -> dict[str, Any] | None:
        shown = resource.look()
        return shown if shown["status"] == "Ready" else None

    return eventually(ended, within_s=END_S)


def admins(kube: Kube, namespace: str) -> dict[str, str]:
    """The passwords of administrators, by the names of their Secrets."""
    found = {each["metadata"]["name"]: each for each in kube.list("Secret", namespace)}
    return {name: each["data"]["password"] for name, each in found.items() if name.endswith("-admin")}


def test_it_is_replaced_where_the_plan_offers_it(kube: Kube, tmp_path: Path) -> None:
    with (
        throw_away_namespace(kube) as app,
        broker(kube, tmp_path) as running,
        bridge(tmp_path, running) as platform,
    ):
        keys, cache = Resource(platform, app, "keys"), Resource(platform, app, "cache")
        keys.create("redis:small")
        assert keys.follow("status")["status"] == "Ready"
        ((name, before),) = admins(kube, running.namespace).items()
        cache.create("memcached:small")
        assert cache.follow("status")["status"] == "Ready"

        end = rotated(keys)
        assert (end["failed"], end["message"]) == (
            False,
            "The administrator's password of the instance was replaced",
        )
        assert admins(kube, running.namespace)[name] != before

        refused = rotated(cache)
        assert refused["failed"]
        assert "its schema of updates has no admin.rotation" in refused["message"]
