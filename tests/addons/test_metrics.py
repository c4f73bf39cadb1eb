"""Prometheus' exporter beside the server, as helm renders it, without a cluster."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from helmbroker.broker.gate import Scope, objects, violations
from helmbroker.catalog.model import PodSecurity
from tests.addons.programs import helm
from tests.addons.rendering import NAMESPACE, RELEASE, instance, parsed
from tests.addons.tree import ADDONS, FIRST_PLAN, NAMES, PLANS, document, instance_values, leaves

pytestmark = pytest.mark.cluster

PORTS = {"mariadb": 9104, "postgresql": 9187, "redis": 9121}
ON = {"metrics": {"enabled": True}}
DIGEST = "sha256:" + "0123456789abcdef" * 4


def found(manifest: str, kind: str) -> dict[str, Any]:
    """The object of a kind; of Secrets the one with passwords."""
    (one,) = (each for each in parsed(manifest) if each["kind"] == kind and "tls.key" not in each.get("data", {}))
    return one


def pod(manifest: str) -> Any:
    return found(manifest, "StatefulSet")["spec"]["template"]["spec"]


def test_these_have_an_exporter() -> None:
    """The others have the endpoint themselves, or none that could log in."""
    assert [name for name in NAMES if "metrics" in document(name, "chart/values.yaml")] == sorted(PORTS)


@pytest.mark.parametrize("name", PORTS)
def test_nothing_of_it_is_there_until_an_operator_asks(name: str) -> None:
    manifest = instance(name, FIRST_PLAN[name])

    assert len(pod(manifest)["containers"]) == 1
    assert "exporter" not in str(pod(manifest))
    assert "metrics" not in {port["name"] for port in found(manifest, "Service")["spec"]["ports"]}
    assert "exporter" not in found(manifest, "Secret")["data"]


@pytest.mark.parametrize("name", PORTS)
def test_no_user_can_ask(name: str) -> None:
    schemas = document(name, "addon.yaml")["parameters"]
    paths = [path for schema in schemas.values() for path, _ in leaves(schema)]

    assert paths
    assert "metrics" not in {path[0] for path in paths}


@pytest.mark.parametrize(("name", "plan"), [each for each in PLANS if each[0] in PORTS])
def test_lint_and_gate_let_it_pass(name: str, plan: str) -> None:
    values = instance_values(name, plan, ON)

    assert "0 chart(s) failed" in helm("lint", "--strict", str(ADDONS / name / "chart"), values=values)
    scope = Scope(NAMESPACE, RELEASE, PodSecurity.RESTRICTED)
    assert violations(objects(instance(name, plan, ON)), scope) == []


@pytest.mark.parametrize(("name", "port"), PORTS.items())
def test_the_port_is_open_where_the_server_is(name: str, port: int) -> None:
    manifest = instance(name, FIRST_PLAN[name], ON)
    _, exporter = pod(manifest)["containers"]
    served = {row["name"]: row["port"] for row in found(manifest, "Service")["spec"]["ports"]}
    (rule,) = found(manifest, "NetworkPolicy")["spec"]["ingress"]

    assert exporter["ports"] == [{"name": "metrics", "containerPort": port}]
    assert exporter["args"] == [str(port)]
    assert served["metrics"] == port
    assert {row["port"] for row in rule["ports"]} == set(served)
    assert found(manifest, "NetworkPolicy")["spec"]["egress"] == []


@pytest.mark.parametrize("name", PORTS)
def test_it_has_no_rights_and_its_own_password_alone(name: str) -> None:
    manifest = instance(name, FIRST_PLAN[name], ON)
    server, exporter = pod(manifest)["containers"]
    mounts = {mount["mountPath"]: mount for mount in exporter["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod(manifest)["volumes"]}

    assert exporter["securityContext"] == server["securityContext"]
    assert exporter["resources"]["limits"]["memory"] == "64Mi"
    assert exporter["resources"]["requests"]["cpu"]
    assert set(mounts) == {"/chart", "/exporter", "/tls/ca.crt", "/tmp"}
    assert mounts["/tls/ca.crt"]["subPath"] == "ca.crt"
    assert mounts["/tmp"]["name"] not in {mount["name"] for mount in server["volumeMounts"]}
    assert volumes["exporter"]["secret"]["items"] == [{"key": "exporter", "path": "password"}]


@pytest.mark.parametrize("name", PORTS)
def test_its_password_is_in_the_secret_alone(name: str) -> None:
    manifest = instance(name, FIRST_PLAN[name], ON)
    data = {key: base64.b64decode(value).decode() for key, value in found(manifest, "Secret")["data"].items()}
    others = [each for each in parsed(manifest) if each["kind"] != "Secret"]

    assert len(data["exporter"]) == 32
    assert data["exporter"] != data["password"]
    assert data["exporter"] not in str(others)
    assert "secretKeyRef" not in str(others)


@pytest.mark.parametrize("name", PORTS)
def test_its_image_is_the_operators(name: str) -> None:
    image = {"repository": "mirror/exporter", "digest": DIGEST, "pullPolicy": "Always"}
    server, exporter = pod(instance(name, FIRST_PLAN[name], {"metrics": {"enabled": True, "image": image}}))[
        "containers"
    ]

    assert (exporter["image"], exporter["imagePullPolicy"]) == (f"mirror/exporter@{DIGEST}", "Always")
    assert server["image"] != exporter["image"]
