"""Durable operations on PostgreSQL: the unit tests again, and a server that goes away."""

import threading

import pytest
import sqlalchemy as sa

from helmbroker.database import connect
from helmbroker.durable import JSON, State
from tests.operations.durable.processes import Workers
from tests.operations.durable.test_processes import await_end
from tests.postgresql import empty_database, server
from tests.unit.durable.desk import BOUND_S, METADATA, OPERATIONS, Desk
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
def test_a_claim_looks_into_indexes_alone(desk: Desk, subjects: int) -> None:
    """Also before the server has counted what is in the table; joins took 600 ms then."""
    with desk.engine.begin() as conn:
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
