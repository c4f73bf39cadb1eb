"""Durable operations on PostgreSQL: the unit tests again, and a server that goes away."""

import pytest

from helmbroker.database import connect
from helmbroker.durable import State
from tests.operations.durable.processes import Workers
from tests.operations.durable.test_processes import await_end
from tests.postgresql import empty_database, server
from tests.unit.durable.desk import METADATA, Desk
from tests.unit.durable.test_context import *  # noqa: F403
from tests.unit.durable.test_queue import *  # noqa: F403
from tests.unit.durable.test_steps import *  # noqa: F403
from tests.unit.durable.test_worker import *  # noqa: F403

pytestmark = pytest.mark.postgresql


@pytest.fixture
def database(postgresql_url: str) -> str:
    return empty_database(postgresql_url)


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
