"""Folders of addons: read again cheaply, in whatever format."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.catalog import corpus
from helmbroker.catalog import overrides
from helmbroker.catalog.load import Shelf, load
from tests.unit.catalog import folders, foreign_folders
from tests.unit.catalog.foreign_folders import DRYCC, KYMA


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder with an addon of each format, one of them below another folder, as repositories of Drycc have it."""
    folders.write(tmp_path / "demo")
    foreign_folders.write(tmp_path / "mysql/8.0", DRYCC)
    foreign_folders.write(tmp_path / "redis-0.1", KYMA)
    return tmp_path


def test_all_formats_may_stand_in_one_folder(shelf: Path) -> None:
    catalog = load([shelf])
    assert [addon.name for addon in catalog.addons] == ["demo", "mysql-8.0", "redis"]
    assert catalog.quarantined == {}
    assert list(catalog.warnings) == [str(shelf / "redis-0.1")]


@pytest.mark.bug(76)
def test_a_faulty_one_hides_no_other(shelf: Path) -> None:
    (shelf / "mysql/8.0/meta.yaml").write_text("{")
    catalog = load([shelf])
    assert [addon.name for addon in catalog.addons] == ["demo", "redis"]
    assert list(catalog.quarantined) == [str(shelf / "mysql/8.0")]


def test_what_has_not_changed_is_not_read_again(shelf: Path) -> None:
    reading = Shelf([shelf])
    before = reading.read()
    (shelf / "redis-0.1/plans/whatever/values.yaml").write_text("persistence: {enabled: true}\n")
    os.utime(shelf / "demo/addon.yaml", (1, 1))  # touched, but the same
    after = reading.read()
    assert [one is other for one, other in zip(before.addons, after.addons, strict=True)] == [True, True, False]
    assert after.addons[2].plans[0].values == {"persistence": {"enabled": True}}
    assert reading.read() == after


def test_what_is_mended_is_compared_as_it_lies(shelf: Path) -> None:
    """Its revision holds something else."""
    reading = Shelf([shelf])
    before = reading.read().addons[1]
    chart = shelf / "mysql/8.0/chart/mysql/Chart.yaml"
    os.utime(chart, (1, 1))
    assert reading.read().addons[1] is before
    chart.write_text(chart.read_text().replace("1.1.2", "1.1.3"))
    after = reading.read().addons[1]
    assert after.digest != before.digest
    assert b"1.1.3" in (after.mended["chart/mysql/Chart.yaml"] or b"")


@pytest.mark.parametrize("change", ["added", "removed", "broken", "mended"])
def test_every_change_is_seen(shelf: Path, change: str) -> None:
    reading = Shelf([shelf])
    path = shelf / "demo/addon.yaml"
    good = path.read_text()
    if change == "mended":
        path.write_text("{")
    first = reading.read()
    match change:
        case "added":
            foreign_folders.write(shelf / "other", KYMA, {"meta.yaml": "{"})
        case "removed":
            path.unlink()
        case "broken":
            path.write_text("{")
        case "mended":
            path.write_text(good)
    assert reading.read() == load([shelf]) != first


def test_links_are_refused_before_anything_is_opened(shelf: Path) -> None:
    """What they lead to may have no end."""
    plan = shelf / "demo/plans/endless.yaml"
    plan.symlink_to("/dev/zero")
    os.mkfifo(shelf / "redis-0.1/plans/whatever/create-instance-schema.json~")
    why = "is a link or a special file; addons hold plain files only"
    found = {Path(folder).name: list(map(str, faults)) for folder, faults in load([shelf]).quarantined.items()}
    assert found == {
        "demo": [f"addon.yaml: plans/endless.yaml {why}"],
        "redis-0.1": [f"meta.yaml: plans/whatever/create-instance-schema.json~ {why}"],
    }


@pytest.mark.bug(81)
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"size": "1Gi"}, {"size": "1Gi"}),
        ({"8.0": {"size": "1Gi"}, "8.1": {"size": "2Gi"}}, {"size": "1Gi"}),
        ({"8": {"size": "1Gi"}}, {"size": "1Gi"}),
        ({"8.1": {"size": "2Gi"}}, {}),
        ({"8.0": {"size": "1Gi"}, "image": {}}, {"8.0": {"size": "1Gi"}, "image": {}}),
        ({}, {}),
    ],
)
def test_the_operators_values_may_be_for_a_version(
    shelf: Path, given: dict[str, object], expected: dict[str, object]
) -> None:
    addon = next(addon for addon in load([shelf]).addons if addon.name == "mysql-8.0")
    assert overrides.of(addon, {"mysql-8.0": given, "demo": {"a": 1}}) == expected  # type: ignore[dict-item]


def test_the_catalogue_of_the_bench_is_a_good_one(tmp_path: Path) -> None:
    corpus.write(tmp_path, addons=3, plans=7, parameters=9)
    catalog = load([tmp_path])
    assert (catalog.quarantined, catalog.warnings) == ({}, {})
    assert sorted(len(addon.plans) for addon in catalog.addons) == [2, 2, 3]
