"""GET /v2/catalog (OSB 1.2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.catalog import offerings
from helmbroker.catalog.model import Catalog
from tests.api.broker.desk import Desk


def test_the_catalog_is_the_document(broker: Desk, catalog: Catalog) -> None:
    """OSB item 23; what the document holds is tested in tests/unit/catalog/test_offerings.py."""
    response = broker.get("/v2/catalog")
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.get_json() == offerings.document(catalog)
    assert [service["name"] for service in response.get_json()["services"]] == ["demo", "plain"]


def test_it_may_be_kept_and_asked_for_again(broker: Desk) -> None:
    """OSB item 38; B72."""
    first = broker.get("/v2/catalog")
    assert first.headers["Vary"] == "X-Broker-API-Version"
    again = broker.call("GET", "/v2/catalog", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("tags", "status"),
    [('"another"', 200), ("*", 304), ('"another", {etag}', 304), ("W/{etag}", 304), ("garbage", 200), ("", 200)],
)
def test_only_the_same_document_is_not_sent_again(broker: Desk, tags: str, status: int) -> None:
    etag = broker.get("/v2/catalog").headers["ETag"]
    response = broker.call("GET", "/v2/catalog", headers={"If-None-Match": tags.replace("{etag}", etag)})
    assert response.status_code == status


def test_every_process_gives_the_same_catalog_the_same_etag(desk: Desk, data: Path, catalog: Catalog) -> None:
    other = Desk(data, catalog)
    assert other.get("/v2/catalog").headers["ETag"] == desk.get("/v2/catalog").headers["ETag"]
    other.store.close()
