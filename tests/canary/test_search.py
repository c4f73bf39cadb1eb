"""The search finds what it looks for, in every form and in every place."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from helmbroker.broker.kube import records
from tests.canary import heard, places
from tests.canary.cluster import Cluster
from tests.canary.evidence import Evidence, misplaced, missing
from tests.canary.files import Files
from tests.canary.places import Place
from tests.canary.secrets import Kind, Secret

TEXT = 'canary "§1" /with?all'
SECRET = Secret(Kind.PARAMETERS, "planted", TEXT.encode())
WORD = "canary0123456789"
INSTANCES, APP = "instances", "app"


def found(evidence: Evidence, value: str = WORD) -> set[Place]:
    """Where it is."""
    return {each.place for each in evidence.findings([Secret(Kind.PARAMETERS, "planted", value.encode())])}


@pytest.mark.parametrize(
    "form",
    [
        TEXT.encode(),
        quote(TEXT, safe="").encode(),
        json.dumps(TEXT, ensure_ascii=False).encode(),
        binascii.hexlify(TEXT.encode()),
        binascii.hexlify(TEXT.encode()).upper(),
        *(
            base64.b64encode(b"user:"[:before] + TEXT.encode() + b"@"[:behind])
            for before in range(5)
            for behind in (0, 1)
        ),
    ],
)
def test_a_secret_is_found_in_every_form(form: bytes) -> None:
    evidence = Evidence()
    evidence.add(Place.LOGS, "here", b"before" + form + b"behind")
    evidence.add(Place.METRICS, "there", b"canary 1 /with?all")
    assert misplaced(evidence.findings([SECRET])) == [f"parameters, planted: in {Place.LOGS.value.words} (here)"]


@pytest.mark.parametrize("place", Place)
def test_what_is_not_on_the_list_is_told_and_what_is_on_it_has_to_be_there(place: Place) -> None:
    evidence = Evidence()
    secrets = [Secret(kind, "planted", f"canary of {kind}".encode()) for kind in Kind]
    for secret in secrets:
        evidence.add(place, "here", secret.value)
    findings = evidence.findings(secrets)
    assert len(misplaced(findings)) == len(Kind) - len(place.value.holds)
    assert place not in {each for each, _ in missing(findings)}
    assert set(missing([])) == {(each, kind) for each in Place for kind in each.value.holds}


def _object(
    kind: str, namespace: str = INSTANCES, *, name: str = "x", type_: str = "Opaque", **more: Any
) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace, "uid": "u"}, "type": type_, **more}


def _data(content: bytes) -> dict[str, str]:
    return {"key": base64.b64encode(content).decode()}


_RELEASE = base64.b64encode(gzip.compress(json.dumps({"config": {"text": WORD}}).encode()))


@pytest.mark.parametrize(
    ("place", "obj"),
    [
        (Place.EVENTS, _object("Event", message=f"cannot {WORD}")),
        (Place.OBJECTS, _object("Pod", spec={"containers": [{"args": [WORD]}]})),
        (Place.OBJECTS, _object("ConfigMap", data={"text": WORD})),
        (Place.HELM, _object("Secret", type_="helm.sh/release.v1", data=_data(_RELEASE))),
        (Place.RECORDS, _object("Secret", type_=records.TYPE, data=_data(WORD.encode()))),
        (Place.CHART_SECRETS, _object("Secret", data=_data(WORD.encode()))),
        (Place.APP_SECRETS, _object("Secret", APP, data=_data(WORD.encode()))),
    ],
)
def test_a_secret_is_found_in_an_object(place: Place, obj: dict[str, Any]) -> None:
    evidence = Evidence()
    Cluster(evidence, INSTANCES, APP, set()).note(obj)
    assert found(evidence) == {place}


@pytest.mark.parametrize("field", ["name", "labels", "annotations"])
def test_a_secret_is_found_in_the_name_of_a_secret(field: str) -> None:
    evidence = Evidence()
    obj = _object("Secret", type_="helm.sh/release.v1")
    obj["metadata"][field] = WORD if field == "name" else {"of": WORD}
    Cluster(evidence, INSTANCES, APP, set()).note(obj)
    assert found(evidence) == {Place.NAMES}


def test_what_charts_make_up_is_a_secret() -> None:
    cluster = Cluster(Evidence(), INSTANCES, APP, set())
    release = f"hb-{20 * '0'}"
    passwords = {f"{release}-admin": "one", f"{release}-{16 * '0'}": "two"}
    for name, password in passwords.items():
        data = {"password": base64.b64encode(password.encode()).decode()}
        cluster.note(_object("Secret", name=name, data=data))
    learnt = {(each.kind, each.value) for each in cluster.secrets}
    assert learnt == {(Kind.ADMIN, b"one"), (Kind.BINDING, b"two")}


def _in_database(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "helmbroker.db")) as database:
        database.execute("PRAGMA journal_mode = wal")
        database.execute("CREATE TABLE rows (text)")
        database.execute("INSERT INTO rows VALUES (?)", [WORD])
        database.commit()


def _in_file(name: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"text: {WORD}")

    return write


@pytest.mark.parametrize(
    ("place", "plant"),
    [
        (Place.LOGS, _in_file("log")),
        (Place.POD_LOGS, _in_file(f"pods/{INSTANCES}_server_uid/main/0.log")),
        (Place.FILES, _in_file("data/rendering/values.yaml")),
        (Place.KEY_RINGS, _in_file("data/keys.json")),
        (Place.LOGIN_FILES, _in_file("bridge/admin-token")),
        (Place.CLUSTER_FILES, _in_file("tmp/tmpa1b2c3d4")),
        (Place.MANIFESTS, _in_file("data/helm/rendering/tmpa1b2c3d4/chart/manifest.yaml")),
        (Place.DATABASE, _in_database),
    ],
)
def test_a_secret_is_found_in_a_file(tmp_path: Path, place: Place, plant: Callable[[Path], None]) -> None:
    evidence, product = Evidence(), tmp_path / "product"
    product.mkdir()
    (product / "log").touch()
    files = Files(evidence, product, logs=(product / "log",), pods=tmp_path / "pods", namespaces=(INSTANCES,))
    with files.watched():
        plant(tmp_path if place is Place.POD_LOGS else product)
        files.look_at_databases()
    assert found(evidence) == {place}


@pytest.mark.parametrize(
    ("place", "method", "path", "status"),
    [
        (Place.ERRORS, "PUT", "/v2/service_instances/i/service_bindings/b", 400),
        (Place.ERRORS, "GET", "/v2/service_instances/i/last_operation", 200),
        (Place.ANSWERS, "GET", "/v2/service_instances/i", 200),
        (Place.DELIVERIES, "GET", "/v2/service_instances/i/service_bindings/b", 200),
        (Place.DELIVERIES, "GET", "/apps/shop/resources/database/", 200),
        (Place.ANSWERS, "GET", "/apps/shop/resources/", 200),
        (Place.METRICS, "GET", "/metrics", 200),
    ],
)
@pytest.mark.parametrize("header", [False, True], ids=["body", "header"])
def test_a_secret_is_found_in_an_answer(place: Place, method: str, path: str, status: int, header: bool) -> None:
    evidence, answer = Evidence(), requests.Response()
    answer.status_code = status
    if header:
        answer.headers["X-Told"] = WORD
    else:
        answer._content = json.dumps({"text": WORD}).encode()
    heard.note(evidence, method, path, answer)
    assert found(evidence) == {place}


def test_the_page_has_the_list() -> None:
    """To mend it: python -m tests.canary.places."""
    assert places.PAGE.read_text() == places.page()
