"""The audit of the bridge on both databases: it stays, changes of it are found, and operators can ask for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.audit import Actor, Outcome, acting
from helmbroker.controller_bridge import sealing
from helmbroker.controller_bridge.audited import Event
from helmbroker.controller_bridge.store import Store
from helmbroker.database import connect
from helmbroker.sealing import KeyRing, Keys, RingFile
from tests.postgresql import empty_database

KEYS = Keys(KeyRing({"k1": bytes(32)}, "k1"))
_OFF = {"sqlite": "DROP TRIGGER audit_no_update", "postgresql": "DROP TRIGGER audit_append_only ON audit"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Its audit has three entries."""
    url = f"sqlite:///{tmp_path}/bridge.db"
    if request.param == "postgresql":
        url = empty_database(request.getfixturevalue("postgresql_url"))
    made = Store(connect(url))
    made.prepare(KEYS)
    written(made)
    yield made
    made.engine.dispose()


def written(store: Store) -> None:
    with acting(Actor("user:alice\0")):
        for app in ("shop", "blog", "shop"):
            with store.writing() as conn:
                store.audit.tell(conn, Event("bind", Outcome.ACCEPTED, app, "db", "1", {"env": {"prefix": "DB_"}}))


def test_it_is_read_as_it_was_written_also_after_a_restart(store: Store) -> None:
    again = Store(store.engine)
    again.prepare(KEYS)
    assert [(each["seq"], each["actor"], each["app"]) for each in again.audit.entries()] == [
        (1, "user:alice", "shop"),
        (2, "user:alice", "blog"),
        (3, "user:alice", "shop"),
    ]
    assert [each["seq"] for each in again.audit.entries(only="shop", newest=1)] == [3]
    assert again.audit.verify().faults == ()


def test_a_change_is_refused_and_one_that_was_forced_is_found(store: Store) -> None:
    change = "UPDATE audit SET actor = 'mallory' WHERE seq = 2"
    with pytest.raises(sa.exc.DBAPIError, match="only ever added to"), store.engine.begin() as conn:
        conn.exec_driver_sql(change)
    with store.engine.begin() as conn:
        conn.exec_driver_sql(_OFF[conn.dialect.name])
        conn.exec_driver_sql(change)
    assert store.audit.verify().faults == ("row 2 is not what was written there: changed, or in another place",)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data directory of a bridge."""
    RingFile.create(tmp_path / "keys.json")
    (tmp_path / "tokens.json").write_text('{"tokens": []}')
    made = Store(connect(f"sqlite:///{tmp_path}/bridge.db"))
    made.prepare(sealing.load(tmp_path / "keys.json").keys)
    written(made)
    made.engine.dispose()
    return tmp_path


def command(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "helmbroker.controller_bridge", *words]
    environment = {**os.environ, "HELMBROKER_BRIDGE_DATA_DIR": str(data)}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.processes
def test_operators_ask_for_it(data: Path) -> None:
    (line,) = command(data, "audit", "show", "--app", "blog").stdout.splitlines()
    assert line.endswith('bind accepted  blog/db  by user:alice  {"env": {"prefix": "DB_"}}')
    exported = [json.loads(each) for each in command(data, "audit", "export").stdout.splitlines()]
    assert [each["app"] for each in exported] == ["shop", "blog", "shop"]
    whole = command(data, "audit", "verify")
    assert (whole.returncode, whole.stdout.splitlines()[0]) == (0, "3 entries, all as they were written")


@pytest.mark.processes
def test_keys_are_changed_by_somebody_and_the_audit_stays_readable(data: Path) -> None:
    assert command(data, "keys", "rotate").returncode == 0
    exported = [json.loads(each) for each in command(data, "audit", "export").stdout.splitlines()]
    assert [each["action"] for each in exported[3:]] == ["keys add", "keys activate"]
    assert {each["actor"].partition(":")[0] for each in exported[3:]} == {"operator"}
    assert command(data, "audit", "verify").returncode == 0


@pytest.mark.processes
def test_who_cannot_look_is_told_so(data: Path) -> None:
    (data / "keys.json").unlink()
    RingFile.create(data / "keys.json")
    said = command(data, "audit", "verify")
    assert said.returncode == 2
    assert "the key ring is not that of this database" in said.stderr
