"""A recording service for each test, and a way to run the plugin against it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.plugin.cases import PLACE
from tests.unit.plugin.service import Ended, Service, environment, invoke, running


@pytest.fixture
def service() -> Iterator[Service]:
    """The recording service."""
    with running() as made:
        yield made


@pytest.fixture
def drycc(service: Service, tmp_path: Path) -> Callable[..., Ended]:
    """Runs the plugin, logged in at the recording service, in an empty directory."""

    def call(arguments: str | list[str], *, stdin: str = "", screen: bool = False, **env: str) -> Ended:
        return invoke(arguments, environment(service, tmp_path) | env, tmp_path, stdin=stdin, screen=screen)

    return call


@pytest.fixture(autouse=True)
def _place(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown in the local zone, lines as wide as the terminal: make that UTC and 80 columns."""
    for name, value in PLACE.items():
        monkeypatch.setenv(name, value)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
