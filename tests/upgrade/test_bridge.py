"""A rolling upgrade of the platform side: processes of both versions over one database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from helmbroker.controller_bridge.store import SCHEMA
from tests.operations.bridge.osb_server import OsbServer
from tests.operations.bridge.test_processes import Bridge, eventually

RESOURCES = "/v2/apps/shop/resources/"


@pytest.fixture
def broker() -> Iterator[OsbServer]:
    server = OsbServer()
    yield server
    server.close()


@pytest.fixture
def bridges(tmp_path: Path, broker: OsbServer, previous: Path) -> Iterator[tuple[Bridge, Bridge]]:
    """Of the version before, and of this one; over one folder, at two addresses."""
    old = Bridge(tmp_path, broker.url, PYTHONPATH=str(previous), PYTHONSAFEPATH="1")  # which makes the key ring
    made = old, Bridge(tmp_path, broker.url)
    made[0].log = tmp_path / "log of the version before"
    yield made
    for each in made:
        if each.process is not None and each.process.poll() is None:
            each.stop()


def create(bridge: Bridge, name: str) -> None:
    assert bridge.call("POST", RESOURCES, {"name": name, "plan": "postgresql:small"})["status"] == "Provisioning"


@pytest.mark.processes
def test_what_the_version_before_has_begun_ends_under_this_one(
    bridges: tuple[Bridge, Bridge], broker: OsbServer
) -> None:
    old, new = bridges
    old.start()
    assert "alembic_version" not in tables(old)  # it is the version before
    broker.finish.set()
    create(old, "waiting")
    eventually(lambda: old.call("GET", f"{RESOURCES}waiting/")["status"] == "Ready")
    old.call("PATCH", f"{RESOURCES}waiting/binding/", {"bind_action": "bind"})
    eventually(lambda: "trying again" in old.call("GET", f"{RESOURCES}waiting/")["message"])
    broker.finish.clear()
    create(old, "running")
    eventually(lambda: old.call("GET", f"{RESOURCES}running/")["message"] == "pods start")

    new.start()
    assert tables(new)["alembic_version"] == [(SCHEMA.revisions[-1],)]
    for bridge, other in ((old, new), (new, old)):
        create(bridge, f"of-{bridges.index(bridge)}")
        assert other.call("GET", f"{RESOURCES}of-{bridges.index(bridge)}/")["status"] == "Provisioning"
        assert bridge.call("GET", f"{RESOURCES}running/")["message"].startswith("pods start")
    assert old.stop() == 0

    broker.finish.set()
    for name in ("running", "of-0", "of-1"):
        eventually(lambda name=name: new.call("GET", f"{RESOURCES}{name}/")["status"] == "Ready")  # type: ignore[misc]
    assert new.call("GET", f"{RESOURCES}waiting/")["binding"] == "Binding"  # there is no cluster: it goes on trying
    assert (len(broker.instances), len(broker.puts)) == (4, 5)  # one of them of the binding
    new.call("DELETE", f"{RESOURCES}running/")
    eventually(lambda: len(broker.instances) == 3)
    assert new.stop() == 0


def tables(bridge: Bridge) -> dict[str, list[tuple[str, ...]]]:
    """The database's tables; with rows where they are few and public."""
    with sqlite3.connect(bridge.folder / "data" / "bridge.db") as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found: dict[str, list[tuple[str, ...]]] = {name: [] for name in names}
        if "alembic_version" in found:
            found["alembic_version"] = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    connection.close()
    return found
