"""Hooks of an addon of Drycc's, on a cluster: Jobs at their moments, where the operator lets them run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest
import yaml

from helmbroker.kubeapi.port import Kube
from tests.cluster.addons import PROBE_CHART
from tests.cluster.broker import Broker, broker
from tests.cluster.inventory import await_nothing, objects
from tests.cluster.operating import operate

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

IMAGE = "sandbox.local/redis:7"  # has a shell
HOOKS = {
    "early": {
        "pre_provision": "echo before; exit 4",
        "post_provision": "echo after; exit 5",
        "pre_update": "echo an update; exit 6",
    },
    "late": {"post_provision": 'echo "after $RELEASE, as $(id -u)"; exit 3'},
    "whole": {
        "pre_provision": "#!/bin/sh -eu\ntouch /tmp/writable\n! touch /here 2> /tmp/refused\n",
        "pre_update": "echo never on a Monday; exit 6",
        "pre_deprovision": "echo something of mine stays; exit 7",
        "post_deprovision": "exit 0",
    },
}


@pytest.fixture(scope="module")
def running(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("hooks")
    addon = folder / "addons/hooked"
    shutil.copytree(PROBE_CHART, addon / "chart/hooked", ignore=shutil.ignore_patterns("jobs.yaml", "_job.tpl"))
    meta = {"id": "hooked", "name": "hooked", "version": "1.0.0", "description": "Only tests.", "bindable": False}
    (addon / "meta.yaml").write_text(yaml.safe_dump({**meta, "allow_parameters": [{"name": "text"}]}))
    for plan, hooks in HOOKS.items():
        place = addon / "plans" / plan
        (place / "hooks").mkdir(parents=True)
        (place / "meta.yaml").write_text(yaml.safe_dump({"id": plan, "name": plan, "description": "Only tests."}))
        (place / "values.yaml").write_text("replicas: 0\n")
        for name, script in hooks.items():
            (place / "hooks" / f"{name}.sh").write_text(script)
    environment = {
        "HELMBROKER_ADDONS_DIR": str(addon.parent),
        "HELMBROKER_LEGACY_HOOKS": f"hooked={IMAGE}",
    }
    with broker(kube, folder, environment=environment) as made:
        yield made
        await_nothing(made.namespace)


@pytest.mark.bug(82)
def test_after_a_failed_hook_nothing_is_made_and_no_other_runs(running: Broker) -> None:
    instance = running.platform.instance("hooked", "early")
    end = instance.provision()
    assert end.state == "failed"
    assert "before (exit code 4)" in end.description
    assert not [each for each in end.seen if "after" in each]
    assert not [name for name in objects(running.namespace) if name.startswith(("ConfigMap", "StatefulSet"))]
    retried = json.loads(operate(running, "retry", instance.id, "--output", "json").output)
    again = instance.follow(retried["operation"])
    assert "before (exit code 4)" in again.description, "it is no update, although it is one to Helm"
    assert instance.delete().state == "succeeded"


@pytest.mark.bug(82)
def test_one_after_an_operation_needs_none_before_it(running: Broker) -> None:
    instance = running.platform.instance("hooked", "late")
    end = instance.provision()
    assert end.state == "failed"
    assert f"after {running.release(instance.id).name}, as 65534 (exit code 3)" in end.description
    assert instance.delete().state == "succeeded"


@pytest.mark.bug(83)
def test_what_each_said_is_kept_with_its_operation(running: Broker) -> None:
    instance = running.platform.instance("hooked", "whole")
    assert instance.provision().state == "succeeded"
    ends = [instance.update(parameters={"text": text}) for text in ("first", "second")]
    ends.append(instance.delete())
    assert [end.state for end in ends] == ["failed", "failed", "succeeded"]
    listed = operate(running, "operations", "list", "--output", "json")
    told = [json.loads(line) for line in listed.output.splitlines()]
    kept = {each["id"]: each["description"] for each in told if each["instance_id"] == instance.id}
    assert sum("never on a Monday (exit code 6)" in each for each in kept.values()) == 2, kept
    assert "something of mine stays" in ends[-1].description
