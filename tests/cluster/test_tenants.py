"""Charts that are applied in the name of a tenant's service account make what that account may make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from helmbroker.kubeapi.client import KubeClient
from helmbroker.kubeapi.port import Obj
from tests.cluster.accounts import BROKER, given, printed, service_account
from tests.cluster.broker import Broker, broker
from tests.cluster.inventory import await_nothing
from tests.cluster.osb import End, Instance
from tests.cluster.reach import throw_away_namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

TENANTS = [{"context": {"organization_guid": each}, "account": each} for each in ("rich", "poor")]


def provisioned(running: Broker, organisation: str) -> tuple[Instance, End]:
    instance = running.platform.instance("memcached", "small")
    body: dict[str, Any] = {**instance.ids, "organization_guid": "org", "space_guid": "space"}
    body["context"] = {"platform": "cloudfoundry", "organization_guid": organisation}
    answer = running.platform.expect(202, "PUT", instance.path, body, accepts_incomplete="true")
    return instance, instance.follow(str(answer["operation"]))


def without(role: Obj, resource: str) -> Obj:
    """The same role with less."""
    rules = role.get("rules", [])
    assert not rules or any(resource in rule["resources"] for rule in rules)
    return {**role, "rules": [rule for rule in rules if resource not in rule["resources"]]} if rules else role


def test_an_instance_is_made_with_the_rights_of_its_tenant(kube: KubeClient, tmp_path: Path) -> None:
    (tmp_path / "tenants.yaml").write_text(yaml.safe_dump(TENANTS))
    with throw_away_namespace(kube) as home, throw_away_namespace(kube) as instances:
        worker = service_account(kube, home, "worker", tmp_path / "worker")
        where = ("--namespace", instances, "--account")
        environment = {"HELMBROKER_TENANTS_FILE": str(tmp_path / "tenants.yaml")}
        roles = printed(BROKER, *where, f"{home}/worker", **environment)
        for each in ("rich", "poor"):
            service_account(kube, instances, each, tmp_path / each)
            of_tenant = [_named(role, each) for role in printed(BROKER, *where, f"{instances}/{each}", "--tenant")]
            roles += of_tenant if each == "rich" else [without(role, "networkpolicies") for role in of_tenant]
        environment["HELMBROKER_KUBECONFIG"] = str(worker)
        with (
            given(kube, roles, home),
            broker(kube, tmp_path, environment=environment, namespace=instances) as running,
        ):
            rich, made = provisioned(running, "rich")
            assert made.state == "succeeded", made
            binding = rich.binding()
            assert [binding.bind().state, binding.unbind().state] == ["succeeded"] * 2
            poor, refused = provisioned(running, "poor")
            assert refused.state == "failed"
            assert f'User "system:serviceaccount:{instances}:poor" cannot' in refused.description
            assert 'resource "networkpolicies"' in refused.description
            strange, unknown = provisioned(running, "strange")
            assert "The operator has named no service account for this tenant." in unknown.description
            assert [each.delete().state for each in (rich, poor, strange)] == ["succeeded"] * 3
            await_nothing(instances, "hb-")


def _named(role: Obj, tenant: str) -> Obj:
    metadata = {**role["metadata"], "name": tenant}
    return {**role, "metadata": metadata} | (
        {"roleRef": {**role["roleRef"], "name": tenant}} if "roleRef" in role else {}
    )
