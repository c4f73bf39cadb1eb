"""Addons and charts from a real OCI registry: pushed, signed, pulled, verified."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from helmbroker.catalog.load import load
from helmbroker.catalog.sources import artifacts
from helmbroker.catalog.sources.dependencies import vendor
from helmbroker.catalog.sources.fetch import fetch
from helmbroker.catalog.sources.model import Access, Policy, Reason, Repository, Source, SourceError, SourceKind
from helmbroker.catalog.sources.references import reference
from helmbroker.catalog.sources.registry import MANIFEST, Registry
from helmbroker.catalog.sources.signatures import private_key
from tests.sources.servers import PASSWORDS, registry
from tests.unit.catalog.folders import write
from tests.unit.catalog.sources.keys import key_pair
from tests.unit.catalog.sources.places import addon, chart, depending, got
from tests.unit.runtime.certificates import Authority

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]  # the registry is built before the first of them


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "registry").mkdir()
    with registry(tmp_path / "registry") as host:
        yield host


def source(host: str, tag: str = ":1.0.0", access: Access | None = None, digest: str | None = None) -> Source:
    location = f"oci://{host}/addons/demo{tag}"
    return Source("registry", SourceKind.OCI, location, digest=digest, access=access or Access())


def push(host: str, folder: Path, tag: str = "1.0.0") -> str:
    return artifacts.push(folder, reference(f"oci://{host}/addons/demo:{tag}"), Access())


def refusal(one: Source, into: Path) -> SourceError:
    with pytest.raises(SourceError) as refused:
        fetch(one, into, None)
    return refused.value


def test_what_is_pushed_is_pulled(host: str, tmp_path: Path) -> None:
    digest = push(host, write(tmp_path / "demo"))
    for tag in (":1.0.0", f"@{digest}", f":1.0.0@{digest}"):
        found = got(source(host, tag), tmp_path / tag)
        assert found.labels == ["demo"]
        assert [each.name for each in load([tmp_path / tag]).addons] == ["demo"]
        assert fetch(source(host, tag), tmp_path / "again", found.seen) is None
    assert push(host, tmp_path / "demo") == digest, "the same files are the same artifact"


@pytest.mark.bug(77)
def test_a_tag_that_is_moved_is_followed_only_where_no_digest_is_named(host: str, tmp_path: Path) -> None:
    digest = push(host, write(tmp_path / "demo"))
    seen = got(source(host), tmp_path / "first").seen
    moved = push(host, write(tmp_path / "demo", addon(version="2.0.0")))
    assert got(source(host), tmp_path / "second", seen).labels == ["demo"]
    error = refusal(source(host, digest=digest), tmp_path / "third")
    assert (error.reason, f"is {moved}, not {digest}" in error.message) == (Reason.DIGEST, True)
    assert got(source(host, f"@{digest}"), tmp_path / "fourth").labels == ["demo"], "it is there still"


@pytest.mark.bug(77)
def test_signatures_are_required_of_the_very_artifact(host: str, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path)
    other, _ = key_pair(tmp_path, "other")
    required = Access(signatures=Policy.REQUIRED, public_keys=(public,))
    digest = push(host, write(tmp_path / "demo"))
    name = reference(f"oci://{host}/addons/demo:1.0.0")
    assert refusal(source(host, access=required), tmp_path / "unsigned").reason is Reason.SIGNATURE
    artifacts.push_signature(name, digest, private_key(other), Access())
    assert refusal(source(host, access=required), tmp_path / "another").reason is Reason.SIGNATURE
    warned = got(source(host, access=replace(required, signatures=Policy.WARN)), tmp_path / "warned")
    assert (warned.labels, len(warned.warnings)) == (["demo"], 1)
    artifacts.push_signature(name, digest, private_key(private), Access())
    assert got(source(host, access=required), tmp_path / "signed").warnings == []
    push(host, write(tmp_path / "demo", addon(version="2.0.0")))
    assert refusal(source(host, access=required), tmp_path / "moved").reason is Reason.SIGNATURE


def test_it_is_where_and_as_cosign_keeps_it(host: str, tmp_path: Path) -> None:
    private, _ = key_pair(tmp_path)
    digest = push(host, write(tmp_path / "demo"))
    name = reference(f"oci://{host}/addons/demo:1.0.0")
    artifacts.push_signature(name, digest, private_key(private), Access())
    client = Registry(Access(), name)
    manifest = client.manifest(f"{digest.replace(':', '-')}.sig")
    assert manifest is not None
    (layer,) = manifest.document["layers"]
    assert layer["mediaType"] == "application/vnd.dev.cosign.simplesigning.v1+json"
    assert set(layer["annotations"]) == {"dev.cosignproject.cosign/signature"}
    signed = json.loads(client.blob(layer, most=4096))
    assert signed["critical"]["image"] == {"docker-manifest-digest": digest}


def test_over_tls_with_a_pull_secret(authority: Authority, tls: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(PASSWORDS)
    with registry(tmp_path, tls=tls, htpasswd=tmp_path / "htpasswd") as host:
        login = base64.b64encode(b"alice:secret").decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"auth": login}}}))
        access = Access(ca_file=authority.ca, pull_secret_file=tmp_path / "config.json")
        artifacts.push(write(tmp_path / "demo"), reference(f"oci://{host}/addons/demo:1.0.0"), access)
        assert got(source(host, access=access), tmp_path / "into").labels == ["demo"]
        nobody = refusal(source(host, access=Access(ca_file=authority.ca)), tmp_path / "nobody")
        assert "a login is needed" in nobody.message
        (tmp_path / "config.json").write_text(
            json.dumps({"auths": {host: {"username": "alice", "password": "no"}}})
        )
        wrong = refusal(source(host, access=access), tmp_path / "wrong")
        assert "a login is needed, or it is wrong" in wrong.message


@pytest.mark.parametrize(
    ("tag", "reason", "words"),
    [
        (":nothing", Reason.FETCHING, "there is no such artifact"),
        (f"@sha256:{'0' * 64}", Reason.FETCHING, "there is no such artifact"),
    ],
)
def test_what_is_not_there_is_named(host: str, tmp_path: Path, tag: str, reason: Reason, words: str) -> None:
    error = refusal(source(host, tag), tmp_path / "into")
    assert (error.reason, words in error.message) == (reason, True)


def test_what_is_no_addon_is_refused(host: str, tmp_path: Path) -> None:
    """A chart under the name of an addon."""
    push_chart(host, "addons/demo", "1.0.0", chart("demo", "1.0.0"))
    error = refusal(source(host), tmp_path / "into")
    assert (error.reason, "layers of type" in error.message) == (Reason.ARCHIVE, True)


@pytest.mark.bug(16, 89)
def test_charts_are_resolved_by_their_tags(host: str, tmp_path: Path) -> None:
    """As 39 of 41 addons of Drycc need it: oci://.../charts, ~1.1.1; later no network is needed."""
    for version in ("1.1.0", "1.1.1", "1.1.4", "1.1.5-rc.1", "1.2.0", "1.1.3+build"):
        push_chart(host, "charts/common", version, chart("common", version))
    mapped = Repository("oci://registry.drycc.example/charts", f"oci://{host}/charts", Access())
    write(
        tmp_path / "demo",
        depending("{name: common, version: ~1.1.1, repository: oci://registry.drycc.example/charts}"),
    )
    assert vendor(tmp_path / "demo", [mapped]) == []
    assert "version: 1.1.4" in (tmp_path / "demo/chart/charts/common/Chart.yaml").read_text()
    client = Registry(Access(), reference(f"oci://{host}/charts/common"))
    manifest = client.manifest("1.1.4")
    assert manifest is not None
    assert (tmp_path / "demo/dependencies.lock").read_text().split()[:4] == [
        "chart",
        "common",
        "1.1.4",
        manifest.digest,
    ]


def push_chart(host: str, repository: str, version: str, packed: bytes) -> None:
    """As `helm push` does."""
    client = Registry(Access(), reference(f"oci://{host}/{repository}"))
    config = client.push_blob(b"{}", "application/vnd.cncf.helm.config.v1+json")
    layer = client.push_blob(packed, artifacts.CHART)
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    client.push_manifest(document, version.replace("+", "_"))
