from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.database import connect
from tests.operations.durable.processes import Workers
from tests.postgresql import empty_database, postgresql_url
from tests.unit.durable.conftest import all_log_lines, desk, hand_of
from tests.unit.durable.desk import METADATA, Desk

__all__ = ["all_log_lines", "desk", "hand_of", "postgresql_url"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    return empty_database(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def engine(database: str) -> Iterator[sa.Engine]:
    engine = connect(database)
    METADATA.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def workers(database: str, desk: Desk) -> Iterator[Workers]:
    """Worker processes on the database, which has its tables."""
    workers = Workers(database)
    yield workers
    workers.end()
