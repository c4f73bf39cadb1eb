"""Durable operations on PostgreSQL: the unit tests again, and a server that goes away."""

import threading
from collections.abc import Callable

import psycopg
import pytest
import sqlalchemy as sa

from helmbroker.database import connect
from helmbroker.durable import JSON, LeaseLost, Operation, State
from tests.operations.durable.processes import Workers
from tests.operations.durable.test_processes import await_end
from tests.operations.harness import LEASE_S, Disturbed, Hand
from tests.postgresql import empty_database, server
from tests.unit.durable.desk import BOUND_S, METADATA, OPERATIONS, Desk, at_once
from tests.unit.durable.test_context import *  # noqa: F403
from tests.unit.durable.test_lanes import *  # noqa: F403
from tests.unit.durable.test_lanes import PAIRS, in_lanes, together
from tests.unit.durable.test_limit import *  # noqa: F403
from tests.unit.durable.test_queue import *  # noqa: F403
from tests.unit.durable.test_schedules import *  # noqa: F403
from tests.unit.durable.test_steps import *  # noqa: F403
from tests.unit.durable.test_worker import *  # noqa: F403

pytestmark = pytest.mark.postgresql


@pytest.fixture
def database(postgresql_url: str) -> str:
    return empty_database(postgresql_url)


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if not together(*pair)])
def test_two_that_start_at_the_same_moment_are_refused(desk: Desk, pair: tuple[str, str]) -> None:
    """Neither sees the other: the second has to wait for the first one's end, and then to look."""
    first, second = in_lanes(desk, *pair)
    refused: list[sa.exc.IntegrityError] = []

    def start_second() -> None:
        try:
            desk.change(second, state=State.RUNNING)
        except sa.exc.IntegrityError as error:
            refused.append(error)

    late = threading.Thread(target=start_second)
    with desk.engine.begin() as conn:
        conn.execute(OPERATIONS.update().where(OPERATIONS.c.id == first.id).values(state=State.RUNNING))
        late.start()
        late.join(0.1)
        assert late.is_alive(), "it did not wait"
    late.join(BOUND_S)
    assert refused


def test_a_transaction_that_looks_at_the_past_starts_nothing(desk: Desk) -> None:
    in_lanes(desk, "a")
    past = desk.engine.execution_options(isolation_level="REPEATABLE READ")
    with past.connect() as conn, pytest.raises(sa.exc.IntegrityError, match="read committed"):
        conn.execute(OPERATIONS.update().values(state=State.RUNNING))


@pytest.mark.parametrize("subjects", [1000, 10])
@pytest.mark.parametrize("counted", [False, True])
def test_a_claim_looks_into_indexes_alone(desk: Desk, subjects: int, counted: bool) -> None:
    """Also before the server has counted what is in the table; joins took 600 ms then."""
    with desk.engine.begin() as conn:
        if counted:
            conn.execute(sa.text("ANALYZE operations"))  # while it is empty
        for n in range(1000):
            given: dict[str, JSON] = {}
            desk.queue.enqueue(
                conn, id=f"o{n}", kind="work", subject=f"s{n % subjects}", params=given, timeout_s=60.0
            )
        claim = desk.queue._candidate.params(kinds=["work"], most=8)
        sql = str(claim.compile(desk.engine, compile_kwargs={"literal_binds": True}))
        plan = "\n".join(conn.scalars(sa.text(f"EXPLAIN {sql}")))
    assert "operations_due" in plan
    assert "operations_queued" in plan or "operations_subject" in plan, (
        plan
    )  # as it likes: both begin with the subject
    assert not any(word in plan for word in ("Nested Loop", "Hash", "Seq Scan on operations ")), plan


def test_a_lease_that_is_renewed_while_somebody_claims_is_not_over(
    desk: Desk, hand_of: Callable[..., Hand]
) -> None:
    """The claim has seen it end, and waits for the row that the renewal has locked."""
    operation, hand, taken = desk.enqueue(), hand_of(at_once), list[Disturbed | None]()
    assert hand.claim() is not None
    late = threading.Thread(target=lambda: taken.append(hand.claim()))
    lease_until = desk.time_of(operation, "lease_until")
    desk.age(operation, LEASE_S)
    with desk.engine.begin() as conn:
        conn.execute(OPERATIONS.update().values(lease_until=lease_until))
        late.start()
        late.join(0.1)
        assert late.is_alive(), "it did not wait"
    late.join(BOUND_S)
    assert taken == [None]


def test_who_freezes_in_a_transaction_keeps_no_locks(desk: Desk, hand_of: Callable[..., Hand]) -> None:
    """Nor does a machine that is lost: the server would wait for it for hours, and so would every claim."""
    with desk.engine.connect() as conn:
        assert conn.scalar(sa.text("SHOW idle_in_transaction_session_timeout")) == "20s"
    desk.engine.dispose()
    sa.event.listen(desk.engine, "connect", _keeps_nobody_waiting)
    operation, hand, taken = desk.enqueue(), hand_of(at_once), list[Disturbed | None]()
    frozen = hand.claim()
    assert frozen is not None
    desk.age(operation, LEASE_S)

    def freeze(conn: sa.Connection) -> Operation:
        taken.append(hand.claim())
        return desk.queue.write(conn, operation, description="too late")

    with pytest.raises(LeaseLost):
        frozen.write(freeze)
    assert [ctx.operation.fence for ctx in taken if ctx] == [2]
    assert desk.read(operation).description == operation.description


def _keeps_nobody_waiting(connection: psycopg.Connection, _record: object) -> None:
    connection.execute("SET idle_in_transaction_session_timeout = '2s'")
    connection.commit()


def test_running_operations_survive_a_crash_of_the_server() -> None:
    with server() as postgresql:
        engine = connect(postgresql.url)
        METADATA.create_all(engine)
        desk, workers = Desk(engine), Workers(postgresql.url)
        operations = [desk.enqueue(subject=f"subject {n}", params={"step_s": 0.5}) for n in range(4)]
        workers.start(lease_s=30)
        for operation in operations:
            workers.await_begin(operation)
        postgresql.end(crash=True)
        postgresql.start()
        ends = [await_end(desk, operation) for operation in operations]
        workers.end()
        engine.dispose()
    assert [(end.state, end.attempt, end.fence) for end in ends] == [(State.SUCCEEDED, 1, 1)] * 4
