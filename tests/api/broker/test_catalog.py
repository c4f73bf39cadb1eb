"""GET /v2/catalog (OSB 1.2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.catalog import offerings
from helmbroker.catalog.model import Catalog
from tests.api.broker.desk import Desk


@pytest.mark.osb(23)
def test_the_catalog_is_the_document(broker: Desk, catalog: Catalog) -> None:
    """What the document holds is tested in tests/unit/catalog/test_offerings.py."""
    response = broker.get("/v2/catalog")
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.get_json() == offerings.document(catalog)
    assert [service["name"] for service in response.get_json()["services"]] == ["demo", "plain"]


@pytest.mark.osb(38)
@pytest.mark.bug(72)
@pytest.mark.parametrize("minor", range(13, 19))
def test_it_may_be_kept_and_asked_for_again(broker: Desk, minor: int) -> None:
    version = {"X-Broker-API-Version": f"2.{minor}"}
    first = broker.call("GET", "/v2/catalog", headers=version)
    assert first.headers["Vary"] == "X-Broker-API-Version"
    assert first.headers["Cache-Control"] == "no-cache"
    for condition in (
        {"If-None-Match": first.headers["ETag"]},
        {"If-Modified-Since": first.headers["Last-Modified"]},
        {"If-None-Match": first.headers["ETag"], "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
    ):
        again = broker.call("GET", "/v2/catalog", headers={**version, **condition})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        assert again.headers["Cache-Control"] == "no-cache"
        assert again.headers["Vary"] == "X-Broker-API-Version"


@pytest.mark.osb(38)
@pytest.mark.parametrize(
    "condition",
    [
        {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
        {"If-None-Match": '"another"', "If-Modified-Since": "Fri, 31 Dec 2100 00:00:00 GMT"},
    ],
    ids=["older", "garbage", "the tag decides"],
)
def test_a_changed_catalog_is_sent(broker: Desk, condition: dict[str, str]) -> None:
    assert broker.call("GET", "/v2/catalog", headers=dict(condition)).status_code == 200


@pytest.mark.osb(38)
def test_each_version_has_its_catalog_and_its_tag(broker: Desk) -> None:
    """OSB 1.14: what a version does not know is not in it; older and newer ones get the nearest."""
    answers = {
        minor: broker.call("GET", "/v2/catalog", headers={"X-Broker-API-Version": f"2.{minor}"})
        for minor in (0, 13, 14, 15, 17, 18, 99)
    }
    services = {minor: answer.get_json()["services"][0] for minor, answer in answers.items()}
    assert [minor for minor, service in services.items() if "instances_retrievable" in service] == [
        14,
        15,
        17,
        18,
        99,
    ]
    assert [minor for minor, service in services.items() if "allow_context_updates" in service] == [15, 17, 18, 99]
    timed = [minor for minor, each in services.items() if "maximum_polling_duration" in each["plans"][0]]
    assert timed == [15, 17, 18, 99]
    tags = {minor: answer.headers["ETag"] for minor, answer in answers.items()}
    assert tags[0] == tags[13]
    assert tags[17] == tags[18] == tags[99]
    assert len({tags[13], tags[14], tags[15]}) == 3
    other = {"X-Broker-API-Version": "2.13", "If-None-Match": tags[17]}
    assert broker.call("GET", "/v2/catalog", headers=other).status_code == 200


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
