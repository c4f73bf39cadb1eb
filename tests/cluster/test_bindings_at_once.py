"""Many bindings of one instance at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from helmbroker.kubeapi.port import Kube
from tests.cluster.addons import NAMES
from tests.cluster.broker import Broker, broker
from tests.cluster.inventory import await_nothing
from tests.cluster.logins import refusal, start_pod
from tests.cluster.reach import throw_away_namespace

pytestmark = [pytest.mark.cluster, pytest.mark.night, pytest.mark.timeout(1800)]
AT_ONCE = 7  # as many as memcached takes


def test_users_are_made_and_dropped_at_once(kube: Kube, tmp_path: Path) -> None:
    """The Jobs of all bindings meet in one server: each makes its user, none hinders another, nothing is left."""
    with broker(kube, tmp_path / "broker") as running, throw_away_namespace(kube) as apps:
        with ThreadPoolExecutor(len(NAMES)) as pool:
            for done in [pool.submit(_live, kube, running, apps, name) for name in NAMES]:
                done.result()
        await_nothing(running.namespace)


def _live(kube: Kube, running: Broker, apps: str, name: str) -> None:
    instance = running.platform.instance(name, "small")
    assert instance.provision(within_s=300).state == "succeeded"
    start_pod(kube, apps, name)
    bindings = [instance.binding() for _ in range(AT_ONCE)]
    begun = [(binding, binding.begin()) for binding in bindings]
    for binding, operation in begun:
        end = instance.follow(operation, binding.path, within_s=300)
        assert end.state == "succeeded", end
    credentials = [binding.credentials() for binding in bindings]
    assert len({each["username"] for each in credentials}) == AT_ONCE
    assert [refusal(apps, name, each) for each in credentials] == [None] * AT_ONCE
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = list(pool.map(lambda binding: binding.unbind(within_s=300), bindings[1:]))
    assert {end.state for end in ends} == {"succeeded"}, ends
    assert [refusal(apps, name, each) is None for each in credentials] == [True] + [False] * (AT_ONCE - 1)
    assert instance.delete(within_s=300).state == "succeeded"
