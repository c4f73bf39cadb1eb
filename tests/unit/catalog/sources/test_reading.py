"""All sources together: what is offered, what stays as it was, and what is the same again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import requests
import requests_mock

from helmbroker.catalog import archive
from helmbroker.catalog.model import Legacy
from helmbroker.catalog.sources.model import (
    Access,
    AddonState,
    Listed,
    Policy,
    Reason,
    Repository,
    Source,
    SourceKind,
    Sources,
    Standing,
)
from helmbroker.catalog.sources.reading import Before, Reading, read
from tests.unit.catalog.folders import ADDON_ID, write
from tests.unit.catalog.sources.places import addon, chart, depending, packed

CHARTS = "https://charts.example"


class Shelf:
    """Two folders as sources, and what was read of them before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sources = [Source(name, SourceKind.DIRECTORY, str(folder / name)) for name in ("one", "two")]
        for name in ("one", "two"):
            (folder / name).mkdir()
        self.repositories: Sequence[Repository] = ()
        self.legacy = Legacy()
        self.listed: Sequence[Listed] = ()
        self.standings: dict[str, Standing] = {}
        self.packed: dict[str, bytes] = {}

    def put(self, name: str, changes: dict[str, str | None]) -> Path:
        return write(self.folder / name, changes)

    def read(self) -> Reading:
        """Read, and remember as the database does."""
        place = self.folder / "place"
        place.mkdir()
        sources = Sources(tuple(self.sources), tuple(self.repositories), self.legacy)
        reading = read(sources, place, Before(self.listed, self.standings, self.packed.get))
        self.packed |= {each.digest: archive.pack(each.folder, each.mended) for each in reading.catalog.addons}
        self.listed = reading.listed
        self.standings = {each.name: each for each in reading.standings}
        shutil.rmtree(place)
        return reading

    def states(self) -> dict[str, str]:
        return {f"{each.source}/{each.label}": str(each.state) for each in self.listed}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    made = Shelf(tmp_path)
    made.put("one/demo", {})
    made.put("two/other", addon("other", number="bbbbbbbb"))
    return made


def test_addons_of_all_sources_are_offered_in_the_operators_order(shelf: Shelf) -> None:
    reading = shelf.read()
    assert [each.name for each in reading.catalog.addons] == ["demo", "other"]
    assert [each.key for each in reading.listed] == [("one", "demo"), ("two", "other")]
    assert reading.listed[0].service_id == ADDON_ID
    assert [(each.name, each.reason) for each in reading.standings] == [("one", None), ("two", None)]
    assert reading.changed


def test_what_has_not_changed_is_not_read_again(shelf: Shelf) -> None:
    before = shelf.read()
    again = shelf.read()
    assert (again.changed, again.listed, again.catalog.addons) == (False, before.listed, ())


def test_ids_and_revisions_stay_when_something_else_changes(shelf: Shelf) -> None:
    before = shelf.read()
    shelf.put("one/new", addon("new", number="cccccccc"))
    after = shelf.read()
    assert after.changed
    assert [each for each in after.listed if each.label != "new"] == list(before.listed)


def test_what_is_removed_is_not_offered_any_more(shelf: Shelf) -> None:
    shelf.read()
    shutil.rmtree(shelf.folder / "one/demo")
    assert shelf.read().changed
    assert shelf.states() == {"two/other": "offered"}
    shelf.sources = []
    assert shelf.read().changed
    assert shelf.states() == {}


@pytest.mark.bug(76)
def test_a_source_that_cannot_be_had_keeps_what_it_had(shelf: Shelf) -> None:
    before = shelf.read()
    (shelf.folder / "one").rename(shelf.folder / "away")
    after = shelf.read()
    assert (after.changed, after.listed) == (False, before.listed)
    assert [(each.name, each.reason) for each in after.standings] == [("one", Reason.FETCHING), ("two", None)]
    assert str(shelf.folder / "one") in after.standings[0].message
    shelf.put("two/new", addon("new", number="cccccccc"))
    assert [each.name for each in shelf.read().catalog.addons] == ["demo", "new", "other"], "and others go on"
    (shelf.folder / "away").rename(shelf.folder / "one")
    assert not shelf.read().changed


@pytest.mark.bug(76)
def test_an_addon_that_breaks_is_offered_as_it_was(shelf: Shelf) -> None:
    shelf.read()
    (old,) = [each for each in shelf.listed if each.label == "demo"]
    shelf.put("one/demo", {"plans/small.yaml": "{"})
    reading = shelf.read()
    (new,) = [each for each in reading.listed if each.label == "demo"]
    assert (new.digest, new.raw, new.state) == (old.digest, old.raw, AddonState.OUTDATED)
    assert (new.reason, new.faults[0].file) == (Reason.VALIDATION, "plans/small.yaml")
    assert len(reading.catalog.addons) == 2
    assert not shelf.read().changed, "and is tried again"
    shelf.put("one/demo", addon(version="1.2.4"))
    shelf.read()
    assert shelf.states()["one/demo"] == "offered"


def test_an_addon_that_was_never_good_is_not_offered(shelf: Shelf) -> None:
    shelf.put("one/bad", {"addon.yaml": "{"})
    (shelf.folder / "one/linked").mkdir()
    (shelf.folder / "one/linked/addon.yaml").write_text("x")
    (shelf.folder / "one/linked/passwd").symlink_to("/etc/passwd")
    reading = shelf.read()
    assert shelf.states() == {
        "one/bad": "failed",
        "one/demo": "offered",
        "one/linked": "failed",
        "two/other": "offered",
    }
    assert [each.reason for each in reading.listed if each.digest is None] == [Reason.VALIDATION, Reason.ARCHIVE]


@pytest.mark.bug(78)
def test_of_two_with_one_id_the_first_is_offered(shelf: Shelf) -> None:
    shelf.put("two/same", addon("same"))
    shelf.read()
    assert shelf.states() == {"one/demo": "offered", "two/other": "offered", "two/same": "failed"}
    assert not shelf.read().changed, "and is tried again"
    shelf.put("two/same", addon("demo"))
    assert shelf.read().changed
    assert not shelf.read().changed
    assert "addon.yaml: name demo is taken by one/demo" in map(str, shelf.listed[-1].faults)
    shelf.put("two/same", addon("same"))
    shelf.sources = shelf.sources[::-1]
    assert shelf.read().changed
    assert shelf.states() == {"two/other": "offered", "two/same": "offered", "one/demo": "failed"}


def test_a_new_version_under_another_name_replaces_the_old_one(shelf: Shelf) -> None:
    """Drycc's repository: addons/mysql/8.0. What breaks is recognised by its id."""
    (shelf.folder / "one/demo").rename(shelf.folder / "one/demo-2")
    shelf.read()
    (shelf.folder / "one/demo-2").rename(shelf.folder / "one/demo-3")
    shelf.put("one/demo-3", {"plans/small.yaml": "{"})
    shelf.read()
    assert shelf.states()["one/demo-3"] == "outdated"


@pytest.mark.bug(16, 89)
def test_dependencies_are_resolved_once(shelf: Shelf, requests_mock: requests_mock.Mocker) -> None:
    """Later nothing is asked for them, neither when something else changes nor when their repository is gone."""
    requests_mock.get(f"{CHARTS}/index.yaml", text="entries: {common: [{version: 1.1.1}]}")
    requests_mock.get(f"{CHARTS}/common-1.1.1.tgz", content=chart("common", "1.1.1"))
    shelf.put("one/demo", depending(f"{{name: common, version: ~1.1.0, repository: {CHARTS}}}"))
    before = shelf.read()
    assert shelf.states()["one/demo"] == "offered"
    assert before.listed[0].raw != before.listed[0].digest
    requests_mock.get(f"{CHARTS}/index.yaml", text="entries: {common: [{version: 1.1.2}]}")
    requests_mock.get(f"{CHARTS}/common-1.1.2.tgz", exc=requests.ConnectionError)
    shelf.put("one/new", addon("new", number="cccccccc"))
    after = shelf.read()
    assert [each for each in after.listed if each.label == "demo"] == [before.listed[0]]
    assert requests_mock.call_count == 2


def test_an_addon_whose_dependencies_cannot_be_had_is_tried_again(
    shelf: Shelf, requests_mock: requests_mock.Mocker
) -> None:
    requests_mock.get(f"{CHARTS}/index.yaml", exc=requests.ConnectionError)
    shelf.put("one/demo", depending(f"{{name: common, version: ~1.1.0, repository: {CHARTS}}}"))
    reading = shelf.read()
    assert [(each.reason, each.state) for each in reading.listed] == [
        (Reason.DEPENDENCY, AddonState.FAILED),
        (None, AddonState.OFFERED),
    ]
    requests_mock.get(f"{CHARTS}/index.yaml", text="entries: {common: [{version: 1.1.1}]}")
    requests_mock.get(f"{CHARTS}/common-1.1.1.tgz", content=chart("common", "1.1.1"))
    shelf.read()
    assert shelf.states()["one/demo"] == "offered"


def test_warnings_are_told_with_their_source(shelf: Shelf, requests_mock: requests_mock.Mocker) -> None:
    requests_mock.get(f"{CHARTS}/index.yaml", text="entries: {common: [{version: 1.1.1}]}")
    requests_mock.get(f"{CHARTS}/common-1.1.1.tgz", content=chart("common", "1.1.1"))
    requests_mock.get(f"{CHARTS}/common-1.1.1.tgz.sig", status_code=404)
    shelf.repositories = [Repository(CHARTS, CHARTS, Access(signatures=Policy.WARN))]
    shelf.put("one/demo", depending(f"{{name: common, version: ~1.1.0, repository: {CHARTS}}}"))
    reading = shelf.read()
    for found in (reading, shelf.read()):
        assert ["has no signature" in each.message for each in found.standings] == [True, False]


def test_sources_of_any_kind_stand_beside_each_other(shelf: Shelf) -> None:
    (shelf.folder / "third.tgz").write_bytes(packed(addon("third", number="dddddddd")))
    shelf.sources.append(Source("third", SourceKind.ARCHIVE, str(shelf.folder / "third.tgz")))
    shelf.read()
    assert shelf.states() == {"one/demo": "offered", "two/other": "offered", "third/third": "offered"}
    assert not shelf.read().changed
