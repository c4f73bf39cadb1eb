"""Release Secrets as helm 4.2.4 wrote them (releases.json, of the chart tests/charts/probe)."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helmbroker.broker.domain.cluster import HelmStatus
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.kube import release_secret
from tests.fakes.release_secrets import StoredRelease, stored_release

RELEASES: dict[str, Any] = json.loads((Path(__file__).parent / "releases.json").read_text())
REF = ReleaseRef("probe", "deployed")


def test_a_release_is_read() -> None:
    first = release_secret.read(RELEASES["deployed.v1"], REF)
    assert (first.revision, first.status, first.ref) == (1, HelmStatus.SUPERSEDED, REF)
    assert first.labels == {"helmbroker.io/broker": "b", "helmbroker.io/instance": "i"}


def test_labels_stay_over_revisions() -> None:
    second = release_secret.read(RELEASES["deployed.v2"], REF)
    assert (second.revision, second.status) == (2, HelmStatus.DEPLOYED)
    assert second.labels == {
        "helmbroker.io/broker": "b",
        "helmbroker.io/instance": "i",
        "helmbroker.io/operation": "o",
    }
    assert second.belongs_to({"helmbroker.io/instance": "i"})
    assert not second.belongs_to({"helmbroker.io/instance": "other"})


def test_values_are_what_templates_saw() -> None:
    """Defaults below what was given; a null takes a default away; lists are replaced."""
    values = release_secret.read(RELEASES["deployed.v1"], REF).values
    assert values["text"] == "given"
    assert values["settings"] == {"kept": True, "list": [1, 2]}
    assert values["replicas"] == 0
    given = release_secret.read(RELEASES["deployed.v1"], REF).given
    assert given == {"text": "given", "settings": {"taken": None, "list": [1, 2]}}
    assert release_secret.read(RELEASES["deployed.v2"], REF).values["settings"] == {"kept": True, "list": [3]}


def test_values_do_not_show() -> None:
    assert "given" not in repr(release_secret.read(RELEASES["deployed.v1"], REF))


@pytest.mark.parametrize(
    ("revision", "status"),
    [("failed.v1", HelmStatus.FAILED), ("pending.v1", HelmStatus.PENDING_INSTALL)],
)
def test_status(revision: str, status: HelmStatus) -> None:
    assert release_secret.read(RELEASES[revision], REF).status is status


def test_a_status_that_nobody_knows_is_unknown() -> None:
    secret = RELEASES["failed.v1"] | {"metadata": {"labels": {"version": "1", "status": "brand-new"}}}
    assert release_secret.read(secret, REF).status is HelmStatus.UNKNOWN


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"release": ""},
        {"release": "%%%"},
        {"release": base64.b64encode(b"H4sIAAAA").decode()},
        {"release": base64.b64encode(base64.b64encode(gzip.compress(b"{")[:-4])).decode()},
        {"release": base64.b64encode(base64.b64encode(gzip.compress(b"{"))).decode()},
        {"release": base64.b64encode(base64.b64encode(gzip.compress(b"[1]"))).decode()},
    ],
)
def test_what_nobody_can_read_has_made_nothing_that_is_known(data: dict[str, str] | None) -> None:
    secret = RELEASES["failed.v1"] | {"data": data}
    read = release_secret.read(secret, REF)
    assert (read.status, read.revision, dict(read.values)) == (HelmStatus.UNREADABLE, 1, {})
    assert read.labels == release_secret.read(RELEASES["failed.v1"], REF).labels
    assert not release_secret.readable(secret)
    assert (release_secret.workloads(secret), release_secret.hook_jobs(secret)) == ([], [])


def test_the_newest_revision_counts_by_number() -> None:
    ninth, tenth = ({"metadata": {"labels": {"version": number}}} for number in ("9", "10"))
    assert release_secret.newest([tenth, ninth]) is tenth
    assert release_secret.newest([]) is None


def test_workloads_and_hooks_are_told_apart() -> None:
    (workload,) = release_secret.workloads(RELEASES["failed.v1"])
    assert (workload.kind, workload.name) == ("StatefulSet", "failed")
    assert release_secret.hook_jobs(RELEASES["failed.v1"]) == ["failed-make"]
    assert release_secret.hook_jobs(RELEASES["deployed.v1"]) == []


def test_the_selector_finds_all_revisions_of_one_release() -> None:
    wanted = release_secret.selector(REF).items()
    found = [name for name, secret in RELEASES.items() if wanted <= secret["metadata"]["labels"].items()]
    assert sorted(found) == ["deployed.v1", "deployed.v2"]


@pytest.mark.parametrize("name", RELEASES)
def test_what_tests_store_is_what_helm_stores(name: str) -> None:
    """The Secrets that other tests make up have the form of the recorded ones."""
    recorded = RELEASES[name]
    ref = ReleaseRef("probe", recorded["metadata"]["labels"]["name"])
    read = release_secret.read(recorded, ref)
    made = stored_release(
        StoredRelease(ref, read.revision, read.status, dict(read.labels), dict(read.values), jobs=["failed-make"])
    )
    assert made["metadata"]["name"] == recorded["metadata"]["name"]
    assert (made["type"], made["kind"]) == (recorded["type"], recorded["kind"])
    assert set(made["data"]) == set(recorded["data"])
    labels = {"owner", "name", "status", "version"}
    assert {key: made["metadata"]["labels"][key] for key in labels} == {
        key: recorded["metadata"]["labels"][key] for key in labels
    }
    assert replace(release_secret.read(made, ref), given=read.given) == read
