"""A broker whose records are empty at the beginning of each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.store.store import SqlStore
from helmbroker.catalog.load import load
from helmbroker.catalog.model import Catalog
from helmbroker.sealing import Keys, RingFile
from tests.api.broker.desk import INSTANCE, Desk
from tests.postgresql import empty_database, postgresql_url
from tests.unit.catalog.folders import FILES, write

__all__ = ["postgresql_url"]
PLAIN_ID = "bbbbbbbb-0000-4000-8000-000000000001"
PLAIN_PLAN_ID = "bbbbbbbb-0000-4000-8000-000000000002"


def plain(folder: Path) -> None:
    """An addon that cannot be bound and takes no parameters."""
    text = FILES["addon.yaml"].partition("parameters:")[0].replace("bindable: true", "bindable: false")
    write(
        folder,
        {
            "addon.yaml": text.replace("aaaaaaaa", "bbbbbbbb").replace("name: demo", "name: plain"),
            "plans/small.yaml": FILES["plans/small.yaml"].replace("aaaaaaaa", "bbbbbbbb"),
            "plans/large.yaml": None,
        },
    )


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The addons of the tests: `demo` of tests/unit/catalog/folders.py, and `plain`."""
    folder = tmp_path_factory.mktemp("addons")
    write(folder / "demo")
    plain(folder / "plain")
    return folder


@pytest.fixture(scope="session")
def catalog(shelf: Path) -> Catalog:
    made = load([shelf])
    assert made.quarantined == {}
    return made


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, catalog: Catalog) -> Path:
    """A folder with a key ring and a database that has its tables and revisions."""
    folder = tmp_path_factory.mktemp("prepared")
    RingFile.create(folder / "keys.json")
    store = SqlStore(f"sqlite:///{folder}/helmbroker.db", Keys.load(folder / "keys.json"))
    store.prepare()
    store.keep(catalog)
    store.close()  # the last connection writes the log of SQLite into the file
    return folder


@pytest.fixture
def data(prepared: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return shutil.copytree(prepared, tmp_path / "data")


@pytest.fixture(scope="session")
def broker(
    request: pytest.FixtureRequest, prepared: Path, catalog: Catalog, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """One broker for nearly all tests: a new engine would compile every statement anew."""
    postgresql = request.config.getoption("--api-database") == "postgresql"
    url = empty_database(request.getfixturevalue("postgresql_url")) if postgresql else ""
    made = Desk(shutil.copytree(prepared, tmp_path_factory.mktemp("broker") / "data"), catalog, url=url)
    if postgresql:
        made.store.prepare()
        made.store.keep(catalog)
    yield made
    made.store.close()


@pytest.fixture
def desk(broker: Desk) -> Desk:
    """The broker with nothing in its records."""
    broker.begin()
    return broker


@pytest.fixture
def ready(broker: Desk) -> Desk:
    """The broker with instance i1 ready."""
    broker.begin((INSTANCE, Phase.READY))
    return broker
