"""Hooks of Drycc's addons: scripts of theirs, which become Jobs where the operator says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from helmbroker.catalog import archive, formats, values
from helmbroker.catalog.formats import hooks
from helmbroker.catalog.load import Shelf
from helmbroker.catalog.model import STRICT, Addon, AddonFaults, Legacy
from tests.addons.programs import helm
from tests.unit.catalog.foreign_folders import DRYCC, write
from tests.unit.catalog.test_drycc import LARGE, SMALL

CHART = {"chart/mysql/templates/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made}\n"}
FILE = "chart/mysql/templates/helmbroker-hooks.yaml"
IMAGE = "registry.example.com/tools:1@sha256:" + "ab" * 32
RUN = Legacy(hooks={"mysql-8.0": IMAGE})
AWKWARD = "#!/usr/bin/env bash\n# a 'b' \"c\" {{ .Values.secret }} }} ä \\n \U0001f512 `d`\n\texit 3\n"
MOMENTS = {
    "pre_provision": "pre-install",
    "post_provision": "post-install",
    "pre_update": "pre-upgrade",
    "post_update": "post-upgrade",
    "pre_deprovision": "pre-delete",
    "post_deprovision": "post-delete",
}


def folder(place: Path, *hooks: str, script: str = "exit 1\n", plan: str = SMALL) -> Path:
    return write(place, DRYCC, {**CHART, **{f"{plan}/hooks/{name}.sh": script for name in hooks}})


def told(addon: Addon) -> list[str]:
    return [str(fault) for fault in addon.warnings if "/hooks/" in fault.file]


def revision(addon: Addon, place: Path) -> Path:
    archive.unpack(archive.pack(addon.folder, addon.mended), place)
    return place


@pytest.mark.bug(12)
def test_they_do_not_run_unless_the_operator_lists_the_addon(tmp_path: Path) -> None:
    folder(tmp_path, *MOMENTS)
    for legacy in (STRICT, Legacy(hooks={"mysql": IMAGE})):
        addon = formats.load(tmp_path, legacy)
        assert len(told(addon)) == len(MOMENTS)
        assert all("is not run: list the addon in HELMBROKER_LEGACY_HOOKS" in each for each in told(addon))
        assert FILE not in addon.mended
        assert not any("helmbrokerHooks" in plan.values for plan in addon.plans)


def test_those_of_bindings_have_nothing_to_run_in(tmp_path: Path) -> None:
    """Nor is a file of another name, or of a folder below, a hook."""
    addon = formats.load(
        folder(tmp_path, "pre_bind", "post_unbind", "README", "old/pre_update", "pre_update.sh"), RUN
    )
    assert len(told(addon)) == 5
    assert all("a bind makes nothing in the cluster" in each for each in told(addon))
    assert FILE not in addon.mended


NO_SCRIPTS = {
    "empty": "",
    "blank": " \n",
    "NUL": "exit # \0",
    "DEL": "exit # \x7f",
    "C1": "# \x9b",
    "long": "x" * 65537,
}


@pytest.mark.parametrize("script", NO_SCRIPTS.values(), ids=NO_SCRIPTS)
def test_what_is_no_script_costs_the_addon(tmp_path: Path, script: str) -> None:
    with pytest.raises(AddonFaults, match=r"hooks/pre_update.sh: is no script: longer than 64 KiB, empty, not"):
        formats.load(folder(tmp_path, "pre_update", script=script), RUN)


def test_it_is_a_revision_of_its_own_and_stays_what_it_is(tmp_path: Path) -> None:
    """Whatever the operator says later: the instances that run it have pinned it."""
    place = folder(tmp_path / "addon", "post_provision")
    without, with_them = formats.load(place), formats.load(place, RUN)
    assert without.digest != with_them.digest
    kept = revision(with_them, tmp_path / "kept")
    for legacy in (STRICT, RUN):
        again = formats.load(kept, legacy)
        assert (again.digest, again.mended, told(again)) == (with_them.digest, {}, [])
        assert [plan.values for plan in again.plans] == [plan.values for plan in with_them.plans]
    before = revision(without, tmp_path / "before")
    assert formats.load(before).digest == without.digest


def test_a_shelf_knows_it_again(tmp_path: Path) -> None:
    place = folder(tmp_path / "mysql", "post_provision")
    shelf = Shelf([tmp_path], RUN)
    (first,) = shelf.read().addons
    os.utime(place / "meta.yaml", (1, 1))
    (second,) = shelf.read().addons
    assert second is first
    (place / f"{SMALL}/hooks/post_provision.sh").write_text("exit 0\n")
    (third,) = shelf.read().addons
    assert third.digest != first.digest


@pytest.mark.cluster
@pytest.mark.bug(82)
@pytest.mark.parametrize("hook", MOMENTS)
def test_each_is_a_job_at_its_moment_of_its_plan_alone(tmp_path: Path, hook: str) -> None:
    """As real helm renders it: one after an operation needs none before it."""
    addon = formats.load(folder(tmp_path / "addon", hook, script=AWKWARD), RUN)
    chart = revision(addon, tmp_path / "kept") / addon.chart_folder
    words = ["hb-1", *(["--is-upgrade"] if hook.endswith("update") else [])]
    small, large = (
        [each for each in yaml.safe_load_all(helm("template", *words, str(chart), values=values)) if each]
        for values in (dict(plan.values) for plan in addon.plans)
    )
    (job,) = [each for each in small if each["kind"] == "Job"]
    assert not [each for each in large if each["kind"] == "Job"]
    assert MOMENTS[hook] in job["metadata"]["annotations"]["helm.sh/hook"].split(",")
    assert job["metadata"]["name"] == f"hb-1-{MOMENTS[hook]}"
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (container["image"], container["command"]) == (IMAGE, ["/usr/bin/env", "bash", "-c", AWKWARD])
    assert pod["automountServiceAccountToken"] is False
    assert job["spec"]["activeDeadlineSeconds"] == 300


@pytest.mark.cluster
@pytest.mark.parametrize(("script", "command"), [("#!\nexit 1", "sh"), ("\ufeff#!/bin/ash -e\nexit 1", "/bin/ash")])
def test_what_runs_it(tmp_path: Path, script: str, command: str) -> None:
    addon = formats.load(folder(tmp_path / "addon", "pre_provision", script=script), RUN)
    chart = revision(addon, tmp_path / "kept") / addon.chart_folder
    rendered = yaml.safe_load_all(helm("template", "r" * 53, str(chart), values=dict(addon.plans[0].values)))
    (job,) = [each for each in rendered if each and each["kind"] == "Job"]
    assert job["spec"]["template"]["spec"]["containers"][0]["command"][0] == command
    assert job["metadata"]["name"] == "r" * 53 + "-pre-insta"


def test_no_user_has_those_of_another_plan(tmp_path: Path) -> None:
    """Only the operator may turn them off."""
    addon = formats.load(folder(tmp_path, "pre_update"), RUN)
    small, others = addon.plans[0], {hooks.VALUE: "plans/standard-20"}
    assert values.of_instance(addon, small, others, {}, "r")[hooks.VALUE] == SMALL
    assert values.of_instance(addon, small, {}, {hooks.VALUE: ""}, "r")[hooks.VALUE] == ""


@pytest.mark.cluster
def test_plans_have_hooks_of_their_own(tmp_path: Path) -> None:
    folder(tmp_path / "addon", "pre_update", script="exit 1")
    (tmp_path / "addon" / LARGE / "hooks").mkdir()
    (tmp_path / "addon" / LARGE / "hooks/pre_update.sh").write_text("exit 2")
    addon = formats.load(tmp_path / "addon", RUN)
    chart = revision(addon, tmp_path / "kept") / addon.chart_folder
    for plan, script in zip(addon.plans, ("exit 1", "exit 2"), strict=True):
        objects = yaml.safe_load_all(helm("template", "r", "--is-upgrade", str(chart), values=dict(plan.values)))
        (job,) = [each for each in objects if each and each["kind"] == "Job"]
        assert job["spec"]["template"]["spec"]["containers"][0]["command"] == ["sh", "-c", script]
