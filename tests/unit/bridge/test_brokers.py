"""Several brokers as one: names of classes, whose an instance is, and those that are away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helmbroker.controller_bridge.broker_port import (
    BindingRef,
    Broker,
    BrokerError,
    Caller,
    InstanceRef,
    Unreachable,
)
from helmbroker.controller_bridge.brokers import AmbiguousService, Brokers, UnknownService
from tests.fakes.osb_broker import POSTGRESQL, REDIS, FakeBroker

ALICE = Caller("alice")


def offering(*names: str) -> FakeBroker:
    made = FakeBroker(looks=0)
    made.offerings = tuple(replace(REDIS, id=f"id-{name}", name=name) for name in names)
    return made


def away(sentence: str = "the broker at b does not answer") -> FakeBroker:
    def refuse(_method: str) -> None:
        raise Unreachable(sentence)

    made = FakeBroker()
    made.before = refuse
    return made


def test_a_class_has_its_broker_s_name_where_it_needs_one() -> None:
    catalog = Brokers({"default": offering("redis", "kafka"), "team": offering("redis", "mysql")}).catalog()
    assert list(catalog.named()) == ["kafka", "mysql", "default/redis", "team/redis"]
    assert catalog.away == {}


@pytest.mark.parametrize(
    ("service", "broker"),
    [("kafka", "default"), ("default/kafka", "default"), ("team/redis", "team"), ("default/redis", "default")],
)
def test_with_and_without_the_broker_s_name(service: str, broker: str) -> None:
    catalog = Brokers({"default": offering("redis", "kafka"), "team": offering("redis", "mysql")}).catalog()
    found = catalog.find(service)
    assert (found.broker, found.offering.name) == (broker, service.rpartition("/")[2])


def test_every_listed_name_is_found() -> None:
    catalog = Brokers({"default": offering("redis", "kafka"), "team": offering("redis", "mysql")}).catalog()
    for name, one in catalog.named().items():
        assert catalog.find(name) == one


def test_an_ambiguous_name_is_told_with_its_cure() -> None:
    catalog = Brokers({"default": offering("redis"), "team": offering("redis")}).catalog()
    sentence = "^more than one broker offers a service 'redis': say default/redis or team/redis$"
    with pytest.raises(AmbiguousService, match=sentence):
        catalog.find("redis")


@pytest.mark.parametrize("service", ["mysql", "team/redis", "none/redis", "default/mysql"])
def test_an_unknown_name(service: str) -> None:
    catalog = Brokers({"default": offering("redis"), "team": offering("kafka")}).catalog()
    with pytest.raises(UnknownService, match=f"the broker offers no service '{service}'"):
        catalog.find(service)


def test_one_that_is_away_hides_no_other() -> None:
    catalog = Brokers({"default": away(), "team": offering("redis")}).catalog()
    assert catalog.away == {"default": "the broker at b does not answer"}
    assert catalog.find("redis").broker == "team"
    with pytest.raises(Unreachable, match="the broker at b does not answer"):
        catalog.find("mysql")
    with pytest.raises(Unreachable):
        catalog.find("default/mysql")
    with pytest.raises(UnknownService):  # its own broker has answered
        catalog.find("team/mysql")


def test_one_that_refuses_the_bridge_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_method: str) -> None:
        raise BrokerError(401, "", "it does not accept the bridge's login")

    broken = FakeBroker()
    broken.before = refuse
    catalog = Brokers({"default": broken, "team": offering("redis")}).catalog()
    assert "it does not accept" in catalog.away["default"]
    assert [record.message for record in caplog.records] == ["a service broker cannot be used"]


def test_each_call_goes_to_the_broker_of_its_reference() -> None:
    brokers: dict[str, Broker] = {"default": FakeBroker(looks=0), "team": FakeBroker(looks=0)}
    both = Brokers(brokers)
    ref = InstanceRef("i", POSTGRESQL.id, "plan-small", app="shop", name="my-db", broker="team")
    binding = BindingRef(ref, "b")
    both.provision(ref, {"replicas": 1}, ALICE)
    both.update(ref, {"replicas": 2}, ALICE, plan_id="plan-large")
    both.instance_status(ref, None)
    assert both.instance_parameters(ref) == {"replicas": 2}
    assert both.bind(binding, ALICE)[1] is not None
    both.binding_status(binding, None)
    assert "uri" in both.credentials(binding).values
    assert both.service(ref).broker == "team"
    both.unbind(binding, ALICE)
    both.deprovision(ref, ALICE)
    calls = ["provision", "update", "instance_status", "instance_parameters", "bind", "binding_status"]
    calls += ["credentials", "catalog", "unbind", "deprovision"]
    team, default = brokers["team"], brokers["default"]
    assert isinstance(team, FakeBroker)
    assert isinstance(default, FakeBroker)
    assert (team.calls, default.calls) == (calls, [])


def test_a_broker_that_is_not_in_the_settings_any_more() -> None:
    ref = InstanceRef("i", "s", "p", app="shop", name="my-db", broker="gone")
    with pytest.raises(
        BrokerError, match="there is no broker 'gone' in the bridge's settings any more; put it back"
    ):
        Brokers({"default": FakeBroker()}).deprovision(ref, ALICE)


def test_a_service_that_is_not_offered_any_more() -> None:
    ref = InstanceRef("i", "s", "p", app="shop", name="my-db")
    with pytest.raises(UnknownService, match="the broker default does not offer the service of my-db any more"):
        Brokers({"default": FakeBroker()}).service(ref)
