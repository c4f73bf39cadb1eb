"""What is sealed in the database comes under another key while it is used: on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from helmbroker.broker.domain.credentials import Credentials
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.store import sealed
from helmbroker.broker.store.schema import bindings, facts, instances
from helmbroker.broker.store.store import SqlStore
from helmbroker.catalog.model import Catalog
from helmbroker.sealing import KeyRing, KeyRingError, Keys
from tests.contract.test_store import ADDON, url, with_binding
from tests.fakes.broker_records import service_instance

__all__ = ["url"]
OLD, NEW = bytes(32), bytes(range(32))
NUMBER = 250  # more than two batches


def ring(active: str, *ids: str) -> Keys:
    return Keys(KeyRing({key_id: {"1": OLD, "2": NEW}[key_id] for key_id in ids}, active, ["1"]))


FIRST, BOTH, SECOND = ring("1", "1"), ring("2", "1", "2"), ring("2", "2")


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    """With 250 instances, sealed as by version 0.1."""
    made = SqlStore(url, FIRST)
    made.prepare()
    made.keep(Catalog((ADDON,)))
    with_binding(made)
    with made.transaction() as tx:
        for number in range(NUMBER):
            instance = service_instance(ADDON, f"i{number}", password=f"p{number}")
            tx.save_instance(instance, tx.start(Kind.PROVISION, instance.id, None, timeout_s=60))
            tx.want(instance, tx.start(Kind.UPDATE, instance.id, None, timeout_s=60))
    yield made
    made.close()


def held(store: SqlStore) -> set[str]:
    return {key_id for column in sealed.columns(store.engine) for key_id in column.key_ids()}


def rotate(store: SqlStore, keys: Keys = BOTH) -> int:
    return sum(batch.changed for column in sealed.columns(store.engine) for batch in column.rewrap(keys))


def test_every_column_named_so_is_one_of_them(store: SqlStore) -> None:
    names = {str(column) for table in (instances, bindings) for column in table.c if "sealed" in column.name}
    assert {column.name for column in sealed.columns(store.engine)} == {*names, "facts.value"}


@pytest.mark.bug(50)
def test_all_of_it_comes_under_the_active_key(store: SqlStore, url: str) -> None:
    assert held(store) == {"1"}
    assert rotate(store) == 2 * NUMBER + 5  # wanted as well; one more instance, its binding twice, two facts
    assert held(store) == {"2"}
    assert rotate(store) == 0
    after = SqlStore(url, SECOND)
    after.prepare()
    with after.read() as records:
        found, binding = records.instance("i7"), records.binding("instance", "binding")
    assert found is not None
    assert found.instance == service_instance(ADDON, "i7", password="p7")
    assert binding is not None
    assert binding.binding.credentials is not None
    after.close()
    before = SqlStore(url, FIRST)
    with pytest.raises(KeyRingError, match="not that of this database"):
        before.prepare()
    before.close()


def test_it_goes_on_where_it_was_ended(store: SqlStore) -> None:
    column = sealed.columns(store.engine)[0]
    first = next(column.rewrap(BOTH))
    assert 0 < first.changed < NUMBER
    assert held(store) == {"1", "2"}
    assert first.changed + rotate(store) == 2 * NUMBER + 5
    assert held(store) == {"2"}


def test_what_others_write_meanwhile_is_theirs(store: SqlStore, url: str) -> None:
    """They write under the old key as they have not seen the new one; another round brings that under it."""
    changed = service_instance(ADDON, "i7", password="anew")

    class Slow(Keys):
        def rewrapped(self, old: bytes, place: str) -> bytes | None:
            if '"i7"' in place and not written.is_set():
                written.set()
                with store.transaction() as tx:
                    tx.settle(changed)
            return super().rewrapped(old, place)

    written = threading.Event()
    rotate(store, Slow(KeyRing({"1": OLD, "2": NEW}, "2", ["1"])))
    assert "1" in held(store)
    rotate(store)
    assert held(store) == {"2"}
    after = SqlStore(url, SECOND)
    with after.read() as records:
        found = records.instance("i7")
    after.close()
    assert found is not None
    assert found.instance.parameters == changed.parameters


def test_the_program_reads_and_writes_meanwhile(store: SqlStore, url: str) -> None:
    serving = SqlStore(url, BOTH)
    stop, seen = threading.Event(), list[str]()

    def serve() -> None:
        number = 0
        while not stop.is_set():
            with serving.transaction() as tx:
                tx.deliver("instance", "binding", Credentials({"password": f"round {number}"}))
            with serving.read() as records:
                found = records.binding("instance", "binding")
            assert found is not None
            seen.append(str(found.binding.credentials == Credentials({"password": f"round {number}"})))
            number += 1

    thread = threading.Thread(target=serve)
    thread.start()
    rotate(store)
    stop.set()
    thread.join()
    assert set(seen) == {"True"}
    assert held(store) == {"2"}
    serving.close()


def test_what_does_not_open_is_named_and_holds_nobody_up(store: SqlStore) -> None:
    with store.engine.begin() as conn:
        conn.execute(instances.update().where(instances.c.id == "i3").values(sealed_parameters=b"changed"))
    batches = [batch for column in sealed.columns(store.engine) for batch in column.rewrap(BOTH)]
    assert [fault for batch in batches for fault in batch.faults] == [
        '["instances.parameters", "i3"] holds no sealed data; it has been changed'
    ]
    assert held(store) == {"2", ""}


def test_a_wrong_or_missing_key_changes_nothing(store: SqlStore, url: str) -> None:
    def everything() -> object:
        with store.engine.connect() as conn:
            return [
                conn.execute(sa.select(table).order_by(*table.primary_key)).all()
                for table in (facts, instances, bindings)
            ]

    before = everything()
    for keys in (SECOND, Keys(KeyRing({"1": NEW}, "1"))):
        other = SqlStore(url, keys)
        with pytest.raises(KeyRingError, match=r"not that of this database .*; restore its own"):
            other.prepare()
        other.close()
    assert everything() == before
