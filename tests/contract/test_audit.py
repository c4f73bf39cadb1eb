"""The audit: what is written down, that it stays, and that every change of it is found; on both databases."""

from __future__ import annotations

import re
import threading

import pytest
import sqlalchemy as sa

from helmbroker.audit import Actor, Outcome, acting
from helmbroker.broker.domain.audit import BROKER, Event
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.store.schema import audit, audit_head
from helmbroker.broker.store.store import SqlStore
from helmbroker.durable import State
from helmbroker.sealing import KeyRingError
from tests.contract.test_store import KEYS, store, url, with_binding

__all__ = ["store", "url"]
ALICE = Actor("platform:alice", "kubernetes:u-1")
COPY = """INSERT INTO audit SELECT 7, at, actor, origin, action, outcome, instance_id, binding_id, operation_id,
detail, hash FROM audit WHERE seq = 6"""
_OFF = {"sqlite": ["DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"]}
_OFF |= {"postgresql": ["DROP TRIGGER audit_append_only ON audit"]}


def written(store: SqlStore, number: int = 6) -> None:
    """So many entries, one in each transaction."""
    with acting(ALICE):
        for each in range(number):
            with store.transaction() as tx:
                tx.tell(Event("update", Outcome.DONE, f"i{each}", detail={"parameters": ["size"]}))


def sql(store: SqlStore, *statements: str) -> None:
    """As somebody who has the database's own password, and takes the triggers away first."""
    with store.engine.begin() as conn:
        for statement in (*_OFF[conn.dialect.name], *statements):
            conn.exec_driver_sql(statement)


def given_up(store: SqlStore) -> None:
    with store.transaction() as tx:
        tx.start(Kind.REPAIR, "instance", None, timeout_s=60)
        raise KeyRingError("it does not happen")


def test_what_happens_is_told_in_the_transaction_in_which_it_happens(store: SqlStore) -> None:
    with acting(ALICE):
        with_binding(store)
    with pytest.raises(KeyRingError):
        given_up(store)
    with store.transaction() as tx:
        tx.cancel_all("instance")
    found = [(each.seq, each.actor, each.event.action, each.event.outcome) for each in store.entries()]
    assert found == [
        (1, ALICE, "provision", Outcome.ACCEPTED),
        (2, ALICE, "bind", Outcome.ACCEPTED),
        (3, BROKER, "provision", Outcome.CANCELLED),
        (4, BROKER, "bind", Outcome.CANCELLED),
    ]
    second = list(store.entries())[1].event
    assert (second.instance_id, second.binding_id) == ("instance", "binding")
    assert second.operation_id is not None
    assert store.verify().faults == ()


def test_some_of_it_can_be_asked_for(store: SqlStore) -> None:
    written(store)
    assert [each.event.instance_id for each in store.entries(newest=2)] == ["i4", "i5"]
    assert [each.seq for each in store.entries(instance_id="i3")] == [4]


def test_whatever_somebody_is_called_is_written(store: SqlStore) -> None:
    with acting(Actor("platform:\x00\ud800", "\ud800")), store.transaction() as tx:
        tx.tell(Event("update", Outcome.DONE, "i", detail={"parameters": ["\x00\ud800"]}))
    assert [each.event.detail["parameters"] for each in store.entries()] == [["\x00\ud800"]]
    assert store.verify().faults == ()


def test_the_end_of_an_operation_is_told(store: SqlStore) -> None:
    with_binding(store)
    claimed = store.queue.claim("worker", frozenset({Kind.PROVISION}), 60)
    assert claimed is not None
    with store.engine.begin() as conn:
        store.queue.finish(conn, claimed[0], State.FAILED, "no quota", store.ended)
    last = next(iter(store.entries(newest=1)))
    assert (last.actor, last.event.outcome, last.event.detail) == (BROKER, Outcome.FAILED, {"reason": "no quota"})


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit WHERE seq = 2"])
def test_the_database_refuses_changes(store: SqlStore, change: str) -> None:
    written(store)
    with pytest.raises(sa.exc.DBAPIError, match="only ever added to"), store.engine.begin() as conn:
        conn.exec_driver_sql(change)
    assert len(list(store.entries())) == 6


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("DELETE FROM audit WHERE seq = 3", "row 3 is missing: removed"),
        ("DELETE FROM audit WHERE seq IN (2, 3)", "rows 2 to 3 are missing: removed"),
        ("DELETE FROM audit WHERE seq = 1", "row 1 is missing: removed"),
        ("DELETE FROM audit WHERE seq > 4", "rows 5 to 6 are missing: removed at the end"),
        ("DELETE FROM audit", "rows 1 to 6 are missing: removed at the end"),
        ("UPDATE audit_head SET seq = 5", "the remembered end of the audit was changed.*"),
        ("DELETE FROM audit_head", "the end of the audit is not remembered.*"),
        (COPY, "row 7 is not what was written there: changed, or in another place"),
    ],
)
def test_a_change_is_found_and_named(store: SqlStore, change: str, fault: str) -> None:
    written(store)
    sql(store, change)
    faults = store.verify().faults
    assert faults
    assert re.fullmatch(fault, faults[0])


@pytest.mark.parametrize("column", [column.name for column in audit.c if column.name not in ("seq", "hash")])
def test_whatever_is_changed_of_a_row_is_found(store: SqlStore, column: str) -> None:
    written(store)
    other = 1.5 if column == "at" else "other"
    sql(store)
    with store.engine.begin() as conn:
        conn.execute(audit.update().where(audit.c.seq == 3).values({column: other}))
    assert store.verify().faults == ("row 3 is not what was written there: changed, or in another place",)


def test_only_the_row_that_was_changed_is_named(store: SqlStore) -> None:
    written(store)
    sql(store, "UPDATE audit SET actor = 'x' WHERE seq IN (2, 5)")
    assert [fault.partition(" is ")[0] for fault in store.verify().faults] == ["row 2", "row 5"]


def test_rows_that_change_places_are_found(store: SqlStore) -> None:
    written(store)
    swap = ("UPDATE audit SET seq = -3 WHERE seq = 3", "UPDATE audit SET seq = 3 WHERE seq = 4")
    sql(store, *swap, "UPDATE audit SET seq = 4 WHERE seq = -3")
    assert [fault.partition(" is ")[0] for fault in store.verify().faults][:2] == ["row 3", "row 4"]


def test_an_end_that_was_cut_off_is_found_later_too(store: SqlStore) -> None:
    """Whoever takes the last rows away, and then has the broker go on, cannot hide it."""
    written(store)
    with store.engine.connect() as conn:
        before = conn.execute(sa.select(audit.c.hash).where(audit.c.seq == 4)).scalar_one()
    sql(store, "DELETE FROM audit WHERE seq > 4")
    with store.engine.begin() as conn:
        conn.execute(audit_head.update().values(seq=4, hash=before))
    written(store, 3)
    assert [each.seq for each in store.entries()] == list(range(1, 8))
    assert "the remembered end of the audit was changed" in store.verify().faults[0]
    with store.engine.begin() as conn:
        conn.execute(audit_head.delete())
    store.prepare()
    written(store, 1)
    assert "the remembered end of the audit was changed" in store.verify().faults[0]


def test_what_an_older_copy_has_put_back_is_found_by_an_anchor(store: SqlStore) -> None:
    """The whole end of yesterday, seal and all: only what was kept elsewhere tells."""
    written(store, 4)
    with store.engine.connect() as conn:
        head = conn.execute(sa.select(audit_head)).one()
    written(store, 2)
    anchor = store.verify().last
    sql(store, "DELETE FROM audit WHERE seq > 4")
    with store.engine.begin() as conn:
        conn.execute(audit_head.update().values(seq=head.seq, hash=head.hash, seal=head.seal))
    assert store.verify().faults == ()
    assert store.verify(anchor).faults == ("rows 5 to 6 are missing: removed since the anchor",)
    written(store, 3)
    assert store.verify(anchor).faults == ("row 6 is not the one of the anchor: the audit was written anew",)


def test_its_key_is_in_no_dump(store: SqlStore) -> None:
    written(store)
    with store.engine.connect() as conn:
        sealed = str(conn.execute(sa.text("SELECT value FROM facts WHERE name = 'audit_key'")).scalar_one())
    key = KEYS.open(bytes.fromhex(sealed), "facts.audit_key")
    assert len(key) == 32
    assert key.hex() not in sealed


def test_many_at_once_make_one_chain(store: SqlStore, url: str) -> None:
    stores = [SqlStore(url, KEYS) for _ in range(4)]
    threads = [threading.Thread(target=written, args=(each, 25)) for each in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verdict = store.verify()
    assert (verdict.rows, verdict.faults) == (100, ())
    assert [each.seq for each in store.entries()] == list(range(1, 101))
    for each in stores:
        each.close()
