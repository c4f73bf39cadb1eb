"""`helmbroker-bridge apps`: which apps are missing, and that one is meant to be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from helmbroker.controller_bridge import sealing, wiring
from helmbroker.controller_bridge.cli import main
from helmbroker.controller_bridge.drycc_store import WatchedApps
from helmbroker.controller_bridge.service import NewResource, Service
from helmbroker.controller_bridge.settings import Settings
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before"]
pytestmark = pytest.mark.usefixtures("logs_as_before")
DAY_S = 86400.0


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WatchedApps]:
    """A bridge under a controller, with five apps."""
    set_up = {"DATA_DIR": tmp_path / "data", "PLATFORM": "drycc", "DRYCC_CONTROLLER_URL": "http://127.0.0.1:1"}
    for name, value in (set_up | {"DRYCC_TOKEN_FILE": tmp_path / "token"}).items():
        monkeypatch.setenv(f"HELMBROKER_BRIDGE_{name}", str(value))
    assert run("init").exit_code == 0
    sealer = sealing.load(Settings().keys_file)
    store = wiring.make_store(Settings(), sealer.keys)
    for number in range(5):
        new = NewResource(f"app-{number}", "my-db", "postgresql", "small", {})
        Service(store, sealer).create(new, "alice")
    found = WatchedApps(store)
    found.gather(0.0)
    yield found
    store.engine.dispose()


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def lose(watched: WatchedApps, *sinces: float, held: int | None = None) -> None:
    """The first apps are missing, since these moments."""
    for app, since in zip(watched.due(1.0), sinces, strict=False):
        with watched._store.writing() as conn:
            watched.looked(conn, app, again=0.0, missing_since=since, held=held)


def rows() -> list[dict[str, object]]:
    return [json.loads(line) for line in run("apps", "missing", "-o", "json").stdout.splitlines()]


def test_nothing_is_missing(watched: WatchedApps) -> None:
    assert run("apps", "missing").stdout == ""


def test_those_that_went_one_after_the_other(watched: WatchedApps) -> None:
    lose(watched, 0.0, 7200.0, DAY_S, 2 * DAY_S)
    first, *others = run("apps", "missing", "-o", "text").stdout.splitlines()
    assert first.split(maxsplit=1) == [
        "app-0",
        "missing since 1970-01-01T00:00:00Z  its resources are removed at 1970-01-02T00:00:00Z",
    ]
    assert len(others) == 3
    assert rows()[1] == {
        "app": "app-1",
        "missing_since": "1970-01-01T02:00:00Z",
        "confirmed": None,
        "removed_at": "1970-01-02T02:00:00Z",
        "held": None,
    }


def test_those_that_went_at_once_wait_for_an_operator(watched: WatchedApps) -> None:
    lose(watched, 0.0, 60.0, 120.0, 180.0, held=4)
    told = "nothing is removed: 4 apps went missing at about the same time"
    assert [line.endswith(told) for line in run("apps", "missing").stdout.splitlines()] == [True] * 4
    assert [(row["removed_at"], row["held"]) for row in rows()] == [(None, 4)] * 4
    assert json.loads(run("apps", "confirm-gone", "app-2", "-o", "json").stdout) == {"confirmed": "app-2"}
    confirmed = [row["app"] for row in rows() if row["confirmed"] is not None]
    assert confirmed == ["app-2"]
    assert "app-2" in next(line for line in run("apps", "missing").stdout.splitlines() if "confirmed" in line)
    (told_line,) = run("audit", "show", "--app", "app-2", "--limit", "1").stdout.splitlines()
    assert "confirm gone done  app-2  by operator:" in told_line


def test_an_app_that_is_there_cannot_be_confirmed(watched: WatchedApps) -> None:
    ran = run("apps", "confirm-gone", "app-4")
    assert (ran.exit_code, "app app-4 is not missing" in ran.output) == (1, True)


@pytest.mark.parametrize("words", [("missing",), ("confirm-gone", "shop")])
def test_without_a_controller(
    watched: WatchedApps, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("HELMBROKER_BRIDGE_PLATFORM", "kubernetes")
    ran = run("apps", *words)
    assert (ran.exit_code, "PLATFORM is kubernetes" in ran.output) == (1, True)
