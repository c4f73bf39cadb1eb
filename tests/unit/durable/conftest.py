import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from helmbroker.database import connect
from helmbroker.durable import Handler
from tests.operations.harness import Hand
from tests.unit.durable.desk import METADATA, OPERATIONS, Desk


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = connect(f"sqlite:///{tmp_path}/test.db")
    METADATA.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def desk(engine: sa.Engine) -> Desk:
    return Desk(engine)


@pytest.fixture
def hand_of(engine: sa.Engine) -> Callable[..., Hand]:
    """Makes a worker turned by hand, for a handler of the kind `work`."""

    def make(handler: Handler, **options: Any) -> Hand:
        return Hand(engine, OPERATIONS, {"work": handler}, **options)

    return make


@pytest.fixture(autouse=True)
def all_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="helmbroker.durable")
