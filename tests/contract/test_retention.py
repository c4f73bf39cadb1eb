"""What is old goes, and nothing else: the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from helmbroker.broker.domain.errors import Gone, NotFound
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.service.base import polled
from helmbroker.broker.store.retention import Retention
from helmbroker.broker.store.schema import addon_revisions, bindings, instances, operations
from helmbroker.broker.store.store import SqlStore
from helmbroker.catalog.model import Catalog
from helmbroker.catalog.sources.model import Listed
from helmbroker.catalog.sources.reading import Reading
from helmbroker.durable import Operation, State
from tests.contract.test_store import ADDON, store, url
from tests.fakes.broker_records import service_binding, service_instance

__all__ = ["store", "url"]
MONTH_S = 30 * 86400.0
WORKERS = operations.metadata.tables["workers"]


def forget(store: SqlStore, between: Callable[[], None] = lambda: None) -> dict[str, int]:
    return Retention(store.engine, MONTH_S).forget_old(between)


def finish(store: SqlStore, operation: Operation, days_ago: float, state: State = State.SUCCEEDED) -> None:
    values = {"state": state, "finished_at": operation.created_at - days_ago * 86400}
    with store.engine.begin() as conn:
        conn.execute(operations.update().where(operations.c.id == operation.id).values(values))


def made(store: SqlStore, number: int = 1) -> tuple[Operation, Operation]:
    """An instance and a binding, and what made them, two months ago."""
    with store.transaction() as tx:
        instance = service_instance(ADDON, f"instance-{number}")
        provision = tx.start(Kind.PROVISION, instance.id, None, timeout_s=60)
        tx.save_instance(instance, provision)
        bind = tx.start(Kind.BIND, instance.id, "binding", timeout_s=60)
        tx.save_binding(service_binding(instance), bind)
    for operation in (provision, bind):
        finish(store, operation, 60)
    return provision, bind


def removed(store: SqlStore, days_ago: float, number: int = 1, state: State = State.SUCCEEDED) -> Operation:
    with store.transaction() as tx:
        deprovision = tx.start(Kind.DEPROVISION, f"instance-{number}", None, timeout_s=60)
        tx.instance_operation(f"instance-{number}", deprovision)
        if state is State.SUCCEEDED:
            tx.forget_instance(f"instance-{number}")
    finish(store, deprovision, days_ago, state)
    return deprovision


def unbound(store: SqlStore, days_ago: float) -> Operation:
    with store.transaction() as tx:
        unbind = tx.start(Kind.UNBIND, "instance-1", "binding", timeout_s=60)
        tx.binding_operation("instance-1", "binding", unbind)
        tx.forget_binding("instance-1", "binding")
    finish(store, unbind, days_ago)
    return unbind


def ids(store: SqlStore, table: sa.Table) -> set[str]:
    with store.engine.connect() as conn:
        return set(conn.scalars(sa.select(table.c.id)))


def test_what_is_there_stays_with_its_latest_operation(store: SqlStore) -> None:
    provision, bind = made(store)
    assert forget(store) == {}
    assert ids(store, operations) == {provision.id, bind.id}


def test_operations_go_when_others_came_after_them_long_ago(store: SqlStore) -> None:
    provision, bind = made(store)
    with store.transaction() as tx:
        update = tx.start(Kind.UPDATE, "instance-1", None, timeout_s=60)
        tx.instance_operation("instance-1", update)
    assert forget(store) == {}, "not while anything is going on there"
    finish(store, update, 1)
    assert forget(store) == {"operations": 1}
    assert ids(store, operations) == {bind.id, update.id}
    with store.read() as records:
        assert records.operation(provision.id) is None
        assert records.instance("instance-1") is not None


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_however_they_ended(store: SqlStore, state: State) -> None:
    made(store)
    with store.transaction() as tx:
        update = tx.start(Kind.UPDATE, "instance-1", None, timeout_s=60)
    finish(store, update, 31, state)
    assert forget(store) == {"operations": 1}


@pytest.mark.osb(81, 92, 116)
def test_a_tombstone_goes_with_all_that_is_known_of_it(store: SqlStore) -> None:
    made(store)
    deprovision = removed(store, 29)
    forget(store)
    assert ids(store, instances) == {"instance-1"}
    assert ids(store, operations) == {deprovision.id}
    finish(store, deprovision, 31)
    assert forget(store) == {"instances": 1, "operations": 1}
    assert (ids(store, instances), ids(store, operations)) == (set(), set())
    with pytest.raises(Gone):
        polled(store, "instance-1", None, deprovision.id)
    with pytest.raises(NotFound):
        polled(store, "instance-1", None, "provision:x")


def test_a_tombstone_of_a_binding_goes_alone(store: SqlStore) -> None:
    provision, _bind = made(store)
    unbind = unbound(store, 31)
    assert forget(store) == {"bindings": 1, "operations": 2}
    assert ids(store, operations) == {provision.id}
    with pytest.raises(Gone):
        polled(store, "instance-1", "binding", unbind.id)
    with store.transaction() as tx:
        tx.save_binding(service_binding(service_instance(ADDON, "instance-1")), provision)


def test_what_could_not_be_removed_is_no_tombstone(store: SqlStore) -> None:
    made(store)
    removed(store, 60, state=State.FAILED)
    forget(store)
    assert ids(store, instances) == {"instance-1"}


def test_an_instance_that_is_made_again_is_none_either(store: SqlStore) -> None:
    made(store)
    removed(store, 60)
    with store.transaction() as tx:
        instance = service_instance(ADDON, "instance-1")
        tx.save_instance(instance, tx.start(Kind.PROVISION, instance.id, None, timeout_s=60))
    assert forget(store) == {}
    assert ids(store, instances) == {"instance-1"}


def age_of_revisions(store: SqlStore, days: float) -> None:
    with store.engine.begin() as conn:
        conn.execute(addon_revisions.update().values(kept_at=addon_revisions.c.kept_at - days * 86400))


def revisions(store: SqlStore) -> int:
    with store.engine.connect() as conn:
        return conn.scalar(sa.select(sa.func.count()).select_from(addon_revisions)) or 0


def test_a_revision_goes_when_nobody_offers_or_has_pinned_it(store: SqlStore) -> None:
    made(store)
    age_of_revisions(store, 31)
    assert forget(store) == {}, "an instance has pinned it"
    removed(store, 31)
    store.keep(Catalog((ADDON,)))
    forget(store)
    assert revisions(store) == 1, "an API has offered it since"
    age_of_revisions(store, 31)
    assert forget(store) == {"addon_revisions": 1}
    store.keep(Catalog((ADDON,)))
    assert revisions(store) == 1


def test_a_revision_in_the_catalog_never_goes_and_one_that_has_left_it_has_its_time(store: SqlStore) -> None:
    row = Listed("addons", "demo", ADDON.digest, ADDON.digest, ADDON.id)
    assert store.replace((), ["addons"], Reading((), (row,), Catalog((ADDON,)), changed=True))
    age_of_revisions(store, 31)
    assert forget(store) == {}
    assert store.replace((row,), ["addons"], Reading((), (), Catalog(), changed=True))
    assert forget(store) == {}, "it has left the catalog now"
    age_of_revisions(store, 31)
    assert forget(store) == {"addon_revisions": 1}


def test_the_time_of_a_revision_kept_by_an_older_version_begins_now(store: SqlStore) -> None:
    with store.engine.begin() as conn:
        conn.execute(addon_revisions.update().values(kept_at=None))
    assert forget(store) == {}
    age_of_revisions(store, 31)
    assert forget(store) == {"addon_revisions": 1}


def test_workers_that_died_long_ago_go(store: SqlStore) -> None:
    with store.engine.begin() as conn:
        for owner, seen_at in (("dead", 1.0), ("alive", 9e12)):
            conn.execute(WORKERS.insert().values(owner=owner, host="h", started_at=1.0, seen_at=seen_at))
    assert forget(store) == {"workers": 1}


def test_it_is_done_a_few_at_a_time_and_can_end_between(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("helmbroker.database.batches._AT_ONCE", 2)
    for number in range(5):
        made(store, number)
        removed(store, 31, number)
    breaks: list[int] = []

    def between() -> None:
        breaks.append(len(ids(store, instances)))
        if len(breaks) == 4:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        forget(store, between)
    assert breaks == [5, 5, 3, 1], "bindings are gone with their instances; then two at a time"
    assert forget(store) == {"instances": 1, "operations": 15}


def test_schedules_stay(store: SqlStore) -> None:
    with store.engine.begin() as conn:
        store.queue.schedule(conn, "retention", 3600.0)
        conn.execute(operations.update().values(finished_at=1.0))
    assert forget(store) == {}
    assert ids(store, bindings) == set()
