"""A run over the fleet, while the command that has begun it and the worker that carries it out are killed."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.broker.store.schema import fleet_members, instances, operations
from helmbroker.database import reader
from helmbroker.durable import State
from tests.postgresql import empty_database
from tests.upgrade.world import BOUND_S, HERE, PAUSE_S, Platform, World, world

INSTANCES = ("a", "b", "c")

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def brokers(request: pytest.FixtureRequest, tmp_path: Path, previous: Path) -> Iterator[World]:
    url = f"sqlite:///{tmp_path}/helmbroker.db"
    if request.param == "postgresql":
        url = empty_database(request.getfixturevalue("postgresql_url"))
    with world(url, tmp_path, previous) as made:
        made.environment["HELMBROKER_LEASE_S"] = "5"
        yield made


def offer_newer(brokers: World, folder: Path) -> None:
    """The next version of the addon is what processes find from now on."""
    shutil.copytree(HERE / "shelf", folder)
    about = folder / "note/addon.yaml"
    about.write_text(about.read_text().replace("1.0.0", "2.0.0"))
    brokers.environment["HELMBROKER_ADDONS_DIR"] = str(folder)


def run_state(brokers: World) -> str:
    with reader(brokers.engine).connect() as conn:
        found = conn.scalar(sa.select(operations.c.state).where(operations.c.kind == "fleet"))
    return str(found)


def await_run(brokers: World, *states: str) -> None:
    end = time.monotonic() + 2 * BOUND_S
    while run_state(brokers) not in states:
        assert time.monotonic() < end, f"the run is {run_state(brokers)}"
        threading.Event().wait(PAUSE_S)


def test_a_run_outlives_its_command_and_its_worker(brokers: World, tmp_path: Path) -> None:
    api = brokers.start("api")
    platform = Platform(api)
    worker = brokers.start("worker")
    for poll in [platform.provision(each) for each in INSTANCES]:
        assert platform.await_end(poll) == "succeeded"
    for process in (api, worker):
        assert process.end() == 0, process.log[-3:]
    offer_newer(brokers, tmp_path / "newer")
    Platform(brokers.start("api")).call("GET", "/v2/catalog")  # it has read the folder when it answers
    worker = brokers.start("worker")

    canary = brokers.release("a")
    brokers.helm.refuse(canary)
    command = brokers.start("upgrade --service note --yes --wave 1")
    brokers.helm.await_(canary)
    command.end(signal.SIGKILL)
    worker.end(signal.SIGKILL)
    assert run_state(brokers) in ("queued", "running")
    brokers.helm.let_go()

    brokers.start("worker")
    await_run(brokers, State.SUCCEEDED, State.FAILED)
    with reader(brokers.engine).connect() as conn:
        ended = conn.execute(sa.select(fleet_members).order_by(fleet_members.c.position)).all()
        updates = conn.execute(sa.select(operations.c.state).where(operations.c.kind == "update")).all()
        digests = set(conn.scalars(sa.select(instances.c.addon_digest)))
    assert [(row.instance_id, row.outcome) for row in ended] == [(each, "upgraded") for each in INSTANCES]
    assert [row.state for row in updates] == [State.SUCCEEDED] * len(INSTANCES), "each was updated once"
    assert len(digests) == 1
    assert brokers.helm.violations == []
