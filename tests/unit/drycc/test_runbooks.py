"""What the runbooks of the bridge say to type and to look at, while a Drycc controller is in trouble."""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from helmbroker.controller_bridge import numbers
from helmbroker.controller_bridge.api import metrics
from helmbroker.controller_bridge.apps.drycc.budget import Turns
from helmbroker.controller_bridge.apps.drycc.calls import Calls
from helmbroker.controller_bridge.apps.drycc.client import ControllerClient
from helmbroker.controller_bridge.apps.drycc.releases import DryccAppReleases
from helmbroker.controller_bridge.cli import main
from helmbroker.controller_bridge.drycc_store import SqlBudget, SqlNotes, WatchedApps
from helmbroker.controller_bridge.drycc_watch import Watch
from helmbroker.controller_bridge.model import Schedule
from helmbroker.controller_bridge.operations.handlers import handlers
from helmbroker.controller_bridge.operations.work import Pace, Ports
from helmbroker.controller_bridge.service import NewResource
from helmbroker.controller_bridge.store import OPERATIONS
from helmbroker.controller_bridge.telemetry_wiring import told_by_worker
from helmbroker.runtime import logs
from tests.fakes.drycc.config import Refusal
from tests.operations.bridge.world import APP, SEALER
from tests.operations.harness import Hand
from tests.unit.docs.command_lines import ROOT, blocks
from tests.unit.drycc.test_watch_gone import many
from tests.unit.drycc.tower import GRACE_S, POLL_S, Tower, bound, tower
from tests.unit.logs import logs_as_before

__all__ = ["bound", "logs_as_before", "tower"]
MISSING, THROTTLED = "HelmbrokerBridgeAppsMissing", "HelmbrokerBridgeThrottled"


class Operator:
    """Reads a page, and does what it says where the bridge of `tower` is."""

    def __init__(self, tower: Tower, folder: Path) -> None:
        self.tower, self._folder, self._log = tower, folder, io.StringIO()
        logs.configure(service="helmbroker-bridge-worker", stream=self._log)
        tower.world.hand.worker.observed = told_by_worker().work
        ring = {"active": "k1", "keys": {"k1": f"wrap:{base64.b64encode(bytes(32)).decode()}"}}
        for name, text in (("keys.json", json.dumps(ring)), ("token", tower.seat.controller.staff)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)

    def log(self, page: str, **words: str) -> list[str]:
        """What the page's `grep` leaves of the log."""
        return self._left(page, "kubectl -n helmbroker logs", self._log.getvalue(), words)

    def metrics(self, page: str) -> list[str]:
        """What the page's `grep` leaves of the metrics."""
        told = metrics.text(numbers.read(self.tower.store)).decode()
        return [line for line in self._left(page, "curl", told, {}) if line[0] != "#"]

    def types(self, page: str, command: str, app: str = "") -> list[str]:
        """A command of the bridge that the page names; what it prints."""
        text = self._text(page)
        assert f"helmbroker-bridge {command}" in text
        variables = {
            "PLATFORM": "drycc",
            "DRYCC_CONTROLLER_URL": self.tower.seat.controller.url,
            "DRYCC_TOKEN_FILE": str(self._folder / "token"),
            "DATA_DIR": str(self._folder),
        }
        env = {f"HELMBROKER_BRIDGE_{name}": value for name, value in variables.items()}
        result = CliRunner().invoke(main, [app if word == "APP" else word for word in command.split()], env=env)
        assert result.exit_code == 0, result.output
        return result.stdout.splitlines()

    @staticmethod
    def _text(page: str) -> str:
        return (ROOT / "docs" / "how-to" / "runbooks" / f"{page}.md").read_text("utf-8")

    def _left(self, page: str, of: str, everything: str, words: dict[str, str]) -> list[str]:
        typed = [line for block in blocks(self._text(page)) for line in block]
        (pattern,) = (shlex.split(line)[-1] for line in typed if line.startswith(of) and " | grep " in line)
        for name, word in words.items():
            pattern = pattern.replace(name, word)
        return [line for line in everything.splitlines() if re.search(pattern, line)]


@pytest.fixture
def operator(bound: Tower, folder: Path, logs_as_before: None) -> Operator:
    return Operator(bound, folder)


def test_one_app_is_missing(operator: Operator) -> None:
    del operator.tower.rules.apps[APP]
    operator.tower.look(POLL_S + 1)
    (line,) = operator.types(MISSING, "apps missing")
    assert re.fullmatch(r"shop +missing since \S+Z  its resources are removed at \S+Z", line)
    (line,) = operator.log(MISSING)
    assert "in 86400 s its resources are removed" in line


def test_many_are_held_until_one_is_confirmed(operator: Operator) -> None:
    tower, apps = operator.tower, many(operator.tower)
    for app in apps:
        del tower.rules.apps[app]
    tower.look(POLL_S + 1)
    held = operator.types(MISSING, "apps missing")
    assert [line.split()[0] for line in held] == apps
    assert all("nothing is removed: " in line for line in held)
    assert operator.log(MISSING)
    operator.types(MISSING, "apps confirm-gone APP", apps[0])
    tower.now = max(tower.now, datetime.fromtimestamp(WatchedApps(tower.store).clock(), UTC))
    tower.look()  # which comes at once
    tower.work()
    tower.look(GRACE_S + 1)
    tower.work()
    assert [line.split()[0] for line in operator.types(MISSING, "apps missing")] == apps[1:]
    assert len(tower.broker.instances) == len(apps)


def test_apps_that_come_back_are_as_before(operator: Operator) -> None:
    tower, apps = operator.tower, many(operator.tower)
    kept = {app: tower.rules.apps.pop(app) for app in apps}
    tower.look(POLL_S + 1)
    tower.rules.apps.update(kept)
    tower.look(POLL_S + 1)
    assert operator.types(MISSING, "apps missing") == []


def asked_again(tower: Tower, per_minute: int) -> None:
    """Somebody wants another resource while the bridge may send so many requests."""
    turns = Turns(SqlBudget(tower.store, per_minute), sleep=lambda _seconds: None)
    calls = Calls(ControllerClient(tower.seat.controller.url), lambda: tower.seat.controller.staff, turns)
    apps = DryccAppReleases(calls, SqlNotes(tower.store), now=lambda: tower.now)
    ports = Ports(tower.store, tower.world.brokers, apps, SEALER, Pace(0.0, 0.0), 0.0)
    tower.world.hand.worker.handlers = handlers(ports)
    tower.service.create(NewResource(APP, "other", "postgresql", "small", {}), "alice")
    tower.work()
    tower.service.bind(APP, "other", "alice")
    tower.world.hand.pass_time()
    while tower.world.hand.turn():
        pass


def test_the_bridge_holds_back(operator: Operator) -> None:
    asked_again(operator.tower, per_minute=1)
    assert any("allowed in a minute are used up" in line for line in operator.log(THROTTLED))
    assert any("allowed in a minute are used up" in line for line in operator.log("HelmbrokerBridgeQueueOld"))
    (line,) = operator.metrics(THROTTLED)
    assert float(line.split()[-1]) > 30


def test_the_controller_refuses_what_was_thought_to_be_allowed(operator: Operator) -> None:
    throttled = Refusal(429, {"detail": "Request was throttled. Expected available in 40 seconds."})
    operator.tower.seat.controller.fail("GET", f"/v2/apps/{APP}/.*", throttled, times=99)
    asked_again(operator.tower, per_minute=10**6)
    assert any("raise DRYCC_CONTROLLER_THROTTLE_RATES_USER there" in line for line in operator.log(THROTTLED))


def test_what_workers_say_of_the_schedule_that_looks_at_apps(operator: Operator) -> None:
    tower = operator.tower
    tower.now += timedelta(seconds=POLL_S + 1)
    watch = Watch(tower.store, tower.service, tower.calls(idle=True), POLL_S, GRACE_S, tower.now.timestamp)
    hand = Hand(tower.store.engine, OPERATIONS, {Schedule.WATCH: watch.run}, observed=told_by_worker().work)
    with tower.store.writing() as conn:
        hand.queue.schedule(conn, Schedule.WATCH, 5.0)
    tower.seat.controller.fail("GET", f"/v2/apps/{APP}/.*", Refusal(500, {"detail": "Server Error"}))
    assert hand.turn()
    (line,) = operator.log("HelmbrokerBridgeScheduleLate", KIND=Schedule.WATCH)
    assert "looked at 0 apps" in line
