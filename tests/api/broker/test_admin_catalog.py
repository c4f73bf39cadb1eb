"""/admin/catalog: where the catalog comes from, and having it refreshed."""

from __future__ import annotations

from helmbroker.catalog.model import Catalog, Fault
from helmbroker.catalog.sources.model import Listed, Reason, SourceKind, Standing
from helmbroker.catalog.sources.reading import Reading
from tests.api.broker.desk import LOGIN
from tests.api.broker.test_admin import Office, office

__all__ = ["office"]


def test_where_the_catalog_comes_from(office: Office, catalog: Catalog) -> None:
    ready = Standing("shelf", SourceKind.DIRECTORY, "/srv/addons", "x")
    away = Standing("far", SourceKind.OCI, "oci://x/y:1", None, Reason.FETCHING, "no connection")
    digest = catalog.addons[0].digest
    rows = (
        Listed("shelf", "demo", digest, digest, "id-1"),
        Listed("shelf", "gone", None, digest, "id-3", None, (Fault("meta.yaml", 0, "is archived"),)),
        Listed("shelf", "bad", None, None, None, Reason.VALIDATION, (Fault("addon.yaml", 3, "is wrong"),)),
        Listed("far", "old", digest, digest, "id-2", Reason.SIGNATURE, (Fault("old", 0, "has no signature"),)),
    )
    reading = Reading((ready, away), rows, Catalog(), changed=True)
    assert office.desk.store.replace((), ["shelf", "far"], reading)
    shelf, far = office.json("/admin/catalog")["sources"]
    assert (shelf["status"], shelf["reason"], far["status"], far["reason"]) == (
        "ready",
        None,
        "failed",
        "FetchingError",
    )
    assert (far["message"], far["had_at"]) == ("no connection", None)
    assert [(each["label"], each["status"], each["message"]) for each in shelf["addons"]] == [
        ("demo", "offered", ""),
        ("gone", "archived", "meta.yaml: is archived"),
        ("bad", "failed", "addon.yaml:3: is wrong"),
    ]
    assert [(each["status"], each["reason"], each["digest"]) for each in far["addons"]] == [
        ("outdated", "SignatureError", digest)
    ]
    told = office.get("/metrics").text
    assert 'helmbroker_source_ready{source="shelf"} 1.0' in told
    assert 'helmbroker_source_ready{source="far"} 0.0' in told
    assert 'helmbroker_source_addons{source="far",state="outdated"} 1.0' in told
    assert 'helmbroker_source_had_timestamp_seconds{source="shelf"}' in told
    assert 'helmbroker_source_had_timestamp_seconds{source="far"}' not in told


def test_a_refresh_can_be_asked_for(office: Office) -> None:
    """It is an operation, so how it ends can be asked for."""
    path, headers = "/admin/catalog/refresh", {"Authorization": f"Bearer {office.token}"}
    assert office.desk.client.post(path).status_code == 401
    assert office.desk.client.post(path, headers={"Authorization": LOGIN}).status_code == 403
    assert office.desk.client.get(path, headers=headers).status_code == 405
    answer = office.desk.client.post(path, headers=headers)
    begun = answer.get_json()
    assert (answer.status_code, begun["kind"], begun["state"]) == (202, "refresh", "queued")
    assert office.json(f"/admin/operations/{begun['id']}") == begun
