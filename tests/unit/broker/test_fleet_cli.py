"""`helmbroker upgrade`: what it says, prints and ends with."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from helmbroker.broker import catalog_wiring, wiring
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.instance import ServiceInstance
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.operator_wiring import upgrades
from helmbroker.broker.settings import Settings
from helmbroker.broker.store.schema import operations
from tests.operations.harness import Hand
from tests.unit.broker.test_cli import Place, made, place
from tests.unit.catalog.folders import FILES, write
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before", "made", "place"]
pytestmark = pytest.mark.usefixtures("logs_as_before")


@pytest.fixture
def fleet(made: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Instance i runs version 1.2.3 of the addon demo, and 2.0.0 is offered."""
    for name, value in made.variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    store = wiring.make_store(settings)
    catalog_wiring.refresh_folders(settings, store)
    (listed,) = store.listed()
    assert listed.digest is not None
    assert listed.service_id is not None
    addon = catalog_wiring.make_revisions(settings, store).addon(listed.digest)
    ids = addon.id, addon.plans[0].id, "o", "s"
    instance = ServiceInstance("i", *ids, Parameters({}), {}, ReleaseRef("n", "hb-i"), addon.digest)
    with store.transaction() as tx:
        made_once = tx.ended(Kind.PROVISION, "i", None, succeeded=True, description="ready")
        tx.save_instance(instance, made_once)
    write(Path(settings.addons_dir) / "demo", {"addon.yaml": FILES["addon.yaml"].replace("1.2.3", "2.0.0")})
    catalog_wiring.refresh_folders(settings, store)
    store.close()
    return made


def told(place: Place, *arguments: str, status: int = 0) -> Any:
    result = place.run("upgrade", *arguments, "-o", "json")
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


def refused(place: Place, *arguments: str) -> str:
    """Status 2 and a sentence."""
    result = place.run("upgrade", *arguments)
    assert result.exit_code == 2, result.output
    return result.stderr.splitlines()[-1]


def test_a_dry_run(fleet: Place) -> None:
    wanted = {"instance_id": "i", "version": "1.2.3", "to": "2.0.0", "phase": "ready", "left_out": None}
    assert wanted.items() <= told(fleet, "--service", "demo", "--dry-run").items()
    lines = fleet.run("upgrade", "--service", "demo", "--dry-run").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["INSTANCE_ID", "i"]


@pytest.mark.parametrize("what", [["--service", "demo"], ["--plan", "large"]])
def test_instances_of_what_is_retired_are_upgraded(fleet: Place, what: list[str]) -> None:
    """Whoever offers a service no more still owes its instances what a newer version has mended."""
    assert fleet.run("retire", *what).exit_code == 0
    begun = told(fleet, *what, "--yes", "--no-wait")
    settings = Settings()
    store = wiring.make_store(settings)
    hand = Hand(store.engine, operations, upgrades(settings, store), on_finish=store.ended)
    assert hand.turn()
    store.close()
    assert told(fleet, "--status", begun["id"])["counts"] == {"under way": 1}


def test_what_is_retired_keeps_its_name_in_the_metrics(fleet: Place) -> None:
    token = fleet.run("watcher", "add", "prometheus").stdout.strip()
    assert fleet.run("retire", "--service", "demo").exit_code == 0
    stopping = threading.Event()
    client = wiring.make_app(Settings(), stopping).test_client()
    told_then = client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).text
    stopping.set()
    assert 'helmbroker_instances{phase="ready",plan="large",service="demo"} 1.0' in told_then


def test_the_status_of_a_run_ends_as_the_run_does(fleet: Place) -> None:
    begun = told(fleet, "--service", "demo", "--yes", "--no-wait")
    assert told(fleet, "--status")["state"] == "queued"
    assert told(fleet, "--stop")["state"] == "cancelled"
    assert told(fleet, "--status", begun["id"], status=1)["state"] == "cancelled"


def test_a_run_is_begun_shown_stopped_and_resumed(fleet: Place) -> None:
    begun = told(fleet, "--service", "demo", "--yes", "--no-wait", "--wave", "5", "--stop-on-failure")
    assert (begun["state"], begun["counts"], begun["wave"], begun["contract"]) == (
        "queued",
        {"waiting": 1},
        5,
        True,
    )
    assert told(fleet, "--status") == told(fleet, "--status", begun["id"]) == begun
    assert "goes on already" in refused(fleet, "--service", "demo", "--yes")
    assert told(fleet, "--stop")["state"] == "cancelled"
    assert "has ended already (cancelled)" in refused(fleet, "--stop")
    resumed = told(fleet, "--resume", "--no-wait")
    assert (resumed["resumes"], resumed["stop_on_failure"]) == (begun["id"], True)
    text = fleet.run("upgrade", "--status").stdout
    assert "counts          1 waiting" in text
    assert text.splitlines()[-1].split()[:2] == ["i", "waiting"]


def test_it_asks_first(fleet: Place) -> None:
    result = fleet.run("upgrade", "--service", "demo")
    assert (result.exit_code, "Upgrade 1 instances of demo to 2.0.0? [y/N]" in result.stderr) == (1, True)
    assert "There is no such run" in refused(fleet, "--status")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "helmbroker: Name a service, or a plan, or both."),
        (["--service", "x"], "helmbroker: There is no service x in the catalog; there are demo."),
        (["--service", "demo", "--wave", "0", "--yes"], "helmbroker: wave must be a number of instances from 1"),
        (["--status", "--stop"], "Error: --status, --resume and --stop exclude each other"),
        (["--resume"], "helmbroker: There is no such run; those that ended long ago are forgotten."),
    ],
)
def test_what_cannot_be_meant(fleet: Place, arguments: list[str], says: str) -> None:
    assert refused(fleet, *arguments).startswith(says)


def test_what_the_broker_has_is_shown_by_commands(fleet: Place) -> None:
    assert fleet.run("list").stdout.splitlines()[1].split()[:3] == ["i", "-", "ready"]
    (line,) = fleet.run("list", "-o", "json").stdout.splitlines()
    assert json.loads(line)["release"] == "hb-i"
    assert fleet.run("list", "--phase", "making", "-o", "json").stdout == ""
    found = json.loads(fleet.run("show", "i", "-o", "json").stdout)
    assert (found["phase"], [each["kind"] for each in found["operations"]]) == ("ready", ["provision"])
    assert "phase       ready" in fleet.run("show", "i").stdout
    assert fleet.run("show", "x").exit_code == 1
    (event,) = [json.loads(each) for each in fleet.run("events", "i", "-o", "json").stdout.splitlines()]
    assert (event["action"], event["outcome"]) == ("restore", "done")
    assert "Nothing of it has failed: it is ready." in fleet.run("retry", "i").stderr
    begun = told(fleet, "--service", "demo", "--yes", "--no-wait")
    assert json.loads(fleet.run("cancel", begun["id"], "-o", "json").stdout) == {"cancelled": begun["id"]}
    assert "has ended already" in fleet.run("cancel", begun["id"]).stderr
