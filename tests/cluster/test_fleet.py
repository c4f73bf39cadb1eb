"""The fleet is upgraded on a real cluster: data of customers are as they were, and who is hurt by it goes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helmbroker.broker.domain import naming
from helmbroker.kubeapi.port import Kube
from tests.cluster.addons import copies
from tests.cluster.broker import Broker
from tests.cluster.customers import apps, customers, running
from tests.cluster.inventory import await_nothing
from tests.cluster.operating import operate, started_again, stop
from tests.cluster.osb import Instance

__all__ = ["apps", "running"]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]
ADDON = "redis"


def offer_newer(folder: Path, version: str, *, harmful: bool = False) -> str:
    """The addons with the next version of one of them; harmful: whose server nobody reaches."""
    copies(folder)
    about = folder / ADDON / "addon.yaml"
    text = about.read_text()
    before = text.partition('version: "')[2].partition('"')[0]
    about.write_text(text.replace(f'version: "{before}"', f'version: "{version}"'))
    chart = folder / ADDON / "chart" / "Chart.yaml"
    lines = ["version: 99.0.0" if line.startswith("version:") else line for line in chart.read_text().splitlines()]
    chart.write_text("\n".join(lines) + "\n")
    if harmful:
        service = folder / ADDON / "chart/templates/service.yaml"
        service.write_text(service.read_text().replace("targetPort: {{ .name }}", "targetPort: nowhere"))
    return str(folder)


def nothing_is_left_of_clients(running: Broker, *instances: Instance) -> None:
    """Of the broker's own clients of these instances, and of what they have logged in with."""
    for each in instances:
        contract = naming.binding_release(running.release(each.id), each.id, naming.CONTRACT)
        await_nothing(running.namespace, contract.name)


def version(running: Broker, path: str) -> str:
    return str(running.platform.ask("GET", path).json()["maintenance_info"]["version"])


def test_all_are_upgraded_and_nobodys_data_are_touched(
    kube: Kube, running: Broker, apps: str, tmp_path: Path
) -> None:
    made = customers(kube, running, apps)
    second = running.platform.instance(ADDON, "small")
    assert second.provision().state == "succeeded"
    stop(running)
    with started_again(running, ADDONS_DIR=offer_newer(tmp_path / "newer", "98.0.0")):
        told = operate(running, "upgrade", "--service", ADDON, "--canary", "1", "--yes", "-o", "json")
        assert told.status == 0, (told.output, told.errors)
        assert json.loads(told.output)["counts"] == {"upgraded": 2}
        assert [version(running, each.path) for each in (made.redis, second)] == ["98.0.0"] * 2
        assert [made.log_in(number) for number in range(3)] == [0, 0, 0]
        nothing_is_left_of_clients(running, made.redis, second)
    with started_again(running, ADDONS_DIR=offer_newer(tmp_path / "harmful", "99.0.0", harmful=True)):
        told = operate(running, "upgrade", "--service", ADDON, "--yes", "-o", "json")
        ended = json.loads(told.output)
        assert (told.status, ended["counts"]) == (1, {"failed": 1, "waiting": 1}), told
        (failed,) = [each for each in ended["instances"] if each["outcome"] == "failed"]
        assert "could not use the service instance after the upgrade" in failed["detail"], failed
        assert failed["detail"].endswith("The instance runs again what it ran before.")
        assert [version(running, each.path) for each in (made.redis, second)] == ["98.0.0"] * 2
        assert [made.log_in(number) for number in range(3)] == [0, 0, 0]
        nothing_is_left_of_clients(running, made.redis, second)
        for instance in (made.postgresql, made.redis, second):
            assert instance.delete().state == "succeeded"
        await_nothing(running.namespace)
