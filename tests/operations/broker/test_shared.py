"""Addons without a binding chart: bindings share what the instance's own chart has made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from helmbroker.broker.domain.credentials import Credentials
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.service.drift import DriftCheck
from helmbroker.broker.service.repair import Repairs
from helmbroker.broker.service.restore import Restore
from helmbroker.catalog.model import JSON
from helmbroker.durable import State
from tests.fakes.cluster import Thing
from tests.fakes.survey import FakeSurvey
from tests.operations.broker import world as worlds
from tests.operations.broker.world import (
    ADDON,
    BINDING_RELEASE,
    KEYS,
    NAMESPACE,
    RELEASE,
    SHARING,
    TEMPLATE,
    World,
)


def bound(world: World) -> None:
    world.offer(SHARING)
    world.succeed(world.provision(text="given", pin="c4n4ry"))
    world.succeed(world.bind())


def delivered(world: World, binding_id: str = worlds.BINDING) -> dict[str, JSON]:
    record = world.binding(binding_id)
    assert record is not None
    assert record.binding.credentials is not None
    return record.binding.credentials.reveal()


def look(world: World) -> list[str]:
    check = DriftCheck(world.store, world.cluster, FakeSurvey(world.cluster), KEYS, NAMESPACE)
    return [each.kind for each in check.look()]


@pytest.mark.bug(35)
def test_what_is_delivered_is_of_the_deployed_release(world: World) -> None:
    """Its values as they were given to Helm, its own chart, and nothing is made for the binding."""
    bound(world)
    secret = world.cluster.thing("Secret", NAMESPACE, RELEASE.name)
    assert secret is not None
    assert delivered(world) == {"text": "given", "password": secret.texts["password"]}
    assert world.helm.alone == [(ADDON.folder / TEMPLATE, ADDON.chart)]
    assert world.cluster.releases.keys() == {RELEASE}
    assert world.helm.verbs(BINDING_RELEASE) == []


@pytest.mark.bug(35)
def test_values_that_differ_from_the_plan_are_those_that_run(world: World) -> None:
    """An operator may have changed the overrides since then, or the release by hand."""
    world.offer(SHARING)
    world.succeed(world.provision(text="given"))
    world.cluster.releases[RELEASE] = replace(world.cluster.releases[RELEASE], given={"text": "deployed"})
    world.succeed(world.bind())
    assert delivered(world)["text"] == "deployed"


@pytest.mark.bug(20, 22, 23)
def test_bindings_are_independent_although_they_share(world: World) -> None:
    bound(world)
    world.succeed(world.bind("another"))
    assert delivered(world) == delivered(world, "another")
    end = world.succeed(world.unbind())
    assert end.description == (
        "the binding is gone; its credentials are those of the service instance, and stay valid"
    )
    record, other = world.binding(), world.binding("another")
    assert record is not None
    assert (record.phase, record.binding.credentials) == (Phase.GONE, None)
    assert other is not None
    assert isinstance(other.binding.credentials, Credentials)
    assert world.cluster.kept.keys() == {RELEASE, other.binding.release}
    world.succeed(world.deprovision())
    assert (world.cluster.all(), world.cluster.releases, world.cluster.kept) == ([], {}, {})


def test_a_binding_without_a_release_is_not_lost(either_world: World) -> None:
    """Neither to the check nor to a repair of its instance."""
    world = either_world
    bound(world)
    assert look(world) == []
    before = world.observe()
    del world.cluster.releases[RELEASE]
    check = DriftCheck(world.store, world.cluster, FakeSurvey(world.cluster), KEYS, NAMESPACE)
    (begun,) = Repairs(world.store, world.revisions).begin(check.look())
    assert begun.operation_id is not None
    assert world.succeed(begun.operation_id).description == "ledger is as it is recorded"
    assert (world.observe(), look(world), world.helm.verbs(BINDING_RELEASE)) == (before, [], [])


def test_one_that_is_not_remembered_is_remembered_again(world: World) -> None:
    bound(world)
    del world.cluster.kept[BINDING_RELEASE]
    check = DriftCheck(world.store, world.cluster, FakeSurvey(world.cluster), KEYS, NAMESPACE)
    found = check.look()
    assert {each.subject for each in found} == {"binding an instance/a binding"}
    (begun,) = Repairs(world.store, world.revisions).begin(found)
    assert begun.operation_id is not None
    world.succeed(begun.operation_id)
    assert (look(world), BINDING_RELEASE in world.cluster.kept) == ([], True)


def test_it_comes_back_with_the_database(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / name}" for name in ("lost.db", "new.db")]
    with worlds.world(urls[0]) as before, worlds.world(urls[1], broker_id="f" * 16, offers=False) as after:
        bound(before)
        after.take_over(before)
        restored = Restore(after.store, after.cluster, KEYS).rebuild([NAMESPACE], None)
        assert (len(restored.done), restored.left) == (2, [])
        assert (delivered(after), look(after)) == (delivered(before), [])
        after.revisions.put(SHARING)
        after.service_again()
        after.succeed(after.unbind())
        after.succeed(after.deprovision())
        assert (after.cluster.releases, after.cluster.kept) == ({}, {})


def test_a_binding_that_was_made_with_a_chart_is_uninstalled(world: World) -> None:
    """The addon has none any more: what the cluster has is what counts."""
    world.succeed(world.provision())
    world.succeed(world.bind())
    world.offer(SHARING)
    world.succeed(world.unbind())
    assert world.helm.verbs(BINDING_RELEASE) == ["deploy", "uninstall"]
    assert world.cluster.releases.keys() == {RELEASE}


ADDRESS = "{name: host, valueFrom: {serviceRef: {name: NAME, jsonpath: '{.status.loadBalancer.ingress[*].ip}'}}}"


@pytest.mark.bug(34)
def test_a_bind_waits_for_the_address_of_a_load_balancer(world: World) -> None:
    """As long as it takes: it is not hopeless, and the thread is free for others meanwhile."""
    world.offer(SHARING)
    world.succeed(world.provision())
    world.helm.template = f"credential: [{ADDRESS.replace('NAME', RELEASE.name)}]"
    content = {"spec": {"type": "LoadBalancer"}}
    service = Thing("Service", NAMESPACE, RELEASE.name, RELEASE.name, RELEASE.name, content=content)
    world.cluster.put(service)
    operation = world.bind()
    for _ in range(5):
        world.clock.now += 100.0
        world.hand.pass_time()
        world.hand.turn()
    waiting = world.hand.operation(operation)
    assert (waiting.state, waiting.description) == (
        State.QUEUED,
        f"Service {RELEASE.name} has no address yet: its load balancer is being made (for the credential host)",
    )
    ingress = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    world.cluster.put(replace(service, content={**content, "status": ingress}))
    world.hand.pass_time()
    world.succeed(operation)
    assert delivered(world) == {"host": "192.0.2.1"}


@pytest.mark.bug(32)
def test_what_is_optional_is_left_out(world: World) -> None:
    world.succeed(world.provision())
    absent = f"secretKeyRef: {{name: {RELEASE.name}, key: absent, optional: true}}"
    world.helm.template = f"credentials: [{{name: a, valueFrom: {{{absent}}}}}, {{name: b, value: c}}]"
    world.succeed(world.bind())
    assert delivered(world) == {"b": "c"}


@pytest.mark.bug(31, 38)
def test_types_are_kept_until_they_are_delivered(world: World) -> None:
    world.succeed(world.provision())
    world.helm.template = "types: native\ncredentials: [{name: port, value: 5432}, {name: tls, value: yes}]"
    world.succeed(world.bind())
    assert delivered(world) == {"port": 5432, "tls": True}


def test_an_instance_whose_release_is_gone_delivers_nothing(world: World) -> None:
    world.offer(SHARING)
    world.succeed(world.provision())
    del world.cluster.releases[RELEASE]
    assert "is gone from the cluster" in world.fail(world.bind())
