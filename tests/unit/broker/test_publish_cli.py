"""`helmbroker addon package`, `sign` and `push`, without any server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from helmbroker.broker.cli import main
from helmbroker.catalog import formats
from helmbroker.catalog.sources.model import Access, Policy, Reason, Source, SourceError, SourceKind
from tests.unit.catalog.folders import write
from tests.unit.catalog.sources.keys import key_pair
from tests.unit.catalog.sources.places import depending, got
from tests.unit.logs import logs_as_before

__all__ = ["logs_as_before"]
pytestmark = pytest.mark.usefixtures("logs_as_before")


def run(*arguments: str, variables: Mapping[str, str] | None = None, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, ("addon", *arguments), env={**(variables or {})}, input=typed)


def test_an_archive_that_is_signed_is_believed(tmp_path: Path) -> None:
    write(tmp_path / "demo")
    private, public = key_pair(tmp_path, password="canary-5c1e")
    told = json.loads(run("package", str(tmp_path / "demo"), "--into", str(tmp_path)).stdout)
    assert told["revision"] == formats.load(tmp_path / "demo").digest
    access = Access(signatures=Policy.REQUIRED, public_keys=(public,))
    source = Source("one", SourceKind.ARCHIVE, told["file"], access=access)
    with pytest.raises(SourceError) as unsigned:
        got(source, tmp_path / "unsigned")
    assert unsigned.value.reason is Reason.SIGNATURE

    signed = run("sign", told["file"], "--key", str(private), variables={"COSIGN_PASSWORD": "canary-5c1e"})
    assert (signed.exit_code, json.loads(signed.stdout)) == (0, {"signature": f"{told['file']}.sig"})
    assert got(source, tmp_path / "signed").labels == [Path(told["file"]).stem]


def test_a_key_that_does_not_open_is_told_without_its_password(tmp_path: Path) -> None:
    private, _ = key_pair(tmp_path, password="canary-5c1e")
    (tmp_path / "x.tgz").write_bytes(b"x")
    for password in ("", "canary-wrong"):
        refused = run(
            "sign", str(tmp_path / "x.tgz"), "--key", str(private), variables={"COSIGN_PASSWORD": password}
        )
        assert refused.exit_code == 2
        assert refused.stderr.startswith(f"helmbroker: {private} cannot be read as a private key in PEM")
        assert refused.stderr.endswith("its password is what COSIGN_PASSWORD says\n")
        assert "canary" not in refused.output
    assert not (tmp_path / "x.tgz.sig").exists()


@pytest.mark.bug(16)
def test_what_is_packed_has_what_its_charts_depend_on(tmp_path: Path) -> None:
    """The folder itself stays as it is."""
    folder = write(tmp_path / "demo", depending("{name: common, version: ~1.1.1, repository: 'file://../common'}"))
    lacking = run("package", str(folder), "--into", str(tmp_path / "a"))
    assert (lacking.exit_code, "common ~1.1.1" in lacking.stderr) == (1, True)
    shutil.copytree(folder / "chart", folder / "common")
    (folder / "common/Chart.yaml").write_text("apiVersion: v2\nname: common\nversion: 1.1.4\n")
    before = formats.load(folder).digest
    told = json.loads(run("package", str(folder), "--into", str(tmp_path / "a")).stdout)
    taken = got(Source("one", SourceKind.ARCHIVE, told["file"]), tmp_path / "into")
    inside = tmp_path / "into" / taken.labels[0]
    assert (inside / "chart/charts/common/Chart.yaml").is_file()
    assert "common 1.1.4" in (inside / "dependencies.lock").read_text()
    assert (formats.load(inside).digest, formats.load(folder).digest) == (told["revision"], before)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("demo", "host/demo:1"), "host/demo:1 is no name of an OCI artifact: oci://host/repository:tag."),
        (
            ("demo", "oci://host/demo"),
            "oci://host/demo must end with a tag, and have no digest: oci://host/demo:TAG",
        ),
        (("demo", "oci://host.example/demo:1", "--username", "u"), "a login is --username with --password-stdin,"),
        (("demo", "oci://host.example/demo:1", "--password-stdin"), "a login is --username with --password-stdin,"),
        (("broken.tgz", "oci://host.example/demo:1"), "broken.tgz: is no gzip file, or a damaged one"),
        (("empty", "oci://host.example/demo:1"), "addon.yaml"),
    ],
)
def test_what_cannot_be_pushed_is_told(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    write(tmp_path / "demo")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.tgz").write_bytes(b"x")
    what, *rest = arguments
    refused = run("push", str(tmp_path / what), *rest, typed="canary-77\n")
    assert refused.exit_code in (1, 2)
    assert said in refused.stderr
    assert "canary" not in refused.output


def test_only_what_cannot_change_is_signed(tmp_path: Path) -> None:
    private, _ = key_pair(tmp_path)
    refused = run("sign", "oci://host.example/demo:1", "--key", str(private))
    assert (refused.exit_code, "names no digest" in refused.stderr) == (2, True)
    missing = run("sign", str(tmp_path / "none.tgz"), "--key", str(private))
    assert (missing.exit_code, missing.stderr) == (
        2,
        f"helmbroker: {tmp_path}/none.tgz: No such file or directory.\n",
    )
