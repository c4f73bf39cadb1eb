"""Addons of Drycc: every field."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.catalog import archive, formats, offerings
from helmbroker.catalog.load import load
from helmbroker.catalog.model import Addon, DataPolicy, Legacy
from tests.unit.catalog.foreign_folders import (
    BIND,
    DRYCC,
    DRYCC_ID,
    DRYCC_LARGE_ID,
    DRYCC_SMALL_ID,
    edited,
    write,
)

Change = dict[str, str | None]
SMALL, LARGE = "plans/standard-10", "plans/standard-20"


def meta(old: str, new: str) -> Change:
    return edited(DRYCC, "meta.yaml", old, new)


def made(folder: Path, change: Change | None = None, *opened: str) -> Addon:
    return formats.load(write(folder, DRYCC, change), Legacy(open_parameters=frozenset(opened)))


def told(folder: Path, change: Change) -> list[str]:
    """The warnings of an addon that is good otherwise."""
    return list(map(str, made(folder, change).warnings))


@pytest.mark.bug(80)
def test_a_folder_becomes_an_addon(tmp_path: Path) -> None:
    """The chart is found by its folder, plans are named by their files: none of these names has to be another."""
    addon = made(tmp_path)
    assert (addon.id, addon.name, addon.description) == (DRYCC_ID, "mysql-8.0", "MySQL server.")
    assert (addon.bindable, addon.plan_updateable, addon.archived) == (True, True, False)
    assert (addon.chart, addon.dotted_parameters) == (tmp_path / "chart/mysql", True)
    small, large = addon.plans
    assert (small.id, small.name, small.timeout_s, small.bindable) == (
        DRYCC_SMALL_ID,
        "standard-1c2g10",
        1800,
        True,
    )
    assert (small.metadata, small.free) == ({"displayName": "1 core"}, True)
    assert (large.id, large.name, large.timeout_s, large.values) == (DRYCC_LARGE_ID, "standard-2c4g20", 600, {})
    assert addon.warnings == ()


def test_values_are_typed_as_helm_types_them_and_the_release_names_the_objects(tmp_path: Path) -> None:
    """237 of 239 plans set fullnameOverride to a constant, so two instances would be one."""
    addon = made(tmp_path)
    assert addon.plans[0].values == {"fullnameOverride": "mysql", "size": "10Gi", "legacy": True}
    assert addon.fullname_value == "fullnameOverride"


@pytest.mark.bug(35)
def test_each_plan_has_its_own_credentials_template(tmp_path: Path) -> None:
    addon = made(tmp_path)
    assert [plan.credentials_template for plan in addon.plans] == [f"{SMALL}/bind.yaml", f"{LARGE}/bind.yaml"]


@pytest.mark.parametrize(
    ("written", "semver"),
    [
        ("3.10", "3.10.0"),
        ("8.0", "8.0.0"),
        ("18", "18.0.0"),
        ("'1.0'", "1.0.0"),
        ("26.04", "26.4.0"),
        ("0.103.0", "0.103.0"),
        ("v2024.1.0-b1", "2024.1.0-b1"),
        ("1.2.3.4", "1.2.3+4"),
    ],
)
@pytest.mark.osb(35)
def test_versions_are_taken_as_written_and_completed_for_platforms(
    tmp_path: Path, written: str, semver: str
) -> None:
    assert made(tmp_path, meta("version: 8.0", f"version: {written}")).version == semver


def test_a_version_that_is_none_can_be_offered_but_not_upgraded_to(tmp_path: Path) -> None:
    change = meta("version: 8.0", "version: latest")
    assert made(tmp_path, change).version == "0.0.0"
    assert told(tmp_path, change) == [
        "meta.yaml:3: version: latest cannot be put in order, so instances cannot be upgraded to it"
    ]


def test_aliases_and_merges_are_what_they_stand_for(tmp_path: Path) -> None:
    change: Change = {
        "meta.yaml": DRYCC["meta.yaml"]
        .replace("version: 8.0", "version: &v 8.10")
        .replace("description: MySQL server.", "description: *v")
        .replace("name: mysql-8.0", "<<: {name: merged}")
    }
    addon = made(tmp_path, change)
    assert (addon.version, addon.description, addon.name) == ("8.10.0", "8.10", "merged")


@pytest.mark.bug(79)
@pytest.mark.parametrize(
    ("tags", "expected"),
    [("a, b ,a,", ("a", "b")), ("[a, 1.0]", ("a", "1.0")), ("", ()), ("null", ()), ("one", ("one",))],
)
def test_tags_are_a_text_or_a_list(tmp_path: Path, tags: str, expected: tuple[str, ...]) -> None:
    assert made(tmp_path, meta("tags: database, sql ,mysql", f"tags: {tags}")).tags == expected


@pytest.mark.osb(39)
@pytest.mark.bug(72)
def test_metadata_gets_the_names_of_the_profile_and_nothing_else_leaks(tmp_path: Path) -> None:
    made(tmp_path / "mysql")
    (service,) = offerings.document(load([tmp_path]))["services"]
    assert service["metadata"] == {
        "displayName": "MySQL",
        "providerDisplayName": "drycc",
        "supportUrl": "https://example.com/support",
        "documentationUrl": "https://example.com/docs",
    }
    for strange in ("allow_parameters", "archive", "version", "displayName", "url"):
        assert strange not in service


def test_the_catalog_says_that_credentials_are_shared(tmp_path: Path) -> None:
    made(tmp_path / "mysql")
    (service,) = offerings.document(load([tmp_path]))["services"]
    assert [plan["metadata"].get("sharedCredentials") for plan in service["plans"]] == [True, True]
    assert [plan["binding_rotatable"] for plan in service["plans"]] == [False, False]


def test_the_name_to_show_may_stand_at_the_top(tmp_path: Path) -> None:
    """It is another one than the name (mysql-cluster/8.0)."""
    assert made(tmp_path, meta("  displayName: MySQL\n", "")).metadata["displayName"] == "MySQL 8.0"


def test_a_plan_may_have_metadata_too(tmp_path: Path) -> None:
    given = "metadata: {bullets: [Small], displayName: ''}\n"
    addon = made(tmp_path, {f"{SMALL}/meta.yaml": DRYCC[f"{SMALL}/meta.yaml"] + given})
    assert (addon.plans[0].metadata, addon.warnings) == ({"bullets": ["Small"], "displayName": "1 core"}, ())


def test_what_is_always_so_needs_not_be_said(tmp_path: Path) -> None:
    change = meta(
        "instances_retrievable: true\nbindings_retrievable: true\n",
        "instances_retrievable: false\nbindings_retrievable: false\nallow_context_updates: false\n",
    )
    assert told(tmp_path / "mysql", change) == []
    (service,) = offerings.document(load([tmp_path]))["services"]
    for key in ("instances_retrievable", "bindings_retrievable", "allow_context_updates"):
        assert service[key] is True


def test_metadata_without_the_form_of_the_profile_is_left_out(tmp_path: Path) -> None:
    change = meta("documentationURL: https://example.com/docs", "documentationURL: see the wiki")
    assert "documentationUrl" not in made(tmp_path, change).metadata
    assert told(tmp_path, change) == [
        "meta.yaml:1: metadata documentationUrl has not the form of the OSB profile; left out"
    ]


@pytest.mark.bug(72)
def test_what_is_archived_is_not_offered(tmp_path: Path) -> None:
    folder = tmp_path / "mysql"
    made(folder, meta("bindable: true", "bindable: true\narchive: true"))
    catalog = load([tmp_path])
    assert (catalog.addons, catalog.quarantined) == ((), {})
    assert list(map(str, catalog.warnings[str(folder)])) == [
        "meta.yaml: is archived: not offered, but its service instances stay as they are"
    ]


@pytest.mark.bug(71)
@pytest.mark.parametrize(
    ("addon", "small", "expected"),
    [
        ("true", "", (True, ["standard-2c4g20"])),
        ("true", "bindable: false\nplan_updateable: false", (False, [])),
        ("false", "plan_updateable: true", (True, ["standard-2c4g20"])),
        ("false", "", (True, [])),
    ],
)
def test_what_a_plan_says_itself_wins(
    tmp_path: Path, addon: str, small: str, expected: tuple[bool, list[str]]
) -> None:
    change: Change = {
        **meta("plan_updateable: true", f"plan_updateable: {addon}"),
        f"{SMALL}/meta.yaml": DRYCC[f"{SMALL}/meta.yaml"].replace("bindable: true\n", "") + small,
    }
    loaded = made(tmp_path, change)
    plan = loaded.plans[0]
    assert (plan.bindable, [other.name for other in loaded.updates_to(plan)]) == expected


@pytest.mark.parametrize(
    ("said", "seconds"), [("null", 600), ("1", 10), ("10", 10), ("1800", 1800), ("86400", 86400), ("99999", 86400)]
)
def test_how_long_an_operation_takes_has_bounds(tmp_path: Path, said: str, seconds: int) -> None:
    change = edited(DRYCC, f"{SMALL}/meta.yaml", "duration: 1800", f"duration: {said}")
    assert made(tmp_path, change).plans[0].timeout_s == seconds


def test_what_becomes_of_data_can_be_said_here_too(tmp_path: Path) -> None:
    """Their catalogue leaves volumes behind; with us that has to be said."""
    change: Change = {f"{SMALL}/meta.yaml": DRYCC[f"{SMALL}/meta.yaml"] + "data: retain\n"}
    assert [plan.data for plan in made(tmp_path, change).plans] == [DataPolicy.RETAIN, DataPolicy.DELETE]


def test_the_chart_is_mended_in_the_revision_alone(tmp_path: Path) -> None:
    """`engine` in charts, and a bind.yaml among the templates (victoriametrics)."""
    folder = write(tmp_path / "mysql", DRYCC, {"chart/mysql/templates/bind.yaml": BIND})
    addon = formats.load(folder)
    archive.unpack(archive.pack(folder, addon.mended), tmp_path / "kept")
    kept = formats.load(tmp_path / "kept")
    assert (kept.digest, kept.mended) == (addon.digest, {})
    assert "engine" not in (tmp_path / "kept/chart/mysql/Chart.yaml").read_text()
    assert "dependencies" in (tmp_path / "kept/chart/mysql/Chart.yaml").read_text()
    assert not (tmp_path / "kept/chart/mysql/templates/bind.yaml").exists()
    assert "engine" not in (tmp_path / "kept/chart/mysql/charts/common/Chart.yaml").read_text()
    assert "engine: gotpl" in (folder / "chart/mysql/Chart.yaml").read_text()


def test_what_else_is_called_engine_stays(tmp_path: Path) -> None:
    file = "chart/mysql/Chart.yaml"
    change = edited(DRYCC, file, "engine: gotpl\n", "engine: gotpl\nannotations:\n  engine: InnoDB\n")
    left = DRYCC[file].replace("engine: gotpl\n", "annotations:\n  engine: InnoDB\n")
    assert made(tmp_path, change).mended[file] == left.encode()
