"""The key ring of the bridge: known again at the start, and rotated by a program that may be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from helmbroker.controller_bridge import sealing
from helmbroker.controller_bridge.store import RESOURCES, Store
from helmbroker.database import connect
from helmbroker.sealing import KeyRing, KeyRingError, Keys, RingFile

NUMBER = 5000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A bridge with 5000 resources of which the options are sealed still."""
    RingFile.create(tmp_path / "keys.json")
    sealer = sealing.load(tmp_path / "keys.json")
    store = Store(connect(f"sqlite:///{tmp_path}/bridge.db"))
    store.prepare(sealer.keys)
    blank: dict[str, Any] = {column.name: "x" for column in RESOURCES.c if isinstance(column.type, sa.String)}
    blank |= {"created": 0.0, "updated": 0.0, "deleted": None, "binding_id": None}
    rows = [
        {**blank, "uuid": f"u{number}", "name": f"n{number}", "instance_id": f"i{number}"}
        | {"sealed_options": sealer.seal({"password": number}, owner=f"u{number}")}
        for number in range(NUMBER)
    ]
    with store.writing() as conn:
        conn.execute(sa.insert(RESOURCES), rows)
    store.engine.dispose()
    return tmp_path


def command(data: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "HELMBROKER_BRIDGE_DATA_DIR": str(data), "PYTHONUNBUFFERED": "1"}
    words = (sys.executable, "-m", "helmbroker.controller_bridge", "keys", *words, "--output", "json")
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)


def lines(data: Path, *words: str) -> list[dict[str, object]]:
    with command(data, *words) as ran:
        output, _ = ran.communicate(timeout=200)
    assert ran.returncode == 0
    return [json.loads(line) for line in output.splitlines()]


def test_a_bridge_of_before_is_not_started_with_another_ring(data: Path) -> None:
    """It did not remember its ring: one of its secrets has to open, or the wrong ring would be remembered."""
    store = Store(connect(f"sqlite:///{data}/bridge.db"))
    with store.writing() as conn:
        conn.execute(sa.text("DELETE FROM facts WHERE name = 'key_check'"))
    with pytest.raises(KeyRingError, match="not that of this database"):
        store.prepare(Keys(KeyRing({"1": bytes(32)}, "1")))
    with store.reading() as conn:
        assert conn.execute(sa.text("SELECT name FROM facts WHERE name = 'key_check'")).first() is None
    store.prepare(Keys.load(data / "keys.json"))
    store.engine.dispose()


@pytest.mark.processes
def test_a_rotation_that_is_killed_is_ended_by_the_next_one(data: Path) -> None:
    old = RingFile(data / "keys.json").active.id
    with command(data, "rotate") as rotation:
        assert rotation.stdout is not None
        assert json.loads(rotation.stdout.readline())["changed"] < NUMBER  # it tells of its progress
        rotation.send_signal(signal.SIGKILL)
    new = RingFile(data / "keys.json").active.id
    before = {each["id"]: each["secrets"] for each in lines(data, "list")}
    assert set(before) == {old, new}
    assert 0 < int(str(before[new])) < NUMBER
    assert lines(data, "rotate")[-1] == {"active": new, "changed": before[old], "left": 0}
    assert lines(data, "remove", old) == [{"removed": old}]
    sealer = sealing.load(data / "keys.json")
    store = Store(connect(f"sqlite:///{data}/bridge.db"))
    with store.reading() as conn:
        sealed = [(number, store.sealed_options(conn, f"u{number}")) for number in range(NUMBER)]
    assert all(sealer.open(str(text), owner=f"u{number}") == {"password": number} for number, text in sealed)
    store.engine.dispose()
