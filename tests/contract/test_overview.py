"""The contract of the port Overview, and the commands over it: the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from helmbroker.broker.cli import main
from helmbroker.broker.domain.operation import Kind, Phase, Schedule
from helmbroker.broker.domain.overview import Wanted
from helmbroker.broker.store.schema import metadata, operations
from helmbroker.broker.store.store import SqlStore
from helmbroker.catalog.formats import native
from helmbroker.catalog.model import Catalog
from helmbroker.database import now
from helmbroker.durable import State
from helmbroker.sealing import Keys, RingFile
from tests.fakes.broker_records import service_instance
from tests.postgresql import empty_database

ADDON = native.load(Path(__file__).parents[2] / "addons" / "redis")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return empty_database(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[SqlStore]:
    RingFile.create(tmp_path / "keys.json")
    made = SqlStore(url, Keys.load(tmp_path / "keys.json"))
    made.prepare()
    made.keep(Catalog((ADDON,)))
    yield made
    made.close()


def provisioned(store: SqlStore) -> str:
    """An instance whose provision was claimed by a worker that died; the operation's id."""
    instance = service_instance(ADDON)
    with store.transaction() as tx:
        operation = tx.start(Kind.PROVISION, instance.id, None, timeout_s=60)
        tx.save_instance(instance, operation)
    with store.engine.begin() as conn:
        moment = now(conn)
        died = operations.update().values(state=State.RUNNING, owner="h:1:a", attempt=2, fence=2)
        conn.execute(died.values(lease_until=moment - 10))
    return operation.id


def test_who_works(store: SqlStore, url: str, tmp_path: Path) -> None:
    workers = metadata.tables["workers"]
    with store.engine.begin() as conn:
        moment = now(conn)
        for owner, age_s in (("h:1:a", 50), ("h:2:b", 5)):
            row = {"owner": owner, "started_at": moment - 99, "seen_at": moment - age_s}
            conn.execute(workers.insert().values(**row, host=socket.gethostname()))  # SQLite is for one host
    with store.overview() as overview:
        assert [each.lives for each in overview.workers()] == [False, True]
        assert overview.numbers().work.workers == 1
    _, text = command(url, tmp_path, "workers")
    assert [row.split()[-1] for row in text.splitlines()] == ["LIVES", "no", "yes"]


def test_what_is_seen(store: SqlStore) -> None:
    operation_id = provisioned(store)
    with store.overview() as overview:
        found = overview.operation(operation_id)
        assert found is not None
        assert (found.owner, found.due_in_s, found.operation.attempt) == ("h:1:a", None, 2)
        assert found.lease_left_s == pytest.approx(-10, abs=5)
        assert overview.operation("nothing") is None
        assert [each.operation.id for each in overview.operations(Wanted())] == [operation_id]
        assert overview.operations(Wanted(states=[State.QUEUED])) == []
        assert overview.operations(Wanted(kinds=["bind"])) == []
        assert overview.operations(Wanted(instance_id="another")) == []
        numbers = overview.numbers()
    assert numbers.work.operations == {("provision", State.RUNNING): 1}
    assert (numbers.work.oldest_queued_s, numbers.work.retrying, numbers.work.leases_expired) == (0.0, 1, 1)
    plan = service_instance(ADDON).plan_id
    assert numbers.instances == {(ADDON.id, plan, Phase.MAKING): 1}
    assert numbers.bindings == {}


def test_an_empty_broker_has_numbers(store: SqlStore) -> None:
    with store.overview() as overview:
        numbers = overview.numbers()
    assert (numbers.work.operations, numbers.instances, numbers.work.workers, numbers.work.oldest_queued_s) == (
        {},
        {},
        0,
        0.0,
    )


def test_schedules_are_shown_to_those_who_name_them(store: SqlStore, url: str, tmp_path: Path) -> None:
    operation_id = provisioned(store)
    with store.engine.begin() as conn:
        for schedule in (Schedule.DRIFT, Schedule.EXPIRY):
            store.queue.schedule(conn, schedule, every_s=60)
    with store.overview() as overview:
        assert [each.operation.id for each in overview.operations(Wanted())] == [operation_id]
        assert overview.operations(Wanted([State.QUEUED])) == []
        wanted = overview.operations(Wanted(kinds=[Kind.PROVISION, Schedule.DRIFT]))
        assert [each.operation.id for each in wanted] == ["schedule:drift", operation_id]
    _, text = command(url, tmp_path, "operations", "list", "--state", "queued")
    header, told = text.splitlines()
    assert header.split()[0] == "ID"
    assert told == "schedules that are not listed: 2; --kind drift --kind expiry shows them"
    _, text = command(url, tmp_path, "operations", "list", "--kind", "drift", "--kind", "expiry")
    assert [line.split()[0] for line in text.splitlines()] == ["ID", "schedule:expiry", "schedule:drift"]
    _, text = command(url, tmp_path, "operations", "list", "--state", "queued", "--output", "json")
    assert text == ""


def test_schedules_are_late_or_they_are_not(store: SqlStore) -> None:
    """They are queued for ever. One that runs has an hour from when it is due."""
    with store.engine.begin() as conn:
        moment = now(conn)
        for schedule in Schedule:
            store.queue.schedule(conn, schedule, every_s=600)
        conn.execute(operations.update().values(created_at=moment - 9000, attempt=2))
        runs = {"state": State.RUNNING, "run_at": 0.0, "lease_until": moment + 50}  # its lease was renewed
        state: dict[Schedule, dict[str, Any]] = {
            Schedule.DRIFT: {"run_at": moment + 50},
            Schedule.EXPIRY: {"run_at": moment - 50},
            Schedule.CATALOG: runs,
            Schedule.RETENTION: runs | {"deadline": moment},
        }
        for schedule, values in state.items():
            conn.execute(operations.update().where(operations.c.kind == schedule).values(**values))
    with store.overview() as overview:
        work = overview.numbers().work
    assert (work.operations, work.oldest_queued_s, work.retrying, work.leases_expired) == ({}, 0.0, 0, 0)
    due_s = {kind: pytest.approx(seconds, abs=9) for kind, seconds in work.schedules_due_s.items()}
    assert due_s == {"drift": 50, "expiry": -50, "catalog": 600, "retention": -3600}


def command(url: str, folder: Path, *arguments: str) -> tuple[int, str]:
    variables = {
        "HELMBROKER_DATABASE_URL": url.replace("postgresql+psycopg:", "postgresql:"),
        "HELMBROKER_DATA_DIR": str(folder),
    }
    result = CliRunner().invoke(main, arguments, env=variables)
    return result.exit_code, result.output


def test_commands(store: SqlStore, url: str, tmp_path: Path) -> None:
    operation_id = provisioned(store)
    status, text = command(url, tmp_path, "operations", "list")
    assert status == 0
    header, line = text.splitlines()
    assert header.split() == ["ID", "INSTANCE_ID", "STATE", "QUEUED_AT", "DESCRIPTION"]
    assert line.startswith(f"{operation_id}  ")
    assert "waiting for its turn (step 1 of " in line
    status, text = command(url, tmp_path, "operations", "list", "--state", "queued", "--output", "json")
    assert (status, text) == (0, "")
    status, text = command(url, tmp_path, "operations", "show", operation_id, "--output", "json")
    shown = json.loads(text)
    assert (status, shown["owner"], shown["attempt"], shown["finished_at"]) == (0, "h:1:a", 2, None)
    status, text = command(url, tmp_path, "operations", "show", operation_id)
    rows = dict(row.split(maxsplit=1) for row in text.splitlines())
    assert (rows["owner"], rows["cancel_requested"], rows["binding_id"]) == ("h:1:a", "no", "-")
    assert rows["step"].startswith("1 of ")
    status, text = command(url, tmp_path, "operations", "show", "nothing")
    assert (status, text) == (1, "helmbroker: there is no operation nothing\n")
