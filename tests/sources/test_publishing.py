"""`helmbroker addon push` and `sign` against a real registry: what is pushed is what sources read and believe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from helmbroker.broker.cli import main
from helmbroker.catalog.formats import load
from helmbroker.catalog.sources.dependencies import vendor
from helmbroker.catalog.sources.fetch import fetch
from helmbroker.catalog.sources.model import Access, Policy, Reason, Source, SourceError, SourceKind
from tests.sources.servers import PASSWORDS, registry
from tests.sources.test_registry import push_chart
from tests.unit.catalog.folders import write
from tests.unit.catalog.sources.keys import key_pair
from tests.unit.catalog.sources.places import chart, depending, got, packed, zipped
from tests.unit.logs import logs_as_before
from tests.unit.runtime.certificates import Authority

__all__ = ["logs_as_before"]
pytestmark = [pytest.mark.processes, pytest.mark.timeout(600), pytest.mark.usefixtures("logs_as_before")]
CANARY = "canary-41d0"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "registry").mkdir()
    with registry(tmp_path / "registry") as host:
        yield host


def run(*arguments: str, password: str = "", typed: str | None = None) -> Result:
    return CliRunner().invoke(main, ("addon", *arguments), env={"COSIGN_PASSWORD": password}, input=typed)


def told(*arguments: str, password: str = "") -> dict[str, Any]:
    result = run(*arguments, password=password)
    assert result.exit_code == 0, result.output
    assert CANARY not in result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def required(location: str, *keys: Path) -> Source:
    access = Access(signatures=Policy.REQUIRED, public_keys=keys)
    return Source("registry", SourceKind.OCI, location, access=access)


def refusal(source: Source, into: Path) -> SourceError:
    with pytest.raises(SourceError) as refused:
        fetch(source, into, None)
    return refused.value


@pytest.mark.bug(77)
def test_what_is_pushed_with_a_key_is_believed(host: str, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path, password=CANARY)
    _, other = key_pair(tmp_path, "other")
    folder = write(tmp_path / "demo")
    location = f"oci://{host}/addons/demo:1.0.0"
    pushed = told("push", str(folder), location, "--sign-key", str(private), password=CANARY)
    assert pushed["artifact"] == f"oci://{host}/addons/demo@{pushed['digest']}"
    assert pushed["revision"] == load(folder).digest
    for name in (location, pushed["artifact"]):
        assert got(required(name, public), tmp_path / name[6:]).labels == ["demo"]
    assert load(tmp_path / location[6:] / "demo").digest == pushed["revision"]
    error = refusal(required(location, other), tmp_path / "another")
    assert error.reason is Reason.SIGNATURE


@pytest.mark.bug(77)
def test_what_is_there_is_signed_later_and_by_others(host: str, tmp_path: Path) -> None:
    """Each signature is added to those that there are."""
    keys = [key_pair(tmp_path, name) for name in ("author", "reviewer")]
    pushed = told("push", str(write(tmp_path / "demo")), f"oci://{host}/addons/demo:1.0.0")
    assert "signature" not in pushed
    source = required(pushed["artifact"], keys[0][1])
    assert refusal(source, tmp_path / "unsigned").reason is Reason.SIGNATURE
    for private, _ in keys:
        signature = told("sign", pushed["artifact"], "--key", str(private))["signature"]
        assert signature == f"oci://{host}/addons/demo:{pushed['digest'].replace(':', '-')}.sig"
    for number, (_, public) in enumerate(keys):
        assert got(required(pushed["artifact"], public), tmp_path / str(number)).labels == ["demo"]


def test_only_what_is_there_is_signed(host: str, tmp_path: Path) -> None:
    private, _ = key_pair(tmp_path)
    refused = run("sign", f"oci://{host}/addons/demo@sha256:{'0' * 64}", "--key", str(private))
    assert (refused.exit_code, "there is no such artifact" in refused.stderr) == (2, True)


@pytest.mark.parametrize(("name", "content"), [("demo-1.2.3.tgz", packed()), ("demo.zip", zipped())])
def test_an_archive_is_the_same_artifact_as_its_folder(
    host: str, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    location = f"oci://{host}/addons/demo:1.0.0"
    whole = told("push", str(write(tmp_path / "demo")), location)
    assert told("push", str(tmp_path / name), location) == whole


@pytest.mark.bug(16, 89)
def test_what_is_pushed_has_what_its_charts_depend_on(host: str, tmp_path: Path) -> None:
    """Fetched as the operator's file of sources says; who reads the source needs no more than the artifact."""
    push_chart(host, "charts/common", "1.1.4", chart("common", "1.1.4"))
    (tmp_path / "sources.yaml").write_text(
        "sources: []\nrepositories: [{match: 'oci://charts.example/all', location: 'oci://" + host + "/charts'}]\n"
    )
    common = "{name: common, version: ~1.1.1, repository: 'oci://charts.example/all'}"
    folder, location = write(tmp_path / "demo", depending(common)), f"oci://{host}/addons/demo:1.0.0"
    arguments = ("addon", "push", str(folder), location)
    pushed = CliRunner().invoke(main, arguments, env={"HELMBROKER_SOURCES_FILE": str(tmp_path / "sources.yaml")})
    assert pushed.exit_code == 0, pushed.output
    got(Source("registry", SourceKind.OCI, location), tmp_path / "into")
    assert vendor(tmp_path / "into/demo", []) == []
    assert (tmp_path / "into/demo/chart/charts/common/Chart.yaml").is_file()
    assert load(tmp_path / "into/demo").digest == json.loads(pushed.stdout)["revision"]
    assert not (folder / "chart/charts").exists()


def test_a_login_is_typed_or_of_docker(authority: Authority, tls: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(PASSWORDS)
    folder = str(write(tmp_path / "demo"))
    with registry(tmp_path, tls=tls, htpasswd=tmp_path / "htpasswd") as host:
        target, ca = f"oci://{host}/addons/demo:1.0.0", ("--ca-file", str(authority.ca))
        login = ("--username", "alice", "--password-stdin")
        assert run("push", folder, target, *ca, *login, typed="secret\n").exit_code == 0
        (tmp_path / "config.json").write_text(
            json.dumps({"auths": {host: {"username": "alice", "password": "secret"}}})
        )
        assert run("push", folder, target, *ca, "--registry-config", str(tmp_path / "config.json")).exit_code == 0
        for options, said in (((), "a login is needed"), (login, "a login is needed, or it is wrong")):
            result = run("push", folder, target, *ca, *options, typed=f"{CANARY}\n")
            assert (result.exit_code, said in result.stderr) == (2, True), result.output
            assert CANARY not in result.output
