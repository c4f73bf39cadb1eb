"""ServiceBindings of servicebinding.io on a cluster: what becomes of them, and what is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from helmbroker.controller_bridge.watch.service_bindings import FINALIZER, KIND, ServiceBindings
from helmbroker.kubeapi.errors import Conflict, Forbidden, KubeError, Unreachable
from helmbroker.kubeapi.port import Obj
from tests.fakes.kube import FakeKube
from tests.unit.watch.objects import DATABASE, SHOP, binding, cluster, conditions, deployment, found, pod, secret


@pytest.fixture
def kube() -> FakeKube:
    kube = cluster()
    kube.create(secret(type="postgresql", host="db.shop", password="canary-pw"))
    kube.create(deployment())
    return kube


def reconcile(kube: FakeKube, name: str = "orders") -> float | None:
    return ServiceBindings(kube, now=lambda: datetime(2026, 1, 2, tzinfo=UTC)).reconcile(SHOP, name)


def volumes(kube: FakeKube, name: str = "web") -> list[str]:
    return [each["name"] for each in pod(found(kube, "Deployment", name)).get("volumes", [])]


def ready(kube: FakeKube, name: str = "orders") -> tuple[str, str, str]:
    return conditions(found(kube, KIND, name))["Ready"]


def database(**status: Any) -> Obj:
    metadata = {"name": "main", "namespace": SHOP}
    return {"apiVersion": "example.com/v1", "kind": "Database", "metadata": metadata, "spec": {"size": 1}}


BY_SERVICE = {"service": {"apiVersion": "example.com/v1", "kind": "Database", "name": "main"}}


def by_selector(**labels: str) -> Obj:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "selector": {"matchLabels": labels}}


def test_a_secret_is_projected_and_told(kube: FakeKube) -> None:
    uid = kube.create(binding())["metadata"]["uid"]
    assert reconcile(kube) is None
    assert volumes(kube) == [f"servicebinding-{uid}"]
    told = found(kube, KIND, "orders")
    assert told["status"]["binding"] == {"name": "db"}
    assert told["status"]["observedGeneration"] == told["metadata"]["generation"] == 1
    assert conditions(told) == {
        "ServiceAvailable": ("True", "ResolvedBindingSecret", ""),
        "Ready": ("True", "Projected", ""),
    }
    assert told["status"]["conditions"][0]["lastTransitionTime"] == "2026-01-02T00:00:00Z"
    assert told["metadata"]["finalizers"] == [FINALIZER]


def test_again_writes_nothing(kube: FakeKube) -> None:
    kube.create(binding(type="mysql", env=[{"name": "DB_HOST", "key": "host"}]))
    reconcile(kube)
    kube.calls.clear()
    reconcile(kube)
    assert {verb for verb, *_ in kube.calls} <= {"get", "list", "discovery"}


def test_a_provisioned_service_tells_its_secret(kube: FakeKube) -> None:
    kube.create(binding(**BY_SERVICE))
    assert reconcile(kube) == 30
    assert ready(kube) == ("False", "ServiceNotFound", "there is no Database shop/main")
    kube.create(database())
    reconcile(kube)
    assert conditions(found(kube, KIND, "orders"))["ServiceAvailable"][:2] == ("False", "ServiceMissingBinding")
    kube.set_status(DATABASE, SHOP, "main", {"binding": {"name": "db"}})
    assert reconcile(kube) is None
    assert ready(kube)[0] == "True"
    kube.create(secret("db-2", type="postgresql"))
    kube.set_status(DATABASE, SHOP, "main", {"binding": {"name": "db-2"}})
    reconcile(kube)
    sources = pod(found(kube, "Deployment", "web"))["volumes"][0]["projected"]["sources"]
    assert sources == [{"secret": {"name": "db-2"}}]


def test_a_service_that_goes_away_takes_nothing_out(kube: FakeKube) -> None:
    kube.create(binding())
    reconcile(kube)
    before = found(kube, "Deployment", "web")
    kube.delete("Secret", SHOP, "db")
    assert reconcile(kube) == 30
    assert found(kube, "Deployment", "web") == before
    told = found(kube, KIND, "orders")
    assert told["status"]["binding"] == {"name": "db"}
    assert conditions(told)["ServiceAvailable"][0] == conditions(told)["Ready"][0] == "False"


@pytest.mark.parametrize(
    ("spec", "reason", "sentence"),
    [
        ({"name": "Orders"}, "InvalidSpec", "spec.name 'Orders'"),
        ({"service": {"apiVersion": "v1", "kind": "Secret"}}, "InvalidSpec", "spec.service has to have a name"),
        ({"service": {"kind": "Secret", "name": "db"}}, "InvalidSpec", "the apiVersion and kind"),
        ({"service": {"apiVersion": "../v1", "kind": "X", "name": "db"}}, "InvalidSpec", "the apiVersion and kind"),
        ({"workload": {"apiVersion": "apps/v1", "kind": "Deployment"}}, "InvalidSpec", "a name or a selector"),
        ({"workload": {**by_selector(a="b"), "name": "web"}}, "InvalidSpec", "a name or a selector"),
        (
            {
                "workload": {
                    **by_selector(),
                    "selector": {"matchExpressions": [{"key": "a", "operator": "Like", "values": ["b"]}]},
                }
            },
            "InvalidSpec",
            "spec.workload: a selector has no operator 'Like'",
        ),
        (
            {"service": {"apiVersion": "other.io/v1", "kind": "Queue", "name": "q"}},
            "ServiceNotFound",
            "serves no kind Queue.v1.other.io",
        ),
        (
            {"workload": {"apiVersion": "other.io/v1", "kind": "App", "name": "web"}},
            "WorkloadNotFound",
            "serves no kind App.v1.other.io",
        ),
        (
            {"workload": {"apiVersion": "v1", "kind": "Node", "name": "web"}},
            "WorkloadNotFound",
            "serves no kind Node in namespaces",
        ),
        (
            {"workload": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}},
            "WorkloadNotFound",
            "namespace shop has no Deployment called api",
        ),
        ({"workload": by_selector(app="api")}, "WorkloadNotFound", "no Deployment that its selector matches"),
        (
            {"env": [{"name": "DB_PORT", "key": "port"}]},
            "InvalidSecret",
            "Secret shop/db has no entry port, which spec.env wants as DB_PORT",
        ),
        (
            {"env": [{"name": "MODE", "key": "host"}]},
            "WorkloadNotProjected",
            "Deployment shop/web: a container sets MODE itself",
        ),
    ],
)
def test_what_cannot_be_is_told_and_touches_nothing(kube: FakeKube, spec: Obj, reason: str, sentence: str) -> None:
    before = found(kube, "Deployment", "web")
    kube.create(binding(**spec))
    assert reconcile(kube) == 30
    state, why, message = ready(kube)
    assert (state, why) == ("False", reason)
    assert sentence in message
    assert found(kube, "Deployment", "web") == before


def test_a_type_has_to_be_in_the_secret_or_in_the_binding(kube: FakeKube) -> None:
    kube.create(secret("plain", host="x"))
    service = {"apiVersion": "v1", "kind": "Secret", "name": "plain"}
    kube.create(binding(service=service))
    reconcile(kube)
    assert ready(kube) == (
        "False",
        "InvalidSecret",
        "Secret shop/plain has no entry type: add it, or set spec.type",
    )
    kube.create(binding("typed", service=service, type="mysql"))
    reconcile(kube, "typed")
    assert ready(kube, "typed")[0] == "True"


def test_a_selector_takes_all_that_match_and_lets_go_of_what_does_not_any_more(kube: FakeKube) -> None:
    expressions = [
        {"key": "tier", "operator": "In", "values": ["front", "back"]},
        {"key": "tier", "operator": "NotIn", "values": ["back"]},
        {"key": "tier", "operator": "Exists"},
        {"key": "off", "operator": "DoesNotExist"},
    ]
    workload = {"apiVersion": "apps/v1", "kind": "Deployment", "selector": {"matchExpressions": expressions}}
    kube.create(deployment("api"))
    for name in ("web", "api"):
        kube.patch("Deployment", SHOP, name, {"metadata": {"labels": {"tier": "front"}}})
    kube.create(deployment("other"))
    kube.create(binding(workload=workload))
    reconcile(kube)
    assert [len(volumes(kube, name)) for name in ("web", "api", "other")] == [1, 1, 0]
    kube.patch("Deployment", SHOP, "api", {"metadata": {"labels": {"tier": "back"}}})
    reconcile(kube)
    assert [len(volumes(kube, name)) for name in ("web", "api", "other")] == [1, 0, 0]
    kube.patch("Deployment", SHOP, "web", {"metadata": {"labels": {"off": "1"}}})
    reconcile(kube)
    assert volumes(kube) == []
    assert ready(kube)[1] == "WorkloadNotFound"


def test_what_does_not_go_into_one_goes_into_the_others(kube: FakeKube) -> None:
    for name in ("a", "z"):
        kube.create(deployment(name, containers=[{"name": "web"}]))
    for name in ("a", "web", "z"):
        kube.patch("Deployment", SHOP, name, {"metadata": {"labels": {"tier": "front"}}})
    kube.create(binding(workload=by_selector(tier="front"), env=[{"name": "MODE", "key": "host"}]))
    reconcile(kube)
    assert [len(volumes(kube, name)) for name in ("a", "web", "z")] == [1, 0, 1]
    assert "Deployment shop/web: a container sets MODE itself" in ready(kube)[2]


def test_another_kind_of_workload_frees_the_former(kube: FakeKube) -> None:
    kube.create(binding())
    reconcile(kube)
    stateful = {**deployment("store"), "kind": "StatefulSet"}
    kube.create(stateful)
    workload = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "store"}
    kube.patch(KIND, SHOP, "orders", {"spec": {"workload": workload}})
    assert reconcile(kube) is None
    assert volumes(kube) == []
    assert len(pod(found(kube, "StatefulSet", "store"))["volumes"]) == 1


def test_a_mapping_says_where_and_a_new_one_moves_what_is_there(kube: FakeKube) -> None:
    job = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "night", "namespace": SHOP}}
    run = {"template": {"spec": {"containers": [{"name": "run"}]}}}
    kube.create({**job, "spec": {"schedule": "@daily", "jobTemplate": {"spec": run}}})
    kube.create(binding(workload={"apiVersion": "batch/v1", "kind": "CronJob", "name": "night"}))
    reconcile(kube)
    assert "it has no container where its mapping says" in ready(kube)[2]
    template = {
        "version": "*",
        "annotations": ".spec.jobTemplate.spec.template.metadata.annotations",
        "containers": [{"path": ".spec.jobTemplate.spec.template.spec.containers[*]", "name": ".name"}],
        "volumes": ".spec.jobTemplate.spec.template.spec.volumes",
    }
    mapping = {"apiVersion": "servicebinding.io/v1", "kind": "ClusterWorkloadResourceMapping"}
    kube.create({**mapping, "metadata": {"name": "cronjobs.batch"}, "spec": {"versions": [template]}})
    assert reconcile(kube) is None
    spec = found(kube, "CronJob", "night")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert len(spec["volumes"]) == len(spec["containers"][0]["volumeMounts"]) == 1
    assert ready(kube)[0] == "True"


def test_deleted_it_is_taken_back_before_it_goes(kube: FakeKube) -> None:
    kube.create(binding(env=[{"name": "DB_HOST", "key": "host"}]))
    reconcile(kube)
    kube.delete(KIND, SHOP, "orders")
    assert reconcile(kube) is None
    assert kube.get(KIND, SHOP, "orders") is None
    assert reconcile(kube) is None
    after = found(kube, "Deployment", "web")
    assert volumes(kube) == []
    assert [each["name"] for each in pod(after)["containers"][0]["env"]] == ["MODE", "SERVICE_BINDING_ROOT"]
    assert "annotations" not in after["metadata"]


def test_it_stays_until_it_could_be_taken_back(kube: FakeKube) -> None:
    kube.create(binding())
    reconcile(kube)
    kube.delete(KIND, SHOP, "orders")

    def refuse(verb: str, kind: str, *_: object) -> None:
        if (verb, kind) == ("patch", "Deployment"):
            raise Forbidden("patch Deployment shop/web", "not allowed", status=403)

    kube.before = refuse
    assert reconcile(kube) == 30
    assert "not allowed" in ready(kube)[2]
    kube.before = None
    assert reconcile(kube) is None
    assert kube.get(KIND, SHOP, "orders") is None


@pytest.mark.parametrize("error", [Conflict("x", "changed", status=409), Unreachable("x", "no answer")])
def test_what_may_go_at_the_next_try_is_raised_not_told(kube: FakeKube, error: KubeError) -> None:
    kube.create(binding())

    def fail(verb: str, kind: str, *_: object) -> None:
        if (verb, kind) == ("patch", "Deployment"):
            raise error

    kube.before = fail
    with pytest.raises(type(error)):
        reconcile(kube)
    assert "status" not in found(kube, KIND, "orders")
    kube.before = None
    assert reconcile(kube) is None


def test_interrupted_anywhere_it_is_whole_after_the_next_look(kube: FakeKube) -> None:
    created = kube.create(binding(type="mysql", env=[{"name": "DB_HOST", "key": "host"}]))
    world, writes = kube.fork(), 0
    while True:
        trial, left = world.fork(), [writes]

        def interrupt(verb: str, *_: object, left: list[int] = left) -> None:
            if verb.startswith("patch"):
                if not left[0]:
                    raise Unreachable("x", "killed")
                left[0] -= 1

        trial.before = interrupt
        try:
            reconcile(trial)
        except Unreachable:
            trial.before = None
            reconcile(trial)
        else:
            break
        assert volumes(trial) == [f"servicebinding-{created['metadata']['uid']}"]
        assert ready(trial)[0] == "True"
        writes += 1
    assert writes == 3  # finalizer, workload, status


def test_no_secret_is_told(kube: FakeKube) -> None:
    kube.create(binding(env=[{"name": "MODE", "key": "password"}]))
    reconcile(kube)
    told = str(found(kube, KIND, "orders")) + str(found(kube, "Deployment", "web"))
    assert "canary-pw" not in told


def test_what_decides_about_a_binding(kube: FakeKube) -> None:
    looks = ServiceBindings(kube)
    mappings = "ClusterWorkloadResourceMapping.v1.servicebinding.io"
    assert looks.depends_on(binding()) == {mappings, "Deployment"}
    assert looks.depends_on(binding(**BY_SERVICE)) == {mappings, DATABASE, "Deployment"}
    assert looks.depends_on(binding(service=None)) == frozenset()
