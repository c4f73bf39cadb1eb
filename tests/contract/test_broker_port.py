"""The contract of the port Broker: the same on the fake and on the OSB client in front of the real broker's API."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest
import requests
from flask.testing import FlaskClient
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from helmbroker.broker.store.store import SqlStore
from helmbroker.catalog.load import load
from helmbroker.controller_bridge.broker_port import (
    Answer,
    BindingRef,
    Broker,
    BrokerError,
    Caller,
    InstanceRef,
    Progress,
)
from helmbroker.controller_bridge.osb import OsbBroker
from helmbroker.controller_bridge.osb_login import CredentialsFile
from helmbroker.durable import JSON
from helmbroker.sealing import Keys, RingFile
from tests.api.broker.desk import CREDENTIALS, USER, Desk
from tests.fakes.osb_broker import FakeBroker
from tests.unit.catalog.folders import edited, write

ALICE = Caller("alice")


class Stage(Protocol):
    """A broker whose work is done when the test says so."""

    parameters: dict[str, JSON]

    @property
    def broker(self) -> Broker:
        """What is called."""
        ...

    def work(self, failure: str | None = None) -> None:
        """Let the operation that goes on end; `failure`: badly, for that reason."""
        ...


class FakeStage:
    def __init__(self) -> None:
        self.broker = FakeBroker(looks=10**6)
        self.broker.allow(660.0)
        self.broker.credentials_of = lambda _binding: CREDENTIALS
        self.parameters: dict[str, JSON] = {"replicas": 2}

    def work(self, failure: str | None = None) -> None:
        for thing in [*self.broker.instances.values(), *self.broker.bindings.values()]:
            if thing.looks:
                thing.looks, thing.failure = 0, failure or ""


class RealStage:
    """The broker's Flask app and database; requests go to it without a network."""

    def __init__(self, folder: Path) -> None:
        RingFile.create(folder / "keys.json")
        rotatable = edited("addon.yaml", "bindable: true\n", "bindable: true\nbinding_rotatable: true\n")
        write(folder / "addons" / "demo", rotatable)
        catalog = load([folder / "addons"])
        store = SqlStore(f"sqlite:///{folder}/helmbroker.db", Keys.load(folder / "keys.json"))
        store.prepare()
        store.keep(catalog)
        store.close()
        self.desk = Desk(folder, catalog)
        (folder / "login").write_text(":".join(USER))
        self.broker = OsbBroker("http://broker.test", CredentialsFile(folder / "login"), cluster_id="c1")
        self.broker._session().mount("http://", ToFlask(self.desk.client))
        self.parameters: dict[str, JSON] = {"size": "1Gi"}

    def work(self, failure: str | None = None) -> None:
        self.desk.work(failure)


class ToFlask(BaseAdapter):
    """A transport of requests that ends in a Flask app."""

    def __init__(self, client: FlaskClient) -> None:
        super().__init__()
        self._client = client

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kwargs: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        answer = self._client.open(
            parts.path,
            query_string=parts.query,
            method=request.method,
            headers=list(request.headers.items()),
            data=request.body,
            environ_overrides={"RAW_URI": f"{parts.path}?{parts.query}"},
        )
        response = requests.Response()
        response.status_code, response.url, response.request = answer.status_code, str(request.url), request
        response.headers.update(dict(answer.headers))
        response.raw = HTTPResponse(body=io.BytesIO(answer.data), preload_content=False)
        return response

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(params=["fake", "osb"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    if request.param == "fake":
        yield FakeStage()
        return
    made = RealStage(tmp_path)
    yield made
    made.desk.store.close()
    shutil.rmtree(tmp_path)


@pytest.fixture
def instance(stage: Stage) -> InstanceRef:
    """An instance nobody has asked for yet; its id is not one that fits into a path."""
    offering = next(one for one in stage.broker.catalog() if any(plan.bindable for plan in one.plans))
    return InstanceRef("i/1 ä", offering.id, offering.plans[0].id, app="shop", name="my-db")


@pytest.fixture
def ready(stage: Stage, instance: InstanceRef) -> InstanceRef:
    stage.broker.provision(instance, stage.parameters, ALICE)
    stage.work()
    assert stage.broker.instance_status(instance, None).progress is Progress.SUCCEEDED
    return instance


def test_an_instance_comes_and_goes(stage: Stage, instance: InstanceRef) -> None:
    made = stage.broker.provision(instance, stage.parameters, ALICE)
    assert made.pending
    assert stage.broker.provision(instance, stage.parameters, ALICE) == made
    status = stage.broker.instance_status(instance, made.operation)
    assert (status.progress, bool(status.description)) == (Progress.IN_PROGRESS, True)
    stage.work()
    assert stage.broker.instance_status(instance, made.operation).progress is Progress.SUCCEEDED
    assert stage.broker.instance_parameters(instance).items() >= stage.parameters.items()

    gone = stage.broker.deprovision(instance, Caller(None))
    assert gone.pending
    assert stage.broker.deprovision(instance, Caller(None)) == gone
    stage.work()
    assert stage.broker.instance_status(instance, gone.operation).progress is Progress.SUCCEEDED
    assert stage.broker.deprovision(instance, ALICE) == Answer(pending=False)


def test_what_goes_on_may_take_as_long_as_its_plan_allows(stage: Stage, instance: InstanceRef) -> None:
    plans = {plan.id: plan for one in stage.broker.catalog() for plan in one.plans}
    longest_s = plans[instance.plan_id].longest_s
    assert longest_s is not None
    assert stage.broker.provision(instance, stage.parameters, ALICE).longest_s == longest_s
    stage.work()
    assert stage.broker.update(instance, {"replicas": 3}, ALICE, plan_id=instance.plan_id).longest_s == longest_s
    stage.work()
    binding = BindingRef(instance, "b1")
    assert stage.broker.bind(binding, ALICE)[0].longest_s == longest_s
    stage.work()
    assert stage.broker.unbind(binding, ALICE).longest_s == longest_s
    stage.work()
    assert stage.broker.deprovision(instance, ALICE).longest_s == longest_s
    stage.work()
    assert stage.broker.deprovision(instance, ALICE).longest_s is None


def test_an_instance_is_updated(stage: Stage, ready: InstanceRef) -> None:
    more: dict[str, JSON] = {"replicas": 3}
    made = stage.broker.update(ready, more, ALICE, plan_id=ready.plan_id)
    assert made.pending
    assert stage.broker.update(ready, more, ALICE, plan_id=ready.plan_id) == made
    assert stage.broker.instance_status(ready, made.operation).progress is Progress.IN_PROGRESS
    stage.work()
    assert stage.broker.instance_status(ready, made.operation).progress is Progress.SUCCEEDED
    assert stage.broker.instance_parameters(ready).items() >= more.items()


def test_another_update_has_to_wait(stage: Stage, ready: InstanceRef) -> None:
    stage.broker.update(ready, {"replicas": 3}, ALICE, plan_id=ready.plan_id)
    with pytest.raises(BrokerError) as caught:
        stage.broker.update(ready, {"replicas": 1}, ALICE, plan_id=ready.plan_id)
    assert caught.value.busy


def test_an_update_that_fails_leaves_the_instance(stage: Stage, ready: InstanceRef) -> None:
    made = stage.broker.update(ready, {"replicas": 3}, ALICE, plan_id=ready.plan_id)
    stage.work("quota exceeded")
    status = stage.broker.instance_status(ready, made.operation)
    assert (status.progress, status.description) == (Progress.FAILED, "quota exceeded")
    assert stage.broker.instance_status(ready, made.operation) == status, "however often it is asked"
    assert stage.broker.instance_parameters(ready).items() >= stage.parameters.items()


def test_nothing_is_updated_where_there_is_nothing(stage: Stage, instance: InstanceRef) -> None:
    with pytest.raises(BrokerError) as caught:
        stage.broker.update(instance, {}, ALICE, plan_id=instance.plan_id)
    assert caught.value.status == 404


def test_what_was_never_there_is_gone(stage: Stage, instance: InstanceRef) -> None:
    assert stage.broker.deprovision(instance, ALICE) == Answer(pending=False)
    assert stage.broker.unbind(BindingRef(instance, "b1"), ALICE) == Answer(pending=False)


def test_another_one_of_the_same_id(stage: Stage, ready: InstanceRef) -> None:
    with pytest.raises(BrokerError) as caught:
        stage.broker.provision(ready, {}, ALICE)
    assert caught.value.status == 409


def test_a_failure_has_its_reason(stage: Stage, instance: InstanceRef) -> None:
    made = stage.broker.provision(instance, stage.parameters, ALICE)
    stage.work("quota exceeded")
    status = stage.broker.instance_status(instance, made.operation)
    assert (status.progress, status.description) == (Progress.FAILED, "quota exceeded")
    gone = stage.broker.deprovision(instance, Caller(None))
    stage.work()
    assert stage.broker.instance_status(instance, gone.operation).progress is Progress.SUCCEEDED


def test_a_binding_comes_and_goes(stage: Stage, ready: InstanceRef) -> None:
    binding = BindingRef(ready, "b/1")
    made, nothing = stage.broker.bind(binding, ALICE)
    assert (made.pending, nothing) == (True, None)
    assert stage.broker.bind(binding, ALICE) == (made, None)
    assert stage.broker.binding_status(binding, made.operation).progress is Progress.IN_PROGRESS
    stage.work()
    assert stage.broker.binding_status(binding, made.operation).progress is Progress.SUCCEEDED
    assert stage.broker.credentials(binding).values == CREDENTIALS

    gone = stage.broker.unbind(binding, ALICE)
    assert gone.pending
    assert stage.broker.unbind(binding, ALICE) == gone
    stage.work()
    assert stage.broker.binding_status(binding, gone.operation).progress is Progress.SUCCEEDED
    assert stage.broker.unbind(binding, ALICE) == Answer(pending=False)


@pytest.mark.osb(108)
def test_a_binding_replaces_another_and_both_are_there(stage: Stage, ready: InstanceRef) -> None:
    plans = [plan for one in stage.broker.catalog() if one.id == ready.service_id for plan in one.plans]
    assert plans[0].binding_rotatable
    old, new = BindingRef(ready, "b1"), BindingRef(ready, "b2")
    stage.broker.bind(old, ALICE)
    stage.work()
    made, _ = stage.broker.bind(new, ALICE, predecessor="b1")
    assert stage.broker.bind(new, ALICE, predecessor="b1") == (made, None)
    stage.work()
    assert [stage.broker.credentials(each).values for each in (old, new)] == [CREDENTIALS, CREDENTIALS]
    gone = stage.broker.unbind(old, ALICE)
    stage.work()
    assert stage.broker.binding_status(old, gone.operation).progress is Progress.SUCCEEDED
    assert stage.broker.credentials(new).values == CREDENTIALS
    with pytest.raises(BrokerError) as caught:
        stage.broker.bind(BindingRef(ready, "b3"), ALICE, predecessor="b1")
    assert caught.value.status == 400


def test_there_are_no_credentials_before_they_are_made(stage: Stage, ready: InstanceRef) -> None:
    binding = BindingRef(ready, "b1")
    stage.broker.bind(binding, ALICE)
    with pytest.raises(BrokerError) as caught:
        stage.broker.credentials(binding)
    assert caught.value.status == 404


def test_nothing_is_bound_to_nothing(stage: Stage, instance: InstanceRef) -> None:
    with pytest.raises(BrokerError) as caught:
        stage.broker.bind(BindingRef(instance, "b1"), ALICE)
    assert caught.value.status == 404
