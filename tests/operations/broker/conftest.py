"""Fixtures of the broker's operations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.operations.broker import world as worlds
from tests.operations.broker.world import World
from tests.postgresql import empty_database, postgresql_url

__all__ = ["postgresql_url"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One on SQLite."""
    with worlds.world(f"sqlite:///{tmp_path / 'broker.db'}") as made:
        yield made


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def either_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """One on SQLite, one on PostgreSQL."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'broker.db'}"
    else:
        url = empty_database(request.getfixturevalue("postgresql_url"))
    with worlds.world(url) as made:
        yield made
