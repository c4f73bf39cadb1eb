"""Addons of Drycc and Kyma come through every kind of source, as native ones do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import requests_mock

from helmbroker.catalog import archive, formats
from helmbroker.catalog.model import Legacy, Severity
from helmbroker.catalog.sources.model import AddonState, Reason, Source, SourceKind
from tests.unit.catalog import foreign_folders
from tests.unit.catalog.foreign_folders import DRYCC, DRYCC_ID, KYMA, edited
from tests.unit.catalog.sources.places import addon, chart
from tests.unit.catalog.sources.test_reading import Shelf, shelf

__all__ = ["shelf"]

PLACE = "https://addons.example/stable"
CHARTS = "https://charts.example"
STRAY = "chart/mysql/templates/bind.yaml"
LACKING: dict[str, str | None] = {
    **edited(DRYCC, "chart/mysql/Chart.yaml", "oci://registry.example.com/charts", CHARTS),
    "chart/mysql/charts/common/Chart.yaml": None,
}


def packed(folder: Path, files: Mapping[str, str], changes: Mapping[str, str | None] | None = None) -> bytes:
    """An archive with everything in one folder, as Drycc and Kyma make them."""
    foreign_folders.write(folder / "inside", files, dict(changes or {}))
    return archive.pack(folder)


def test_an_index_with_addons_of_drycc_and_kyma_is_offered(
    shelf: Shelf, requests_mock: requests_mock.Mocker, tmp_path: Path
) -> None:
    """Mended, with its dependencies; nothing of that is done again when something else changes.

    The index need not write a version as the addon does.
    """
    requests_mock.get(
        f"{PLACE}/index.yaml", text="entries: {mysql: [{version: 8.0}], redis: [{version: 0.1.0, description: x}]}"
    )
    requests_mock.get(f"{PLACE}/mysql-8.0.tgz", content=packed(tmp_path / "a", DRYCC, {**LACKING, STRAY: "x"}))
    requests_mock.get(f"{PLACE}/redis-0.1.0.tgz", content=packed(tmp_path / "b", KYMA))
    requests_mock.get(f"{CHARTS}/index.yaml", text="entries: {common: [{version: 1.1.1}]}")
    dependency = requests_mock.get(f"{CHARTS}/common-1.1.1.tgz", content=chart("common", "1.1.1"))
    shelf.sources = [Source("drycc", SourceKind.INDEX, f"{PLACE}/index.yaml")]
    reading = shelf.read()
    assert shelf.states() == {"drycc/mysql-8.0": "offered", "drycc/redis-0.1.0": "offered"}
    mysql, redis = reading.listed
    assert (mysql.service_id, [(str(each), each.severity) for each in mysql.faults]) == (
        DRYCC_ID,
        [(f"{STRAY}: is no manifest of the chart; left out", Severity.WARNING)],
    )
    assert redis.faults
    assert mysql.digest is not None
    archive.unpack(shelf.packed[mysql.digest], tmp_path / "kept")
    kept = formats.load(tmp_path / "kept")
    assert (kept.name, kept.digest, kept.warnings) == ("mysql-8.0", mysql.digest, ())
    assert "engine" not in (kept.chart / "Chart.yaml").read_text()
    assert (kept.chart / "charts/common/Chart.yaml").is_file()
    shelf.put("two/new", addon("new", number="cccccccc"))
    shelf.sources.append(Source("two", SourceKind.DIRECTORY, str(shelf.folder / "two")))
    assert shelf.read().listed[:2] == (mysql, redis)
    assert dependency.call_count == 1


@pytest.mark.parametrize("kind", [SourceKind.DIRECTORY, SourceKind.ARCHIVE])
def test_folders_and_archives_may_hold_any_format(shelf: Shelf, tmp_path: Path, kind: SourceKind) -> None:
    place = tmp_path / "drycc"
    content = packed(place / "mysql", DRYCC)
    (tmp_path / "mysql.tgz").write_bytes(content)
    location = place if kind is SourceKind.DIRECTORY else tmp_path / "mysql.tgz"
    shelf.sources = [Source("drycc", kind, str(location))]
    assert [each.name for each in shelf.read().catalog.addons] == ["mysql-8.0"]
    assert not shelf.read().changed


def test_what_its_source_has_archived_is_not_offered_any_more(shelf: Shelf) -> None:
    """It is no fault, so what was offered before does not come back; it may be offered again."""
    folder = foreign_folders.write(shelf.folder / "one/mysql", DRYCC)
    before = shelf.read()
    good = (folder / "meta.yaml").read_text()
    (folder / "meta.yaml").write_text(f"{good}archive: true\n")
    (row,) = [each for each in shelf.read().listed if each.label == "mysql"]
    assert (row.state, row.reason, row.digest, row.service_id) == (AddonState.ARCHIVED, None, None, DRYCC_ID)
    assert "is archived" in row.faults[0].message
    assert not shelf.read().changed
    (folder / "meta.yaml").write_text(good)
    assert shelf.read().listed == before.listed


def test_what_is_archived_and_faulty_is_told(shelf: Shelf) -> None:
    foreign_folders.write(shelf.folder / "one/mysql", DRYCC, {"meta.yaml": DRYCC["meta.yaml"] + "archive: 7\n"})
    (row,) = [each for each in shelf.read().listed if each.label == "mysql"]
    assert (row.state, row.reason) == (AddonState.FAILED, Reason.VALIDATION)


@pytest.mark.bug(12)
def test_hooks_come_and_go_with_what_the_operator_says(shelf: Shelf) -> None:
    """Although the source has nothing new: what is offered is another revision, or the one before again."""
    hook = {"plans/standard-10/hooks/pre_update.sh": "exit 1\n"}
    foreign_folders.write(shelf.folder / "one/mysql", DRYCC, hook)

    def offered(**hooks: str) -> str:
        shelf.legacy = Legacy(hooks={name.replace("_", "-"): image for name, image in hooks.items()})
        (row,) = [each for each in shelf.read().listed if each.label == "mysql"]
        assert row.digest is not None
        assert shelf.read().changed is False
        return row.digest

    shelf.legacy = Legacy(hooks={"mysql-8.0": "tools:1"})
    (first,) = [each for each in shelf.read().listed if each.label == "mysql"]
    without = offered()
    other = offered(another="tools:1")
    assert without == other != first.digest
    shelf.legacy = Legacy(hooks={"mysql-8.0": "tools:2"})
    (second,) = [each for each in shelf.read().listed if each.label == "mysql"]
    assert second.digest not in (first.digest, without)
    shelf.legacy = Legacy(hooks={"mysql-8.0": "tools:1"})
    (third,) = [each for each in shelf.read().listed if each.label == "mysql"]
    assert third.digest == first.digest


def test_an_operator_may_open_an_addon(shelf: Shelf) -> None:
    """The allow-list is empty: that nothing may be set is a warning, and opened there is none."""
    text = DRYCC["meta.yaml"].partition("allow_parameters:")[0] + "allow_parameters: []\n"
    foreign_folders.write(shelf.folder / "one/mysql", DRYCC, {"meta.yaml": text})
    (row,) = [each for each in shelf.read().listed if each.label == "mysql"]
    assert "HELMBROKER_LEGACY_OPEN_PARAMETERS" in row.faults[0].message
    shelf.legacy = Legacy(open_parameters=frozenset({"mysql-8.0"}))
    shelf.listed, shelf.standings = (), {}
    reading = shelf.read()
    (row,) = [each for each in reading.listed if each.label == "mysql"]
    assert (row.state, row.faults) == (AddonState.OFFERED, ())
    (made,) = [each for each in reading.catalog.addons if each.name == "mysql-8.0"]
    assert made.plans[0].parameters.create is not None
