"""What holds for all tests: their claims are about rules that exist."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from tests.spec import marks, rules

# A busy machine is no reason to fail. Examples are the same everywhere; those of the night are new each time.
settings.register_profile("night", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("here", settings.get_profile("night"), derandomize=True)
settings.load_profile("here")


@sa.event.listens_for(sa.pool.Pool, "checkout")
def _careless(connection: object, *_more: object) -> None:
    """No test outlives a power failure, and a disk that is waited for would take much of its time."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The tests of the API run on either database; the same tests, so no mark tells them apart."""
    parser.addoption("--api-database", choices=("sqlite", "postgresql"), default="sqlite")


@pytest.hookimpl(tryfirst=True)  # before any test is left out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Raises UsageError for a marker with a number that is on no list. Keeps what the tests claim."""
    wrong = sorted({problem for item in items for problem in marks.problems(item)})
    if wrong:
        raise pytest.UsageError(*wrong)
    if [Path(argument).name for argument in config.args] == config.getini("testpaths"):
        config.stash[rules.ALL] = rules.claims(items)
