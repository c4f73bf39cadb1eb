"""The contract of the port Store: the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.broker.domain.credentials import Credentials, Parameters
from helmbroker.broker.domain.errors import Unavailable
from helmbroker.broker.domain.operation import Kind, Phase
from helmbroker.broker.domain.store_ports import Transaction
from helmbroker.broker.store.store import SqlStore
from helmbroker.catalog.formats import native
from helmbroker.catalog.model import Catalog
from helmbroker.durable import State
from helmbroker.sealing import KeyRing, KeyRingError, Keys
from tests.fakes.broker_records import service_binding, service_instance
from tests.postgresql import empty_database

ADDON = native.load(Path(__file__).parents[2] / "addons" / "redis")
KEYS = Keys(KeyRing({"1": bytes(32)}, "1"))
CANARY = "c4n4ry-7f3a"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return empty_database(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    made = SqlStore(url, KEYS)
    made.prepare()
    made.keep(Catalog((ADDON,)))
    yield made
    made.close()


def with_binding(store: SqlStore) -> None:
    """An instance and a binding with credentials, both full of the canary."""
    with store.transaction() as tx:
        instance = service_instance(ADDON, password=CANARY)
        tx.save_instance(instance, tx.start(Kind.PROVISION, instance.id, None, timeout_s=60))
        binding = service_binding(instance, password=CANARY)
        tx.save_binding(binding, tx.start(Kind.BIND, instance.id, binding.id, timeout_s=60))
        tx.deliver(instance.id, binding.id, Credentials({"password": CANARY, "host": "h"}))


def everything(store: SqlStore) -> str:
    """Every row of every table, as text; bytes also as they may be read."""
    with store.engine.connect() as conn:
        tables = sa.inspect(conn).get_table_names()
        rows = [row for table in tables for row in conn.execute(sa.text(f"SELECT * FROM {table}"))]  # noqa: S608
    values = [value for row in rows for value in row]
    return " ".join(str(bytes(value) if isinstance(value, memoryview | bytes) else value) for value in values)


def test_what_is_recorded_is_read_again(store: SqlStore) -> None:
    with_binding(store)
    with store.read() as records:
        instance, binding = records.instance("instance"), records.binding("instance", "binding")
    assert instance is not None
    assert binding is not None
    wanted = service_instance(ADDON, password=CANARY)
    assert instance.instance == wanted
    assert (instance.phase, instance.operation.state) == (Phase.MAKING, State.QUEUED)
    assert binding.binding.credentials == Credentials({"password": CANARY, "host": "h"})
    assert binding.binding.parameters == Parameters({"password": CANARY})
    assert binding.binding.release == service_binding(wanted).release
    with store.read() as records:
        assert [each.binding.id for each in records.bindings("instance")] == ["binding"]


@pytest.mark.bug(47)
@pytest.mark.bug(14, 42, 50)
def test_what_is_wanted_lies_beside_what_is_in_force_until_it_is_settled(store: SqlStore) -> None:
    with_binding(store)
    before = service_instance(ADDON, password=CANARY)
    wanted = replace(
        service_instance(ADDON, plan="medium", password=f"{CANARY}-2", n=1), context={"instance_name": "x"}
    )
    with store.transaction() as tx:
        operation = tx.start(Kind.UPDATE, before.id, None, timeout_s=60)
        tx.want(wanted, operation)
        tx.begin_change(before.id, 3)
    with store.read() as records:
        record = records.instance("instance")
    assert record is not None
    assert (record.instance, record.wanted, record.return_to) == (before, wanted, 3)
    assert (record.operation.id, record.phase) == (operation.id, Phase.UPDATING)
    assert CANARY not in everything(store) + repr(record)
    for settled in (before, wanted):
        with store.transaction() as tx:
            tx.settle(settled)
        with store.read() as records:
            record = records.instance("instance")
        assert record is not None
        assert (record.instance, record.wanted, record.return_to) == (settled, None, None)


@pytest.mark.osb(49, 70)
def test_a_record_and_its_operation_are_of_one_moment(store: SqlStore) -> None:
    """Else a PATCH could change what an update has just replaced, and undo it."""
    with_binding(store)
    wanted = service_instance(ADDON, plan="medium")
    with store.transaction() as tx:
        tx.cancel_all(wanted.id)
        tx.want(wanted, tx.start(Kind.UPDATE, wanted.id, None, timeout_s=60))
    claimed = store.queue.claim("worker", frozenset(Kind), 60)
    assert claimed is not None
    going_on = [claimed]

    def finish_meanwhile(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if "instances" in statement and going_on:
            going_on.clear()
            with store.transaction() as tx:
                tx.settle(wanted)
            with store.engine.begin() as conn:
                store.queue.finish(conn, claimed[0], State.SUCCEEDED, "", lambda *_: None)

    sa.event.listen(store.engine, "after_cursor_execute", finish_meanwhile)
    for phase in (Phase.UPDATING, Phase.READY):
        with store.read() as records:
            record = records.instance(wanted.id)
        assert record is not None
        assert record.phase is phase
        assert (record.wanted or record.instance) == wanted
        assert (record.wanted is None) is (phase is Phase.READY)


def test_types_of_parameters_survive(store: SqlStore) -> None:
    """What was a number comes back as one."""
    given: dict[str, object] = {
        "a": 1,
        "b": 1.5,
        "c": True,
        "d": None,
        "e": [1, "x"],
        "f": {"g": ""},
        "ü": "ü\u2028",
    }
    with store.transaction() as tx:
        instance = service_instance(ADDON, **given)  # type: ignore[arg-type]  # it is JSON
        tx.save_instance(instance, tx.start(Kind.PROVISION, instance.id, None, timeout_s=60))
    with store.read() as records:
        record = records.instance("instance")
    assert record is not None
    assert record.instance.parameters.reveal() == given


def test_what_is_not_there_is_none(store: SqlStore) -> None:
    with store.read() as records:
        assert records.instance("x") is None
        assert records.binding("x", "y") is None
        assert records.bindings("x") == []
        assert records.operation("x") is None


def test_reads_write_nothing(store: SqlStore) -> None:
    with pytest.raises((Unavailable, sa.exc.SQLAlchemyError)), store.read() as records:
        records.start(Kind.PROVISION, "instance", None, timeout_s=60)


def _save_and_fail(tx: Transaction) -> None:
    instance = service_instance(ADDON)
    tx.save_instance(instance, tx.start(Kind.PROVISION, instance.id, None, timeout_s=60))
    raise KeyRingError("something went wrong")


@pytest.mark.bug(18)
def test_a_transaction_that_fails_leaves_nothing(store: SqlStore) -> None:
    with pytest.raises(KeyRingError), store.transaction() as tx:
        _save_and_fail(tx)
    with store.read() as records:
        assert records.instance("instance") is None


@pytest.mark.bug(50)
def test_nothing_secret_is_readable_in_the_tables(store: SqlStore) -> None:
    with_binding(store)
    assert CANARY not in everything(store)


@pytest.mark.bug(53)
def test_tombstones_leave_no_secrets(store: SqlStore) -> None:
    """Nothing of credentials and parameters stays, not even encrypted."""
    with_binding(store)
    with store.transaction() as tx:
        tx.forget_binding("instance", "binding")
        operation = tx.start(Kind.UNBIND, "instance", "binding", timeout_s=60)
        tx.binding_operation("instance", "binding", operation)
    with store.read() as records:
        binding = records.binding("instance", "binding")
    assert binding is not None
    assert binding.binding.credentials is None
    assert (binding.binding.parameters, binding.binding.context) == (Parameters({}), {})
    assert binding.operation.id == operation.id
    with store.transaction() as tx:
        wanted = service_instance(ADDON, password=CANARY)
        tx.want(wanted, tx.start(Kind.UPDATE, "instance", None, timeout_s=60))
        tx.forget_instance("instance")
    with store.read() as records:
        instance = records.instance("instance")
        assert records.bindings("instance") == []
    assert instance is not None
    assert instance.wanted is None
    assert instance.instance.parameters == Parameters({})


def test_a_database_file_keeps_nothing_of_what_was_forgotten(tmp_path: Path) -> None:
    """The file itself: what is deleted must not be found in free pages, sealed or not."""
    path = tmp_path / "store.db"
    store = SqlStore(f"sqlite:///{path}", KEYS)
    store.prepare()
    store.keep(Catalog((ADDON,)))
    with_binding(store)
    with store.read() as records:
        binding = records.binding("instance", "binding")
    with store.engine.connect() as conn:
        sealed = bytes(conn.scalar(sa.text("SELECT sealed_credentials FROM bindings")) or b"")
    assert binding is not None
    with store.transaction() as tx:
        tx.forget_instance("instance")
    with store.engine.begin() as conn:
        conn.exec_driver_sql("PRAGMA user_version = 1")  # any later write
    store.close()
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert CANARY.encode() not in content
    assert len(sealed) > 40
    assert sealed[-40:] not in content


def test_credentials_are_delivered_once_the_binding_is_saved_anew(store: SqlStore) -> None:
    """A repeated bind begins without what the one before had delivered."""
    with_binding(store)
    with store.transaction() as tx:
        binding = service_binding(service_instance(ADDON))
        tx.save_binding(binding, tx.start(Kind.BIND, "instance", "binding", timeout_s=60))
    with store.read() as records:
        record = records.binding("instance", "binding")
    assert record is not None
    assert record.binding.credentials is None


@pytest.mark.osb(90, 93)
def test_polling_tells_the_named_operation_or_the_latest(store: SqlStore) -> None:
    with_binding(store)
    with store.transaction() as tx:
        later = tx.start(Kind.DEPROVISION, "instance", None, timeout_s=60)
        first = tx.instance("instance")
        tx.instance_operation("instance", later)
        binding = tx.binding("instance", "binding")
    assert first is not None
    assert binding is not None
    assert store.poll("instance", None, None) == store.poll("instance", None, later.id) == later
    assert store.poll("instance", None, first.operation.id) == first.operation
    assert store.poll("instance", "binding", None) == binding.operation
    assert store.poll("instance", "binding", binding.operation.id) == binding.operation
    assert store.poll("instance", "binding", first.operation.id) == binding.operation
    assert store.poll("instance", None, binding.operation.id) == later
    assert store.poll("instance", None, "unknown") == later
    assert store.poll("another", None, later.id) is None
    assert store.poll("another", "binding", binding.operation.id) is None


def test_cancelling(store: SqlStore) -> None:
    with_binding(store)
    with store.transaction() as tx:
        record = tx.binding("instance", "binding")
        assert record is not None
        tx.cancel(record.operation.id)
    with store.read() as records:
        instance, binding = records.instance("instance"), records.binding("instance", "binding")
    assert instance is not None
    assert binding is not None
    assert (instance.operation.state, binding.operation.state) == (State.QUEUED, State.CANCELLED)
    with store.transaction() as tx:
        tx.cancel_all("instance")
    with store.read() as records:
        instance = records.instance("instance")
    assert instance is not None
    assert (instance.phase, instance.operation.description) == (
        Phase.MAKE_FAILED,
        "stopped, because it is being removed",
    )


def test_a_watch_tells_what_has_ended_once_and_to_whoever_asks_anew(store: SqlStore) -> None:
    with store.transaction() as tx:
        one = tx.start(Kind.PROVISION, "one", None, timeout_s=60).id
        two = tx.start(Kind.PROVISION, "two", None, timeout_s=60).id
    both = frozenset({one, two})
    with store.watch() as watch:
        assert watch.finished(both) == frozenset()
        assert watch.finished(both) == frozenset()
        with store.transaction() as tx:
            tx.cancel(one)
        assert watch.finished(both) == {one}
        assert watch.finished(frozenset({two})) == frozenset()
        assert watch.finished(both) == {one}, "nothing was written since, but it is asked for again"
        assert watch.finished(frozenset()) == frozenset()
        assert watch.finished(frozenset({"unknown"})) == frozenset()


def test_one_of_many_makes_the_instance(store: SqlStore) -> None:
    """Each asks whether there is one, and makes it if not: as the service does for PUT."""
    start, made = threading.Barrier(6), []

    def put() -> None:
        start.wait()
        with store.transaction() as tx:
            if tx.instance("instance") is None:
                instance = service_instance(ADDON)
                operation = tx.start(Kind.PROVISION, instance.id, None, timeout_s=60)
                tx.save_instance(instance, operation)
                made.append(operation.id)

    threads = [threading.Thread(target=put) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    with store.read() as records:
        record = records.instance("instance")
    assert record is not None
    assert record.operation.id == made[0]


def test_replicas_may_start_together(url: str) -> None:
    """Tables, facts and revisions are made by whoever comes first."""
    start, failed, ids = threading.Barrier(4), [], []

    def replica() -> None:
        store = SqlStore(url, KEYS)
        start.wait()
        try:
            store.prepare()
            store.keep(Catalog((ADDON,)))
            ids.append(store.broker_id)
        except sa.exc.SQLAlchemyError as error:
            failed.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=replica) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(ids) == 4
    assert len(set(ids)) == 1
    assert re.fullmatch("[0-9a-f]{16}", ids[0])


def test_an_addon_is_kept_for_ever(store: SqlStore) -> None:
    store.keep(Catalog(()))
    assert store.packed(ADDON.digest) is not None
    assert store.packed("0" * 64) is None


def test_the_wrong_key_ring_is_refused_at_the_start(store: SqlStore, url: str) -> None:
    with_binding(store)
    other = SqlStore(url, Keys(KeyRing({"1": bytes(range(32))}, "1")))
    with pytest.raises(KeyRingError, match="sealed under another key"):
        other.prepare()
    other.close()
    store.prepare()


def test_a_changed_or_moved_row_is_refused(store: SqlStore) -> None:
    with_binding(store)
    with store.engine.begin() as conn:
        conn.execute(sa.text("UPDATE bindings SET sealed_parameters = sealed_credentials"))
    with pytest.raises(KeyRingError, match="has been changed"), store.read() as records:
        records.binding("instance", "binding")


def test_records_show_nothing(store: SqlStore) -> None:
    with_binding(store)
    with store.read() as records:
        shown = repr(records.instance("instance")) + repr(records.binding("instance", "binding")) + repr(records)
    assert CANARY not in shown
