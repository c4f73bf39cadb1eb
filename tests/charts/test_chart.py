"""What helm makes of the product's chart: with every set of values, in both profiles, and its secrets."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from helmbroker.broker.author import schemas
from helmbroker.broker.gate import pod_security
from helmbroker.catalog.model import PodSecurity, Severity
from helmbroker.sealing import RingFile
from tests.addons.programs import Failed, helm
from tests.charts.product import CHART, HA, NAMESPACE, RELEASE, SERVED, Objects, environment, render
from tests.charts.value_sets import POSTGRESQL, SETS

pytestmark = pytest.mark.cluster


@pytest.fixture(params=SETS, scope="module")
def objects(request: pytest.FixtureRequest) -> Objects:
    values, files = SETS[request.param]
    return render(values, *files)


class TestEverySet:
    def test_kubernetes_would_take_it(self, objects: Objects) -> None:
        own = [each for each in objects if each["apiVersion"] not in (*SERVED, "servicecatalog.k8s.io/v1beta1")]
        problems = [text for severity, text in schemas.problems(own) if severity is Severity.ERROR]

        assert len(own) > 10
        assert problems == []

    @pytest.mark.bug(85)
    def test_pods_are_restricted_and_write_nowhere_else(self, objects: Objects) -> None:
        for name, template in objects.templates().items():
            found = list(pod_security.breaches(template, name, PodSecurity.RESTRICTED))
            assert found == []
            assert template["spec"]["securityContext"]["runAsUser"] == 10001
            assert template["spec"]["automountServiceAccountToken"] is False
        for name, container in objects.containers().items():
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container), name
            assert set(container["resources"]) == {"requests", "limits"}, name

    @pytest.mark.bug(85)
    def test_what_is_mounted_is_there(self, objects: Objects) -> None:
        made = {each["metadata"]["name"] for each in objects.of("Secret", "ConfigMap")}
        ours = {"db", "helmbroker-database", "c", "pull", "a", "more-brokers", "our-tls", f"{RELEASE}-tls"}
        for workload in objects.of("Deployment", "StatefulSet"):
            pod = workload["spec"]["template"]["spec"]
            claims = {each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", ())}
            volumes = {each["name"] for each in pod["volumes"]} | claims
            mounted = {mount["name"] for each in pod["containers"] for mount in each["volumeMounts"]}
            assert mounted == volumes
            assert {each["secret"]["defaultMode"] for each in pod["volumes"] if "secret" in each} <= {0o440}
            for each in pod["volumes"]:
                named = each.get("secret", {}).get("secretName") or each.get("configMap", {}).get("name")
                assert named is None or named in made | ours

    def test_no_secret_is_in_the_environment(self, objects: Objects) -> None:
        text = json.dumps([each for each in objects if each["kind"] != "Secret"])

        assert len(objects.secrets()) > 4
        assert not [each for each in objects.secrets() if each in text]
        for container in objects.containers().values():
            assert all(set(each) == {"name", "value"} for each in container["env"])
            assert "envFrom" not in container
            assert not [name for name in environment(container) if name.endswith("DATABASE_URL")]

    @pytest.mark.bug(11)
    def test_rights_have_no_wildcard_and_no_account_twice(self, objects: Objects) -> None:
        given = [each["roleRef"]["name"] for each in objects.of("RoleBinding", "ClusterRoleBinding")]
        own = {each["metadata"]["name"] for each in objects.of("Role", "ClusterRole")}
        rules = [rule for each in objects.of("Role", "ClusterRole") for rule in each.get("rules", ())]
        words = {word for rule in rules for part in rule.values() for word in part}
        subjects = {s["name"] for each in objects.of("RoleBinding", "ClusterRoleBinding") for s in each["subjects"]}
        accounts = {each["metadata"]["name"] for each in objects.of("ServiceAccount")}

        assert set(given) <= own, "a role of the cluster's, as cluster-admin is one"
        assert "*" not in words
        assert not words & {"escalate", "bind", "impersonate", "pods/exec"}
        assert subjects <= accounts
        assert subjects <= {f"{RELEASE}-worker", f"{RELEASE}-bridge", f"{RELEASE}-watch"}
        assert {t["spec"]["serviceAccountName"] for t in objects.templates().values()} <= accounts

    def test_services_find_their_pods(self, objects: Objects) -> None:
        for service in objects.of("Service"):
            selector = service["spec"]["selector"].items()
            (template,) = [t for t in objects.templates().values() if selector <= t["metadata"]["labels"].items()]
            ports = [port["name"] for each in template["spec"]["containers"] for port in each["ports"]]
            assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports)


def test_lint() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), "--values", str(HA))


class TestDefault:
    @pytest.mark.bug(85)
    def test_one_pod_each_over_sqlite(self) -> None:
        objects = render()

        assert set(objects.templates()) == {f"{RELEASE}-broker", f"{RELEASE}-bridge"}
        for each in objects.of("StatefulSet"):
            assert each["spec"]["replicas"] == 1
            (claim,) = each["spec"]["volumeClaimTemplates"]
            assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"
            assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
            names = [container["name"] for container in each["spec"]["template"]["spec"]["containers"]]
            assert names == ["api", "worker"]
        assert not objects.of("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget")

    def test_only_what_needs_the_cluster_has_a_token(self) -> None:
        mounted = {
            name
            for name, container in render().containers().items()
            if "account" in {mount["name"] for mount in container["volumeMounts"]}
        }

        assert mounted == {f"{RELEASE}-broker/worker", f"{RELEASE}-bridge/api", f"{RELEASE}-bridge/worker"}

    @pytest.mark.parametrize(
        "values",
        [
            {"broker": {"api": {"replicas": 2}}},
            {"broker": {"worker": {"replicas": 2}}},
            {"bridge": {"replicas": 2}},
            {"broker": {"api": {"autoscaling": {"enabled": True}}}},
        ],
    )
    def test_more_replicas_need_postgresql(self, values: dict[str, Any]) -> None:
        with pytest.raises(Failed, match=r"database\.kind: more than one replica needs postgresql"):
            render(values)

    @pytest.mark.parametrize(
        ("values", "told"),
        [
            ({"database": {"kind": "postgresql"}}, "database.broker.secretName"),
            ({"bridge": {"platform": "drycc"}}, "bridge.drycc.url"),
            ({"tls": {"enabled": True}}, "tls.secretName"),
            ({"bridge": {"watch": {"enabled": True}}}, r"rights\.namespaces: .* none is; list those of the apps"),
            ({"rights": {"worker": "namespaced: [[::"}}, r"rights\.worker: not YAML"),
            (
                {"secrets": {"create": False}, "logins": {"admins": ["me:" + "1" * 64]}},
                rf"logins: .* your Secret {RELEASE}-logins",
            ),
            (
                {
                    "networkPolicy": {"from": [{"podSelector": {}}]},
                    "metrics": {"monitors": {"enabled": True}},
                },
                r"networkPolicy\.metricsFrom: ",
            ),
        ],
    )
    def test_what_is_missing_is_named(self, values: dict[str, Any], told: str) -> None:
        with pytest.raises(Failed, match=told):
            render(values)

    @pytest.mark.parametrize(
        "values", [{"replicas": 2}, {"broker": {"settings": {"DATABASE_URL": "postgresql://x"}}}]
    )
    def test_what_the_schema_does_not_name_is_refused(self, values: dict[str, Any]) -> None:
        with pytest.raises(Failed, match=r"additional properties|not allowed"):
            render(values)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("LD_PRELOAD", "/tmp/x"),
            ("HELMBROKER_LISTEN", "0.0.0.0:1"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=secret"),
            ("HTTPS_PROXY", "http://me:secret@proxy"),
        ],
    )
    def test_variables_that_are_no_ones_secret(self, name: str, value: str) -> None:
        with pytest.raises(Failed, match="environment"):
            render({"environment": {name: value}})


class TestHighAvailability:
    def test_two_of_each_and_what_keeps_them(self) -> None:
        objects = render({}, HA)

        assert set(objects.templates()) == {f"{RELEASE}-{each}" for each in ("api", "worker", "bridge")}
        assert "replicas" not in objects.named("Deployment", f"{RELEASE}-api")["spec"]
        for name in ("worker", "bridge"):
            assert objects.named("Deployment", f"{RELEASE}-{name}")["spec"]["replicas"] == 2
        scaler = objects.named("HorizontalPodAutoscaler", f"{RELEASE}-api")["spec"]
        assert (scaler["minReplicas"], scaler["scaleTargetRef"]["name"]) == (2, f"{RELEASE}-api")
        assert {each["metadata"]["name"] for each in objects.of("PodDisruptionBudget")} == set(objects.templates())
        for template in objects.templates().values():
            assert "podAntiAffinity" in template["spec"]["affinity"]
            assert template["spec"]["terminationGracePeriodSeconds"] == 50

    @pytest.mark.parametrize(("how", "gone", "more"), [("soft", 0, 1), ("none", 0, 1), ("hard", 1, 0)])
    def test_an_upgrade_finds_room(self, how: str, gone: int, more: int) -> None:
        for each in render({"scheduling": {"antiAffinity": how}}, HA).of("Deployment"):
            assert each["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": gone, "maxSurge": more}
            assert ("affinity" in each["spec"]["template"]["spec"]) == (how != "none")

    def test_the_databases_are_files(self) -> None:
        containers = render({}, HA).containers()

        for name, container in containers.items():
            prefix = "HELMBROKER_BRIDGE_" if "bridge" in name else "HELMBROKER_"
            assert environment(container)[f"{prefix}DATABASE_URL_FILE"] == "/etc/helmbroker/database/url"
        assert environment(containers[f"{RELEASE}-api/api"])["HELMBROKER_DRAIN_S"] == "10"

    def test_without_a_scaler_replicas_are_told(self) -> None:
        objects = render({**POSTGRESQL, "broker": {"api": {"replicas": 3}}})

        assert objects.named("Deployment", f"{RELEASE}-api")["spec"]["replicas"] == 3


class TestSecrets:
    def test_they_are_made_by_chance_and_fit_together(self, tmp_path: Any) -> None:
        first, second = render(), render()
        made = {
            each["metadata"]["name"]: {k: base64.b64decode(v).decode() for k, v in each["data"].items()}
            for each in first.of("Secret")
        }
        platform, bridge = made[f"{RELEASE}-platform"], made[f"{RELEASE}-bridge-login"]["credentials"]
        ring = tmp_path / "keys.json"
        ring.write_text(made[f"{RELEASE}-broker-keys"]["keys.json"])

        assert len(platform["password"]) == 43
        assert made[f"{RELEASE}-logins"]["users"].splitlines() == [
            f"platform:{hashlib.sha256(platform['password'].encode()).hexdigest()}",
            f"bridge:{hashlib.sha256(bridge.removeprefix('bridge:').encode()).hexdigest()}",
        ]
        metrics, logins = made[f"{RELEASE}-metrics"]["token"].encode(), made[f"{RELEASE}-logins"]
        assert logins["admins"] == "", "whoever may scrape may not have anything done"
        assert logins["watchers"] == f"metrics:{hashlib.sha256(metrics).hexdigest()}"
        assert [key.id for key in RingFile(ring).keys] == [RingFile(ring).active.id]
        for each in first.of("Secret"):
            assert each["data"] != second.named("Secret", each["metadata"]["name"])["data"]
        assert made[f"{RELEASE}-broker-keys"] != made[f"{RELEASE}-bridge-keys"]

    def test_key_rings_are_no_part_of_the_release(self) -> None:
        """`helm rollback` brings back what is in the manifest; an old ring cannot read what was sealed since."""
        rings = {f"{RELEASE}-broker-keys", f"{RELEASE}-bridge-keys"}
        made = {each["metadata"]["name"]: each["metadata"].get("annotations") for each in render().of("Secret")}

        assert rings & {each["metadata"]["name"] for each in render(hooks=False).of("Secret")} == set()
        assert {name for name, annotations in made.items() if annotations} == rings
        for name in rings:
            assert made[name] == {
                "helm.sh/hook": "pre-install,pre-upgrade",
                "helm.sh/hook-delete-policy": "hook-failed",
            }

    def test_the_namespace_of_instances_outlives_the_chart(self) -> None:
        kept = {
            each["metadata"]["name"]
            for each in render()
            if each["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
        }

        assert kept == {f"{NAMESPACE}-instances"}

    def test_where_helm_cannot_look_they_are_left_alone(self) -> None:
        assert not render({"secrets": {"create": False}}).of("Secret")
