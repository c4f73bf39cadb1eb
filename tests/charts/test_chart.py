"""What helm makes of the product's chart: both profiles, and every switch."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest
import yaml

from helmbroker.broker.author import schemas
from helmbroker.broker.gate import pod_security
from helmbroker.catalog.model import PodSecurity, Severity
from helmbroker.sealing import RingFile
from tests.addons.programs import Failed, helm
from tests.charts.product import CHART, HA, NAMESPACE, RELEASE, SERVED, Objects, environment, render
from tests.unit.observed.expressions import names

pytestmark = pytest.mark.cluster

POSTGRESQL: dict[str, Any] = {
    "database": {
        "kind": "postgresql",
        "broker": {"secretName": "db", "key": "broker"},
        "bridge": {"secretName": "db", "key": "bridge"},
    }
}
TLS: dict[str, Any] = {"tls": {"enabled": True, "secretName": "our-tls"}}
DRYCC: dict[str, Any] = {
    "bridge": {
        "platform": "drycc",
        "drycc": {"url": "https://drycc.example.com", "secretName": "c", "hookUrl": "https://b.example.com/hook/"},
    }
}
WATCH: dict[str, Any] = {"bridge": {"watch": {"enabled": True}}, "rights": {"namespaces": ["shop", "blog"]}}
EVERYTHING: dict[str, Any] = {
    "image": {"digest": "sha256:" + "ab" * 32},
    "imagePullSecrets": [{"name": "pull"}],
    "storage": {"className": "fast"},
    "logins": {"users": ["ci:" + "0" * 64], "admins": ["me:" + "1" * 64], "watchers": ["it:" + "2" * 64]},
    "addons": {
        "sources": [{"name": "team", "kind": "oci", "location": "oci://registry.example.com/addons/queue:1.0.0"}],
        "overrides": {"redis": {"settings": {"maxmemory": "1gb"}}},
        "grants": {"redis": {"pod_security": "baseline"}},
    },
    "broker": {
        "settings": {"CONCURRENCY": 4, "OIDC_ISSUER": "https://id"},
        "secrets": ["pull"],
        "configMaps": ["a"],
    },
    "bridge": {"secrets": ["more-brokers"], "watch": {"enabled": True}},
    "rights": {"mode": "all"},
    "tls": {
        "enabled": True,
        "certManager": {"enabled": True, "issuerRef": {"name": "ours"}, "dnsNames": ["b.org"]},
    },
    "ingress": {"enabled": True, "className": "n", "brokerHost": "broker.org", "bridgeHost": "bridge.org"},
    "gateway": {"enabled": True, "parentRefs": [{"name": "g"}], "brokerHost": "broker.org"},
    "networkPolicy": {
        "from": [{"namespaceSelector": {}}],
        "metricsFrom": [{"podSelector": {}}],
        "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}],
    },
    "environment": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "NO_PROXY": ".svc"},
    "metrics": {
        "monitors": {"enabled": True},
        "prometheusRule": {"enabled": True, "runbooks": "https://git.example.com/helmbroker/blob/main/"},
        "dashboard": {"enabled": True},
    },
    "serviceCatalog": {"register": True},
    "scheduling": {"antiAffinity": "hard", "nodeSelector": {"a": "b"}, "priorityClassName": "high"},
    "podAnnotations": {"a": "b"},
    "podLabels": {"c": "d"},
}
SETS = {
    "default": ({}, ()),
    "without bridge": ({"bridge": {"enabled": False}}, ()),
    "drycc": (DRYCC, ()),
    "watch": (WATCH, ()),
    "tls": (TLS, ()),
    "everything": (EVERYTHING, ()),
    "ha": ({}, (HA,)),
    "ha with everything": (EVERYTHING, (HA,)),
    "ha, drycc": (DRYCC, (HA,)),
}


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
        secrets = {
            base64.b64decode(value).decode()
            for each in objects.of("Secret")
            for key, value in each["data"].items()
            if key != "username" and value
        }
        text = json.dumps([each for each in objects if each["kind"] != "Secret"])

        assert len(secrets) > 4
        assert not [each for each in secrets if each.rpartition(":")[2] in text]
        for container in objects.containers().values():
            assert all(set(each) == {"name", "value"} for each in container["env"])
            assert "envFrom" not in container
            assert not [name for name in environment(container) if name.endswith("DATABASE_URL")]

    def test_rights_have_no_wildcard_and_no_account_twice(self, objects: Objects) -> None:
        rules = [rule for each in objects.of("Role", "ClusterRole") for rule in each.get("rules", ())]
        words = {word for rule in rules for part in rule.values() for word in part}
        subjects = {s["name"] for each in objects.of("RoleBinding", "ClusterRoleBinding") for s in each["subjects"]}
        accounts = {each["metadata"]["name"] for each in objects.of("ServiceAccount")}

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
    def test_one_pod_each_over_sqlite(self) -> None:
        objects = render()

        assert set(objects.templates()) == {f"{RELEASE}-broker", f"{RELEASE}-bridge"}
        for each in objects.of("StatefulSet"):
            assert each["spec"]["replicas"] == 1
            (claim,) = each["spec"]["volumeClaimTemplates"]
            assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"
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


class TestSwitches:
    def test_another_configuration_is_another_pod(self) -> None:
        annotation = "helmbroker.io/configuration"
        before, same = render(), render()
        after = render({"addons": {"overrides": {"redis": {"a": 1}}}})

        def seen(objects: Objects) -> str:
            found: str = objects.templates()[f"{RELEASE}-broker"]["metadata"]["annotations"][annotation]
            return found

        assert seen(before) == seen(same) != seen(after)

    def test_tls(self) -> None:
        objects = render(TLS)
        containers = objects.containers()
        bridge = environment(containers[f"{RELEASE}-bridge/worker"])

        assert bridge["HELMBROKER_BRIDGE_BROKER_URL"] == f"https://{RELEASE}-broker.{NAMESPACE}.svc"
        assert bridge["HELMBROKER_BRIDGE_BROKER_CA_FILE"] == "/etc/helmbroker/tls/ca.crt"
        assert containers[f"{RELEASE}-broker/api"]["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
        assert containers[f"{RELEASE}-broker/worker"]["readinessProbe"]["httpGet"]["scheme"] == "HTTP"
        assert objects.named("Service", f"{RELEASE}-broker")["spec"]["ports"][0]["port"] == 443
        public = render({"tls": {**TLS["tls"], "publicCA": True}}).containers()[f"{RELEASE}-bridge/worker"]
        assert "HELMBROKER_BRIDGE_BROKER_CA_FILE" not in environment(public)

    def test_cert_manager(self) -> None:
        certificate = render(EVERYTHING).named("Certificate", f"{RELEASE}-tls")["spec"]

        assert certificate["secretName"] == f"{RELEASE}-tls"
        assert {f"{RELEASE}-broker.{NAMESPACE}.svc", f"{RELEASE}-bridge.{NAMESPACE}.svc", "b.org"} <= set(
            certificate["dnsNames"]
        )

    def test_the_outside_gets_v2_alone(self) -> None:
        objects = render(EVERYTHING)
        paths = [p for each in objects.of("Ingress") for r in each["spec"]["rules"] for p in r["http"]["paths"]]
        (route,) = objects.of("HTTPRoute")

        assert [(p["path"], p["backend"]["service"]["port"]["number"]) for p in paths] == [("/v2", 443)] * 2
        assert route["spec"]["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/v2"}}]

    @pytest.mark.parametrize(
        ("rights", "namespaces"),
        [
            ({"mode": "namespace"}, {f"{NAMESPACE}-instances"}),
            ({"mode": "namespaces", "namespaces": ["shop", "blog"]}, {"shop", "blog"}),
            ({"mode": "namespaces"}, set()),
            ({"mode": "all"}, {None}),
        ],
    )
    def test_where_the_bridge_may_touch_apps(self, rights: dict[str, Any], namespaces: set[str | None]) -> None:
        objects = render({"rights": rights})
        named = (f"{RELEASE}-bridge", f"{NAMESPACE}-{RELEASE}-bridge")
        found = {
            each["metadata"].get("namespace")
            for each in objects.of("Role", "ClusterRole")
            if each["metadata"]["name"] in named
            and any("deployments" in rule["resources"] for rule in each["rules"])
        }

        assert found == namespaces
        worker = objects.named("Role", f"{RELEASE}-worker")
        assert worker["metadata"]["namespace"] == f"{NAMESPACE}-instances"

    def test_under_drycc_the_bridge_may_do_nothing_in_the_cluster(self) -> None:
        objects = render({**DRYCC, "rights": {"mode": "all"}})
        subjects = {s["name"] for each in objects.of("RoleBinding", "ClusterRoleBinding") for s in each["subjects"]}
        bridge = environment(objects.containers()[f"{RELEASE}-bridge/worker"])

        assert subjects == {f"{RELEASE}-worker"}
        assert bridge["HELMBROKER_BRIDGE_DRYCC_TOKEN_FILE"] == "/etc/helmbroker/drycc/token"
        assert bridge["HELMBROKER_BRIDGE_DRYCC_HOOK_KEY_FILE"] == "/etc/helmbroker/drycc/hook-key"

    def test_watch(self) -> None:
        watch = environment(render(WATCH).containers()[f"{RELEASE}-watch/watch"])

        assert watch["HELMBROKER_BRIDGE_WATCH_NAMESPACES"] == "shop,blog"

    def test_watch_gathers_what_others_say_of_their_services(self) -> None:
        """As docs/how-to/bound-by-others/rights.yaml does; not where apps are in some namespaces alone."""
        objects = render({**WATCH, "rights": {"mode": "all"}})
        name = f"{NAMESPACE}-{RELEASE}-watch"
        label = {"servicebinding.io/controller": "true"}
        whole, own = objects.named("ClusterRole", name), objects.named("ClusterRole", f"{name}-own")

        assert whole["aggregationRule"] == {"clusterRoleSelectors": [{"matchLabels": label}]}
        assert "rules" not in whole  # the cluster's; to apply them again would be a conflict
        assert label.items() <= own["metadata"]["labels"].items()
        assert any("deployments" in rule["resources"] for rule in own["rules"])
        assert objects.named("ClusterRoleBinding", name)["roleRef"]["name"] == name
        assert not [each for each in render(WATCH).of("ClusterRole") if "aggregationRule" in each]
        labelled = [each for each in objects if label.items() <= each["metadata"].get("labels", {}).items()]
        assert labelled == [own]

    @pytest.mark.parametrize("listen_on", ["10.0.0.7", "[::]"])
    def test_where_it_listens(self, listen_on: str) -> None:
        for name, container in render({"service": {"listenOn": listen_on}}).containers().items():
            prefix = "HELMBROKER_BRIDGE_" if "bridge" in name else "HELMBROKER_"
            told = environment(container)
            assert told[f"{prefix}LISTEN"] == f"{listen_on}:8080"
            assert told[f"{prefix}WORKER_LISTEN"] == f"{listen_on}:8090"

    def test_variables_that_are_not_our_own(self) -> None:
        given = {"OTEL_TRACES_SAMPLER_ARG": 0.1, "HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".svc,10.0.0.0/8"}
        containers = render({"environment": given, **WATCH}).containers()

        assert len(containers) == 5
        for container in containers.values():
            assert {name: str(value) for name, value in given.items()}.items() <= environment(container).items()

    def test_prometheus_finds_every_process(self) -> None:
        objects = render({"metrics": {"monitors": {"enabled": True, "labels": {"release": "p"}}}, **WATCH})
        for monitor in objects.of("ServiceMonitor"):
            selected = monitor["spec"]["selector"]["matchLabels"].items()
            (service,) = [each for each in objects.of("Service") if selected <= each["metadata"]["labels"].items()]
            (endpoint,) = monitor["spec"]["endpoints"]
            assert endpoint["port"] == service["spec"]["ports"][0]["name"]
            assert endpoint["authorization"]["credentials"] == {"name": f"{RELEASE}-metrics", "key": "token"}
            assert monitor["metadata"]["labels"]["release"] == "p"
        (pods,) = objects.of("PodMonitor")
        followed = {each["port"] for each in pods["spec"]["podMetricsEndpoints"]}
        names = {each["name"] for each in objects.containers().values()}

        assert len(objects.of("ServiceMonitor")) == 2
        assert names - {"api"} == followed
        (policy,) = objects.of("NetworkPolicy")
        assert {"ports": [{"port": 8080}, {"port": 8090}]} in policy["spec"]["ingress"]

    def test_alerts_are_of_this_namespace_and_say_where_their_pages_are(self) -> None:
        (made,) = render(EVERYTHING).of("PrometheusRule")
        rules = [rule for group in made["spec"]["groups"] for rule in group["rules"]]
        (plain,) = render({"metrics": {"prometheusRule": {"enabled": True}}}).of("PrometheusRule")

        assert len(rules) > 20
        for rule in rules:
            assert rule["labels"]["namespace"] == NAMESPACE
            assert rule["labels"]["severity"] in {"critical", "warning"}
            page = rule["annotations"]["runbook_url"]
            assert page == f"https://git.example.com/helmbroker/blob/main/docs/how-to/runbooks/{rule['alert']}.md"
            assert names(rule["expr"])
            said = re.findall(rf'helmbroker_[a-z_]+\{{namespace="{NAMESPACE}"[,}}]', rule["expr"])
            assert len(said) == len(names(rule["expr"])), rule["expr"]
            assert "helmbroker_" not in rule["annotations"]["description"]
        page = plain["spec"]["groups"][0]["rules"][0]["annotations"]["runbook_url"]
        assert page.startswith("docs/how-to/runbooks/")

    def test_the_bridge_knows_the_token_of_metrics(self) -> None:
        containers = render().containers()
        (mount,) = [
            each for each in containers[f"{RELEASE}-bridge/api"]["volumeMounts"] if each["name"] == "metrics"
        ]

        told = environment(containers[f"{RELEASE}-bridge/api"])["HELMBROKER_BRIDGE_METRICS_TOKEN_FILE"]
        assert told == f"{mount['mountPath']}/token"
        assert "metrics" not in {each["name"] for each in containers[f"{RELEASE}-bridge/worker"]["volumeMounts"]}

    @pytest.mark.parametrize(("kind", "file"), [("PrometheusRule", "alerts.yaml"), ("ConfigMap", "dashboard.json")])
    def test_alerts_and_dashboard_are_there_when_the_chart_has_them(self, kind: str, file: str) -> None:
        made = {each["metadata"]["name"] for each in render(EVERYTHING).of(kind)} - {f"{RELEASE}-broker"}

        assert bool(made) == (CHART / "files" / file).exists()

    @pytest.mark.parametrize(("bridge", "missing"), [(True, set()), (False, {"helmbroker-bridge"})])
    def test_alerts_are_those_of_the_file_and_without_a_bridge_none_of_it(
        self, bridge: bool, missing: set[str]
    ) -> None:
        """Else it would be told for ever that the bridge is down."""
        asked = {"metrics": {"prometheusRule": {"enabled": True}}, "bridge": {"enabled": bridge}}
        (rule,) = render(asked).of("PrometheusRule")
        whole = yaml.safe_load((CHART / "files/alerts.yaml").read_text())["groups"]
        found, wanted = (
            [(each["name"], [alert["alert"] for alert in each["rules"]]) for each in groups]
            for groups in (rule["spec"]["groups"], whole)
        )

        assert found == [each for each in wanted if each[0] not in missing]

    def test_service_catalog(self) -> None:
        (broker,) = render({"serviceCatalog": {"register": True}}).of("ClusterServiceBroker")

        assert broker["spec"]["url"] == f"http://{RELEASE}-broker.{NAMESPACE}.svc"
        assert broker["spec"]["authInfo"]["basic"]["secretRef"]["name"] == f"{RELEASE}-platform"

    def test_addons_and_settings(self) -> None:
        objects = render(EVERYTHING)
        worker = objects.containers()[f"{RELEASE}-broker/worker"]
        mounts = {mount["mountPath"] for mount in worker["volumeMounts"]}
        configuration = objects.named("ConfigMap", f"{RELEASE}-broker")["data"]

        assert {"/etc/helmbroker/secrets/pull", "/etc/helmbroker/files/a"} <= mounts
        assert "oci://registry.example.com/addons/queue:1.0.0" in configuration["sources.yaml"]
        assert environment(worker)["HELMBROKER_CONCURRENCY"] == "4"
        assert environment(worker)["HELMBROKER_ADDONS_DIR"] == "/usr/share/helmbroker/addons"
        none = environment(render({"addons": {"bundled": False}}).containers()[f"{RELEASE}-broker/worker"])
        assert "HELMBROKER_ADDONS_DIR" not in none

    def test_the_network_policy(self) -> None:
        (open_,) = render().of("NetworkPolicy")
        (closed,) = render({"networkPolicy": {"from": [{"namespaceSelector": {}}]}}).of("NetworkPolicy")

        assert open_["spec"]["policyTypes"] == ["Ingress"]
        assert open_["spec"]["ingress"] == [{"ports": [{"port": 8080}]}]
        assert len(closed["spec"]["ingress"][0]["from"]) == 2
        (scraped,) = render(EVERYTHING).of("NetworkPolicy")
        assert scraped["spec"]["ingress"][1] == {
            "ports": [{"port": 8080}, {"port": 8090}],
            "from": [{"podSelector": {}}],
        }
        assert not render({"networkPolicy": {"enabled": False}}).of("NetworkPolicy")

    def test_a_namespace_of_the_clusters_own(self) -> None:
        objects = render({"instances": {"namespace": "data", "createNamespace": False}})

        assert not objects.of("Namespace")
        assert objects.named("Role", f"{RELEASE}-worker")["metadata"]["namespace"] == "data"
        worker = environment(objects.containers()[f"{RELEASE}-broker/worker"])
        assert worker["HELMBROKER_INSTANCE_NAMESPACE"] == "data"
