"""What helm makes of the addons' charts, without a cluster."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from helmbroker.broker.gate import Scope, objects, violations
from helmbroker.catalog.model import PodSecurity
from tests.addons.programs import Failed, helm
from tests.addons.rendering import (
    BINDING,
    BINDING_ID,
    GOLDEN,
    NAMESPACE,
    RELEASE,
    binding,
    goldens,
    instance,
    parsed,
    render,
)
from tests.addons.tree import ADDONS, FIRST_PLAN, NAMES, PLANS, ROTATING, binding_values, instance_values

pytestmark = pytest.mark.cluster

# what a server is told that serves connections without TLS, too, and the port that it has for them alone
PLAIN = {
    "mariadb": ("--require_secure_transport=OFF", None),
    "memcached": ("--listen=notls:0.0.0.0:11211,0.0.0.0:11212", "memcached"),
    "postgresql": ("--hba_file=/chart/pg_hba.conf", None),
    "rabbitmq": ("listeners.tcp.default = 5672", "amqp"),
    "redis": ("6379", "redis"),
}
DIGEST = "sha256:" + "0123456789abcdef" * 4


def test_manifests_are_the_golden_ones() -> None:
    """A change here is a change for every instance: `python -m tests.addons.rendering` takes it over."""
    made = dict(goldens())

    assert sorted(made) == sorted(path.name for path in GOLDEN.iterdir())
    for name, content in made.items():
        assert content == (GOLDEN / name).read_text(), name


@pytest.mark.parametrize(("name", "plan"), PLANS)
def test_lint(name: str, plan: str) -> None:
    values = instance_values(name, plan)
    for chart, given in (("chart", values), ("binding", binding_values(RELEASE, NAMESPACE, values, BINDING_ID))):
        assert "0 chart(s) failed" in helm("lint", "--strict", str(ADDONS / name / chart), values=given)


@pytest.mark.parametrize(("name", "plan"), PLANS)
def test_the_gate_lets_them_pass(name: str, plan: str) -> None:
    scope = Scope(NAMESPACE, RELEASE, PodSecurity.RESTRICTED)
    assert violations(objects(instance(name, plan)), scope) == []
    assert violations(objects(binding(name)), scope) == []


@pytest.mark.parametrize("name", NAMES)
def test_pods_have_no_rights(name: str) -> None:
    pods = [*_pods(instance(name, FIRST_PLAN[name])), *_pods(binding(name))]

    assert len(pods) == (4 if name in ROTATING else 3)
    for pod in pods:
        security = pod["securityContext"]
        assert pod["automountServiceAccountToken"] is False
        assert "serviceAccountName" not in pod
        assert security["runAsNonRoot"] is True
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {"runAsUser", "runAsGroup", "fsGroup"} <= set(security)
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"]["cpu"]


@pytest.mark.parametrize("name", NAMES)
def test_passwords_are_only_in_secrets(name: str) -> None:
    for manifest in (instance(name, FIRST_PLAN[name]), binding(name)):
        objects = parsed(manifest)
        (secret,) = (found for found in objects if "password" in found.get("data", {}))
        password = base64.b64decode(secret["data"]["password"]).decode()
        others = [found for found in objects if found["kind"] != "Secret"]

        assert len(password) == 32
        assert password.isalnum()
        assert password not in str(others)
        assert "secretKeyRef" not in str(others), "passwords are mounted, not put into environments"


@pytest.mark.parametrize("name", NAMES)
def test_names_and_labels_are_those_of_the_release(name: str) -> None:
    for manifest, release in ((instance(name, FIRST_PLAN[name]), RELEASE), (binding(name), BINDING)):
        for found in parsed(manifest):
            metadata = found["metadata"]
            assert metadata["name"] == release or metadata["name"].startswith(f"{release}-")
            assert metadata["labels"]["app.kubernetes.io/instance"] == release
            template = found["spec"]["template"] if "template" in found.get("spec", {}) else found
            assert template["metadata"]["labels"]["app.kubernetes.io/instance"] == release


@pytest.mark.parametrize("name", NAMES)
def test_the_volume_is_the_charts_own_so_that_it_can_grow(name: str) -> None:
    objects = parsed(instance(name, FIRST_PLAN[name]))
    (server,) = (found for found in objects if found["kind"] == "StatefulSet")
    (claim,) = (found for found in objects if found["kind"] == "PersistentVolumeClaim")

    assert "volumeClaimTemplates" not in server["spec"]
    volumes = {volume["name"]: volume for volume in server["spec"]["template"]["spec"]["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["metadata"]["labels"] == {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": RELEASE}
    assert server["spec"]["selector"]["matchLabels"] == claim["metadata"]["labels"]


@pytest.mark.parametrize("name", NAMES)
def test_the_certificate_is_of_a_ca_of_the_instances_own(name: str) -> None:
    secrets = [found for found in parsed(instance(name, FIRST_PLAN[name])) if found["kind"] == "Secret"]
    (found,) = (secret for secret in secrets if secret["metadata"]["name"] == f"{RELEASE}-tls")
    data = {key: base64.b64decode(value) for key, value in found["data"].items()}
    ca, server = (x509.load_pem_x509_certificate(data[key]) for key in ("ca.crt", "tls.crt"))

    server.verify_directly_issued_by(ca)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert f"{RELEASE}.{NAMESPACE}.svc" in names.get_values_for_type(x509.DNSName)
    years = [(each.not_valid_after_utc - each.not_valid_before_utc).days / 365 for each in (ca, server)]
    assert years == pytest.approx([20, 10], abs=0.01)
    key = serialization.load_pem_private_key(data["tls.key"], None)
    assert key.public_key() == server.public_key()


@pytest.mark.parametrize("name", NAMES)
def test_pods_have_no_key_of_the_ca(name: str) -> None:
    for pod in (*_pods(instance(name, FIRST_PLAN[name])), *_pods(binding(name))):
        (volume,) = (each for each in pod["volumes"] if each["name"] == "tls")
        keys = {item["key"] for item in volume["secret"]["items"]}
        assert keys <= {"ca.crt", "tls.crt", "tls.key"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("required", [True, False])
def test_a_plain_port_is_open_only_where_it_may_be(name: str, required: bool) -> None:
    manifest = instance(name, FIRST_PLAN[name], {"tls": {"required": required}})
    (service,) = (found for found in parsed(manifest) if found["kind"] == "Service")
    (policy,) = (found for found in parsed(manifest) if found["kind"] == "NetworkPolicy")
    ports = {row["name"] for row in service["spec"]["ports"]}
    pod, *_ = _pods(manifest)
    argument, plain = PLAIN[name]

    assert {row["port"] for row in policy["spec"]["ingress"][0]["ports"]} == ports
    assert (argument in pod["containers"][0]["args"]) is not required
    assert plain is None or (plain in ports) is not required


@pytest.mark.parametrize("name", NAMES)
def test_jobs_of_a_binding_are_hooks_that_end(name: str) -> None:
    jobs = {found["metadata"]["name"]: found for found in parsed(binding(name)) if found["kind"] == "Job"}
    hooks = {job: found["metadata"]["annotations"]["helm.sh/hook"] for job, found in jobs.items()}

    assert hooks == {f"{BINDING}-make": "post-install,post-upgrade", f"{BINDING}-drop": "pre-delete"}
    for job in jobs.values():
        annotations = job["metadata"]["annotations"]
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
        assert 0 < job["spec"]["backoffLimit"] <= 3
        assert job["spec"]["activeDeadlineSeconds"] <= 180
        assert job["spec"]["ttlSecondsAfterFinished"] <= 900
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize("name", NAMES)
def test_jobs_run_the_image_of_the_instance_as_its_user(name: str) -> None:
    other = {
        "image": {"repository": "mirror/database", "digest": DIGEST},
        "podSecurityContext": {"runAsUser": 70, "runAsGroup": 71, "fsGroup": 72},
        "imagePullSecrets": [{"name": "mirror"}],
        "nodeSelector": {"pool": "data"},
        "tolerations": [{"key": "data", "operator": "Exists"}],
    }
    for pod in (*_pods(instance(name, FIRST_PLAN[name], other)), *_pods(binding(name, None, other))):
        assert [container["image"] for container in pod["containers"]] == [f"mirror/database@{DIGEST}"]
        assert {pod["securityContext"][key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {70, 71, 72}
        assert pod["imagePullSecrets"] == [{"name": "mirror"}]
        assert pod["nodeSelector"] == {"pool": "data"}
        assert pod["tolerations"] == other["tolerations"]


@pytest.mark.parametrize("name", NAMES)
def test_a_cluster_may_choose_the_user(name: str) -> None:
    ids = {"podSecurityContext": dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"))}
    rendered = render(name, "chart", RELEASE, {**instance_values(name, FIRST_PLAN[name]), **ids})
    bound = binding(name, None, ids)

    for pod in (*_pods(rendered), *_pods(bound)):
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(pod["securityContext"])
        assert pod["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize(
    ("name", "setting", "limit"),
    [
        ("mariadb", "max_connections", "maxConnections"),
        ("memcached", "max_connections", "maxConnections"),
        ("postgresql", "max_connections", "maxConnections"),
        ("rabbitmq", "max_connections", "maxConnections"),
        ("redis", "maxclients", "maxClients"),
    ],
)
def test_more_than_the_plan_allows_is_refused_with_a_cure(name: str, setting: str, limit: str) -> None:
    with pytest.raises(Failed, match=r"storage\.size is 500Gi, this plan allows at most \d+Gi: ask for less or"):
        instance(name, "small", {"storage": {"size": "500Gi"}})
    with pytest.raises(
        Failed, match=rf"settings\.{setting} is 1000, this plan allows at most 999: ask for less or"
    ):
        instance(name, "small", {"settings": {setting: 1000}, "planLimits": {limit: 999}})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "values",
    [
        {"extraDeploy": []},
        {"image": {"tag": "1; id"}},
        {"image": {"repository": "x\nprivileged: true"}},
        {"storage": {"size": "1Gi\n"}},
        {"settings": {"unknown": "1"}},
        {"settings": {"shared_preload_libraries": "x"}},
        {"podSecurityContext": {"runAsUser": 0}},
        {"podSecurityContext": {"privileged": True}},
    ],
    ids=str,
)
def test_values_that_are_none_are_refused(name: str, values: dict[str, Any]) -> None:
    with pytest.raises(Failed, match="don't meet the specifications of the schema"):
        instance(name, FIRST_PLAN[name], values)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("id_", ["", "ABCDEFABCDEFABCD", "0123456789abcde", 'a";drop--'])
def test_a_binding_id_that_is_none_is_refused(name: str, id_: str) -> None:
    values = binding_values(RELEASE, NAMESPACE, instance_values(name, FIRST_PLAN[name]), id_)
    with pytest.raises(Failed, match="don't meet the specifications of the schema"):
        render(name, "binding", BINDING, values)


@pytest.mark.parametrize("name", NAMES)
def test_the_network_policy_is_the_operators(name: str) -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"team": "shop"}}}]
    (policy,) = (
        found
        for found in parsed(instance(name, FIRST_PLAN[name], {"networkPolicy": {"from": peers}}))
        if found["kind"] == "NetworkPolicy"
    )
    without = parsed(instance(name, FIRST_PLAN[name], {"networkPolicy": {"enabled": False}}))

    assert policy["spec"]["ingress"][0]["from"] == peers
    assert policy["spec"]["egress"] == []
    assert "NetworkPolicy" not in {found["kind"] for found in without}


@pytest.mark.parametrize("name", NAMES)
def test_a_closed_instance_is_opened_by_each_binding_to_its_app(name: str) -> None:
    closed = {"networkPolicy": {"bound": True}}
    (own,) = _policies(instance(name, FIRST_PLAN[name], closed))
    jobs = ["binding", "admin"] if name in ROTATING else ["binding"]
    assert own["spec"]["ingress"][0]["from"] == [
        {"podSelector": {"matchLabels": {"app.kubernetes.io/name": f"{name}-{job}"}}} for job in jobs
    ]

    values = instance_values(name, FIRST_PLAN[name], closed)
    bound = binding_values(RELEASE, NAMESPACE, values, BINDING_ID, client="shop")
    (opened,) = _policies(render(name, "binding", BINDING, bound))
    assert opened["spec"]["podSelector"] == own["spec"]["podSelector"]
    assert opened["spec"]["policyTypes"] == ["Ingress"]
    (rule,) = opened["spec"]["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}]
    (service,) = (one for one in parsed(instance(name, FIRST_PLAN[name], closed)) if one["kind"] == "Service")
    assert {each["port"] for each in rule["ports"]} <= {each["port"] for each in service["spec"]["ports"]}
    scope = Scope(NAMESPACE, RELEASE, PodSecurity.RESTRICTED)
    assert violations([opened], scope) == []


@pytest.mark.parametrize("name", NAMES)
def test_without_an_app_or_a_policy_a_binding_opens_nothing(name: str) -> None:
    assert _policies(binding(name)) == []
    values = instance_values(name, FIRST_PLAN[name], {"networkPolicy": {"enabled": False}})
    bound = binding_values(RELEASE, NAMESPACE, values, BINDING_ID, client="shop")
    assert _policies(render(name, "binding", BINDING, bound)) == []


def _policies(manifest: str) -> list[dict[str, Any]]:
    return [found for found in parsed(manifest) if found["kind"] == "NetworkPolicy"]


def _pods(manifest: str) -> list[dict[str, Any]]:
    return [found["spec"]["template"]["spec"] for found in parsed(manifest) if "template" in found.get("spec", {})]
