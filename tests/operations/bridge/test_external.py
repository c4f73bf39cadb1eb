"""The class `external`: credentials that a user gives, kept sealed, put into the app, changed and detached."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.controller_bridge.apps.given import GivenSecrets
from helmbroker.controller_bridge.broker_port import BindingRef, Caller, InstanceRef
from helmbroker.controller_bridge.external import FROM_SECRET, GIVEN, ExternalBroker, NotGiven
from helmbroker.controller_bridge.model import BindingState, InstanceState
from helmbroker.controller_bridge.sealing import Sealer
from helmbroker.controller_bridge.service import NewResource
from helmbroker.durable import JSON, State
from helmbroker.kubeapi.errors import Forbidden, Unreachable
from helmbroker.sealing import KeyRing, Keys
from tests.operations.bridge.world import APP, DB, OTHER_APP, World

CANARY = "canary-of-a-vendor"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def bound(world: World, **options: str) -> None:
    world.elsewhere(**options)
    assert world.run(world.service.bind(APP, DB, "alice").binding_operation).state is State.SUCCEEDED


def update(world: World, plan: str = "credentials", **options: JSON) -> None:
    """And what follows."""
    world.run(world.service.update(APP, DB, f"external:{plan}", options, "alice").instance_operation)
    while world.hand.turn():
        pass


def secret(world: World, *, app: str = APP, given: str | None = "true", name: str = "vendor", **data: str) -> None:
    labels = {} if given is None else {"helmbroker.io/external": given}
    coded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    world.kube.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": app, "labels": labels},
            "data": coded,
        }
    )


def from_secret(world: World, **options: JSON) -> str:
    """Create; how it ended."""
    new = NewResource(APP, DB, "external", "secret", options or {"secret": "vendor"})
    world.run(world.service.create(new, "alice").instance_operation)
    return world.message()


def test_the_app_gets_what_was_given(world: World) -> None:
    bound(world, uri="postgres://vendor", port="5432")
    assert world.environment() == {"MY_DB_URI": "postgres://vendor", "MY_DB_PORT": "5432"}
    assert world.offered() == ["my-db-binding"]
    assert world.broker.calls.count("provision") == 0


def test_dotted_keys_and_other_values(world: World) -> None:
    new = NewResource(APP, DB, "external", "credentials", {"ssl.ca": "PEM", "replicas": ["a", "b"], "port": 1})
    world.run(world.service.create(new, "alice").instance_operation)
    world.run(world.service.bind(APP, DB, "alice").binding_operation)
    assert world.environment() == {"MY_DB_SSL_CA": "PEM", "MY_DB_REPLICAS": '["a", "b"]', "MY_DB_PORT": "1"}


def test_nothing_of_it_is_in_clear(world: World) -> None:
    bound(world, password=CANARY)
    with world.store.reading() as conn:
        tables = sa.inspect(conn).get_table_names()
        text = "".join(str(list(conn.execute(sa.text(f"SELECT * FROM {table}")))) for table in tables)  # noqa: S608
    assert CANARY not in text
    assert CANARY not in repr(world.external)
    assert world.kept() == 2


def test_without_credentials_there_is_nothing(world: World) -> None:
    new = NewResource(APP, DB, "external", "credentials", {})
    world.run(world.service.create(new, "alice").instance_operation)
    assert world.states()[0] is InstanceState.FAILED
    assert world.message() == "give the credentials as options: KEY=VALUE, or a YAML file"
    assert world.kept() == 0


def test_other_credentials_go_into_the_app(world: World) -> None:
    bound(world, uri="postgres://one", password="a")
    before = world.resource().binding_id
    update(world, uri="postgres://two")
    assert world.environment() == {"MY_DB_URI": "postgres://two", "MY_DB_PASSWORD": "a"}
    assert world.states() == (InstanceState.READY, BindingState.READY)
    assert world.message() == "The new credentials are live in the app with release v3"
    assert world.resource().binding_id != before
    assert world.kept() == 2


def test_an_app_that_does_not_run_with_them_keeps_those_it_has(world: World) -> None:
    bound(world, uri="postgres://one", port="5432")
    update(world, uri="postgres://two", port="666")
    assert world.environment() == {"MY_DB_URI": "postgres://one", "MY_DB_PORT": "5432"}
    assert world.states() == (InstanceState.READY, BindingState.READY)
    assert "exit code 3" in world.message()
    assert world.apps.apps[APP].offered["my-db-binding"]["port"] == "5432"
    ref = world.resource().at_broker
    assert ref is not None
    had = world.external.credentials(BindingRef(ref, str(world.resource().binding_id)))
    assert had.values == {"uri": "postgres://one", "port": "5432"}
    update(world, port="5433")
    assert world.environment() == {"MY_DB_URI": "postgres://two", "MY_DB_PORT": "5433"}


def test_the_same_again_changes_nothing(world: World) -> None:
    bound(world, uri="postgres://one")
    update(world, uri="postgres://one")
    assert world.message() == "The app has the credentials"
    assert world.kept() == 2
    assert len(world.ledger()) == 2
    assert world.states() == (InstanceState.READY, BindingState.READY)


def test_what_is_not_bound_has_them_at_the_next_bind(world: World) -> None:
    world.elsewhere(uri="postgres://one")
    update(world, uri="postgres://two")
    world.run(world.service.bind(APP, DB, "alice").binding_operation)
    assert world.environment() == {"MY_DB_URI": "postgres://two"}


def test_unbind_and_destroy_leave_nothing(world: World) -> None:
    bound(world, uri="postgres://one")
    world.run(world.service.unbind(APP, DB, "alice").binding_operation)
    assert (world.environment(), world.offered(), world.kept()) == ({}, [], 1)
    world.service.destroy(APP, DB, "alice")
    world.run(world.resource().instance_operation)
    assert world.kept() == 0


def test_from_a_secret_that_is_given(world: World) -> None:
    secret(world, uri="postgres://vendor", password=CANARY)
    assert from_secret(world) == "The instance was provisioned successfully"
    world.run(world.service.bind(APP, DB, "alice").binding_operation)
    assert world.environment() == {"MY_DB_URI": "postgres://vendor", "MY_DB_PASSWORD": CANARY}


def test_a_rotation_reads_the_secret_again(world: World) -> None:
    secret(world, uri="postgres://one")
    from_secret(world)
    world.run(world.service.bind(APP, DB, "alice").binding_operation)
    two = base64.b64encode(b"postgres://two").decode()
    world.kube.patch("Secret", APP, "vendor", {"data": {"uri": two}})
    world.run(world.service.rotate(APP, DB, "alice").binding_operation)
    assert world.environment() == {"MY_DB_URI": "postgres://two"}


def test_an_update_may_change_the_plan(world: World) -> None:
    secret(world, uri="postgres://two")
    bound(world, uri="postgres://one", password="a")
    update(world, "secret", secret="vendor")
    assert world.environment() == {"MY_DB_URI": "postgres://two"}
    assert world.resource().plan_name == "external:secret"


@pytest.mark.parametrize("given", [None, "false", "yes"])
def test_a_secret_that_is_not_given_is_not_read(world: World, given: str | None) -> None:
    """Who may use the bridge may not yet read every Secret of the app's namespace."""
    secret(world, given=given, uri=CANARY)
    told = "Secret shop/vendor is not given to the bridge: kubectl label secret -n shop vendor "
    assert from_secret(world) == f"{told}helmbroker.io/external=true"
    assert world.kept() == 0


def test_a_secret_of_the_bridge_is_not_read(world: World) -> None:
    secret(world, uri=CANARY)
    world.kube.patch(
        "Secret", APP, "vendor", {"metadata": {"labels": {"app.kubernetes.io/managed-by": "helmbroker-bridge"}}}
    )
    assert "is not given to the bridge" in from_secret(world)


@pytest.mark.parametrize("name", ["../x", "Vendor", "a/b", ""])
def test_names_that_no_secret_has(world: World, name: str) -> None:
    assert "a Secret has a name of a-z" in from_secret(world, secret=name)
    assert world.kube.calls == []


@pytest.mark.parametrize("options", [{"name": "vendor"}, {"secret": 3}, {"secret": "vendor", "uri": "x"}])
def test_options_that_name_no_secret(world: World, options: dict[str, JSON]) -> None:
    assert from_secret(world, **options) == "the plan secret takes one option, secret: the name of the Secret"


def test_a_secret_that_is_not_there(world: World) -> None:
    assert from_secret(world) == "there is no Secret shop/vendor"


def test_a_secret_that_is_no_text(world: World) -> None:
    secret(world, uri="x")
    world.kube.patch("Secret", APP, "vendor", {"data": {"uri": base64.b64encode(b"\xff").decode()}})
    assert from_secret(world) == "Secret shop/vendor holds what is no text: credentials are texts"


def test_a_cluster_that_does_not_answer_is_asked_again(world: World) -> None:
    secret(world, uri="x")
    told: list[str] = []

    def away(*_: object) -> None:
        if not told:
            told.append("once")
            raise Unreachable("read Secret shop/vendor", "no route")

    world.kube.before = away
    assert from_secret(world) == "The instance was provisioned successfully"


def test_a_secret_that_the_bridge_may_not_read(world: World) -> None:
    secret(world, uri="x")

    def forbid(*_: object) -> None:
        raise Forbidden("read Secret shop/vendor", "no")

    world.kube.before = forbid
    assert from_secret(world) == "cannot read Secret shop/vendor: no"


def test_shared_credentials_are_those_of_the_app_that_gave_them(world: World) -> None:
    secret(world, uri="postgres://vendor")
    secret(world, app=OTHER_APP, uri="postgres://of another")
    from_secret(world)
    world.sharing.share(OTHER_APP, DB, (APP, DB), "alice")
    world.run(world.service.bind(OTHER_APP, DB, "alice").binding_operation)
    assert world.apps.apps[OTHER_APP].running == {"MY_DB_URI": "postgres://vendor"}


def test_shared_ones_change_when_their_app_rotates(world: World) -> None:
    bound(world, uri="postgres://one")
    world.sharing.share(OTHER_APP, DB, (APP, DB), "alice")
    world.run(world.service.bind(OTHER_APP, DB, "alice").binding_operation)
    update(world, uri="postgres://two")
    assert world.apps.apps[OTHER_APP].running == {"MY_DB_URI": "postgres://one"}
    world.run(world.service.rotate(OTHER_APP, DB, "alice").binding_operation)
    assert world.apps.apps[OTHER_APP].running == {"MY_DB_URI": "postgres://two"}


def with_key_2(world: World) -> ExternalBroker:
    sealer = Sealer(Keys(KeyRing({"k2": bytes(range(32))}, "k2")))
    return ExternalBroker(world.store, sealer, GivenSecrets(lambda: world.kube))


def test_another_key_ring_opens_nothing(world: World) -> None:
    bound(world, uri="postgres://one")
    ref = world.resource().at_broker
    assert ref is not None
    with pytest.raises(NotGiven, match="cannot be opened"):
        with_key_2(world).credentials(BindingRef(ref, str(world.resource().binding_id)))


def test_every_sealed_column_comes_along_with_a_new_key(world: World) -> None:
    bound(world, uri="postgres://one")
    new = Keys(KeyRing({"k1": bytes(32), "k2": bytes(range(32))}, "k2"))
    for holding in world.store.sealed():
        assert [fault for batch in holding.rewrap(new) for fault in batch.faults] == []
        assert set(holding.key_ids()) <= {"k2"}
    ref = world.resource().at_broker
    assert ref is not None
    assert with_key_2(world).credentials(BindingRef(ref, str(world.resource().binding_id))).values


def test_what_is_not_there(world: World) -> None:
    ref = InstanceRef("i", "s", GIVEN.id, app=APP, name=DB)
    for ask in (
        lambda: world.external.bind(BindingRef(ref, "b"), Caller("alice")),
        lambda: world.external.credentials(BindingRef(ref, "b")),
        lambda: world.external.update(ref, {"a": "b"}, Caller("alice"), plan_id=FROM_SECRET.id),
    ):
        with pytest.raises(NotGiven, match="there is no such"):
            ask()
    assert world.external.unbind(BindingRef(ref, "b"), Caller("alice")).pending is False
    assert world.external.deprovision(ref, Caller("alice")).pending is False
