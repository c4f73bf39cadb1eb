"""What each switch of the product's chart changes in what helm makes of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from tests.addons.programs import helm
from tests.charts.product import CHART, NAMESPACE, RELEASE, Object, Objects, environment, render
from tests.charts.value_sets import DRYCC, EVERYTHING, TLS, WATCH
from tests.unit.observed.expressions import names

pytestmark = pytest.mark.cluster


class TestSwitches:
    @pytest.mark.bug(85)
    def test_another_configuration_is_another_pod_and_the_same_is_the_same(self) -> None:
        """But for the secrets, which helm has no cluster to look for here."""
        secrets = {"secrets": {"create": False}}
        before, same = render(secrets).templates(), render(secrets).templates()
        after = render({**secrets, "addons": {"overrides": {"redis": {"a": 1}}}}).templates()
        annotation = "helmbroker.io/configuration"

        def seen(templates: dict[str, Object]) -> str:
            found: str = templates[f"{RELEASE}-broker"]["metadata"]["annotations"][annotation]
            return found

        assert before == same
        assert seen(before) != seen(after)

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

    @pytest.mark.bug(56)
    def test_service_catalog(self) -> None:
        (broker,) = render({"serviceCatalog": {"register": True}}).of("ClusterServiceBroker")

        assert broker["spec"]["url"] == f"http://{RELEASE}-broker.{NAMESPACE}.svc"
        assert broker["spec"]["authInfo"]["basic"]["secretRef"]["name"] == f"{RELEASE}-platform"

    @pytest.mark.bug(56)
    def test_what_is_printed_at_installation_has_no_secret(self) -> None:
        words = ("install", RELEASE, str(CHART), "--namespace", NAMESPACE, "--dry-run=client", "--output", "json")
        made = json.loads(helm(*words))
        manifest = Objects(each for each in yaml.safe_load_all(made["manifest"]) if each is not None)
        assert "The platform logs in as `platform`" in made["info"]["notes"]
        assert len(manifest.secrets()) > 4
        assert not [each for each in manifest.secrets() if each in made["info"]["notes"]]

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
