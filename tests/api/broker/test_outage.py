"""The database is away: what needs no database is served, everything else says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from helmbroker.broker.domain.operation import Phase
from helmbroker.catalog.model import Catalog
from tests.api.broker.desk import BINDING, INSTANCE, Desk, refusal


@pytest.fixture
def cut_off(data: Path, catalog: Catalog) -> Iterator[Desk]:
    """A broker with an instance and a binding, whose database has gone."""
    desk = Desk(data, catalog)
    desk.bring(INSTANCE, Phase.READY)
    desk.bring(BINDING, Phase.READY)
    desk.store.close()
    data.rename(data.with_name("elsewhere"))
    yield desk
    desk.store.close()


CALLS = [
    ("PUT", INSTANCE),
    ("GET", INSTANCE),
    ("DELETE", INSTANCE),
    ("GET", f"{INSTANCE}/last_operation"),
    ("PUT", BINDING),
    ("GET", BINDING),
    ("DELETE", BINDING),
    ("GET", f"{BINDING}/last_operation"),
]


@pytest.mark.bug(62)
def test_everything_that_needs_it_answers_503_with_the_cure(cut_off: Desk) -> None:
    calls = {"PUT": cut_off.put, "GET": cut_off.get, "DELETE": cut_off.delete}
    for method, path in CALLS:
        response = calls[method](path)
        assert refusal(response) == (503, "Unavailable"), (method, path)
        assert response.get_json()["description"].endswith("Try again.")


@pytest.mark.bug(62, 84)
def test_the_catalog_is_served_and_readiness_says_no(cut_off: Desk) -> None:
    assert cut_off.get("/v2/catalog").status_code == 200
    assert cut_off.get("/healthz").status_code == 200
    response = cut_off.get("/readyz")
    assert (response.status_code, response.get_json()) == (503, {"status": "no database"})


def test_it_goes_on_when_the_database_is_back(cut_off: Desk, data: Path) -> None:
    assert cut_off.get(INSTANCE).status_code == 503
    data.with_name("elsewhere").rename(data)
    assert cut_off.get(INSTANCE).status_code == 200
    assert cut_off.get("/readyz").status_code == 200
