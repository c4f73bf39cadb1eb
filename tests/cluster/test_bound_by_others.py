"""Bindings that others make, on real pods: `helmbroker-bridge watch`, with the rights that its page lists."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from helmbroker.controller_bridge.watch.catalog_bindings import FINALIZER
from helmbroker.controller_bridge.watch.catalog_bindings import KIND as CATALOG_BINDING
from helmbroker.controller_bridge.watch.mapping import mapping_for
from helmbroker.controller_bridge.watch.projection import Projection, project
from helmbroker.controller_bridge.watch.service_bindings import KIND as BINDING
from helmbroker.controller_bridge.watch.service_bindings import MAPPINGS
from helmbroker.kubeapi.client import KubeClient
from helmbroker.kubeapi.errors import KubeError
from helmbroker.kubeapi.port import Obj
from tests.cluster.accounts import BRIDGE, account, given, printed, service_account
from tests.cluster.audit import RARE, Use, compare
from tests.cluster.reach import eventually
from tests.cluster.shop import PATIENT, environments, nightly, process, said_by_job, stateful

pytestmark = pytest.mark.cluster

PAGES = Path(__file__).parents[2] / "docs/how-to/bound-by-others"
RIGHTS = next(
    each["rules"]
    for each in yaml.safe_load_all((PAGES / "rights.yaml").read_text("utf-8"))
    if each["metadata"]["name"] == "helmbroker-watch-own"
)
OTHERS = Path(__file__).parent / "bound-by-others.yaml"
DATABASE = "Database.v1.example.com"
OF_SERVICES = {"apiGroups": ["example.com"], "resources": ["databases"], "verbs": ["get", "list", "watch"]}
"""As whoever brings a kind of services allows it."""
FINALIZER_OF_CATALOG = "kubernetes-incubator/service-catalog"
READS = """
cd "$SERVICE_BINDING_ROOT/orders" && test "$(cat host)" = db.shop && test "$(cat type)" = mysql &&
test "$DB_HOST" = db.shop && test "$DB_TYPE" = mysql
"""


def kubectl(*words: str) -> None:
    program = shutil.which("kubectl")
    if program is None:
        pytest.fail('there is no kubectl on PATH: eval "$(sandbox/sandbox env)"')
    subprocess.run([program, *words], text=True, check=True, capture_output=True)


@pytest.fixture(scope="module")  # what is taken away and made again at once may go when it is used
def kinds(kube: KubeClient) -> Iterator[None]:
    """The custom resources, as the page has them made, and those of others."""
    files = ["-f", str(PAGES / "crds.yaml"), "-f", str(OTHERS)]
    kubectl("apply", *files)

    def served() -> bool | None:
        try:
            return bool([kube.list(kind, None) for kind in (BINDING, MAPPINGS, CATALOG_BINDING, DATABASE)])
        except KubeError:
            return None

    eventually(served, within_s=60)
    yield
    kubectl("delete", "--wait=false", *files)


@contextmanager
def watching(kubeconfig: Path, namespace: str) -> Iterator[None]:
    given = {"KUBECONFIG": str(kubeconfig), "WATCH_NAMESPACES": namespace}
    env = {**os.environ, **{f"HELMBROKER_BRIDGE_{name}": value for name, value in given.items()}}
    process = subprocess.Popen([sys.executable, "-m", "helmbroker.controller_bridge", "watch"], env=env)
    try:
        yield
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def secret(namespace: str, name: str, **entries: str) -> Obj:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in entries.items()}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def reader(namespace: str) -> Obj:
    """Ready once it reads, as files and as variables, what it was bound to."""
    probe = {"exec": {"command": ["/bin/sh", "-c", READS]}, **PATIENT}
    found = process(namespace, "reader", readinessProbe=probe)
    del found["metadata"]["labels"]["helmbroker.io/process-type"]
    return found


def test_bindings_of_others_reach_pods_and_leave_them(
    kube: KubeClient, namespace: str, kinds: None, tmp_path: Path
) -> None:
    kubeconfig = account(kube, namespace, [*RIGHTS, OF_SERVICES], tmp_path)
    with cluster_wide(kube, namespace), watching(kubeconfig, namespace):
        projected_and_taken_back(kube, namespace)
        provisioned_for_a_mapped_workload(kube, namespace)
        injected_and_taken_out(kube, namespace)


# of app releases: tests/cluster/test_rights.py makes the bridge need it; and a binding that cannot be injected:
# tests/unit/watch/test_catalog_bindings.py
RARELY = RARE | {
    Use("", "pods", "delete"),
    Use("", "secrets", "delete"),
    Use("", "events", "list"),
    Use("", "events", "create"),
}


@pytest.mark.sandbox
def test_no_right_is_missed_and_none_is_unused(
    kube: KubeClient, namespace: str, kinds: None, tmp_path: Path
) -> None:
    kubeconfig = service_account(kube, namespace, "watch", tmp_path / "watch")
    roles = printed(BRIDGE, "--watch", "--namespace", namespace, "--account", f"{namespace}/watch")
    with given(kube, roles, namespace), watching(kubeconfig, namespace):
        projected_into_all_kinds(kube, namespace)
        injected_and_taken_out(kube, namespace)
    compare(namespace, "watch", roles, rare=RARELY)


def projected_into_all_kinds(kube: KubeClient, namespace: str) -> None:
    """None of them has pods; CronJobs need the mapping of the page."""
    text = PAGES.with_suffix(".md").read_text("utf-8")
    (mapping,) = (
        part.partition("```")[0]
        for part in text.split("```yaml\n")
        if "kind: ClusterWorkloadResourceMapping" in part
    )
    kube.create(yaml.safe_load(mapping))
    kube.create(secret(namespace, "mail", type="smtp"))
    made = [process(namespace, "idle", replicas=0), stateful(namespace, "store", replicas=0)]
    made += [nightly(namespace, "report"), everywhere(namespace)]
    for workload in made:
        del workload["metadata"]["labels"]["helmbroker.io/process-type"]
        kube.create(workload)
        about = {
            "apiVersion": workload["apiVersion"],
            "kind": workload["kind"],
            "name": workload["metadata"]["name"],
        }
        spec = {"service": {"apiVersion": "v1", "kind": "Secret", "name": "mail"}, "workload": about}
        metadata = {"name": about["name"], "namespace": namespace}
        kube.create(
            {"apiVersion": "servicebinding.io/v1", "kind": "ServiceBinding", "metadata": metadata, "spec": spec}
        )

    def ready() -> bool | None:
        found = [each.get("status", {}).get("conditions", ()) for each in kube.list(BINDING, namespace)]
        states = [each["status"] for conditions in found for each in conditions if each["type"] == "Ready"]
        return states == ["True"] * len(made) or None

    eventually(ready, within_s=60)
    for workload in made:
        kube.delete(BINDING, namespace, workload["metadata"]["name"])
    eventually(lambda: kube.list(BINDING, namespace) == [] or None, within_s=60)
    kube.delete(MAPPINGS, None, "cronjobs.batch")


def everywhere(namespace: str) -> Obj:
    """A DaemonSet for nodes that there are not."""
    found = process(namespace, "agent")
    spec = {key: value for key, value in found["spec"].items() if key != "replicas"}
    spec["template"]["spec"]["nodeSelector"] = {"helmbroker.io/none": "such"}
    return {**found, "kind": "DaemonSet", "spec": spec}


@contextmanager
def cluster_wide(kube: KubeClient, namespace: str) -> Iterator[None]:
    """The mappings belong to no namespace."""
    group = "rbac.authorization.k8s.io"
    metadata = {"name": f"watch-{namespace}"}
    rules = [each for each in RIGHTS if "clusterworkloadresourcemappings" in each["resources"]]
    subjects = [{"kind": "ServiceAccount", "name": "bridge", "namespace": namespace}]
    role = {"apiGroup": group, "kind": "ClusterRole", "name": metadata["name"]}
    kube.create({"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules})
    binding = {"apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": metadata}
    kube.create({**binding, "roleRef": role, "subjects": subjects})
    try:
        yield
    finally:
        kube.delete("ClusterRoleBinding", None, metadata["name"])
        kube.delete("ClusterRole", None, metadata["name"])


def projected_and_taken_back(kube: KubeClient, namespace: str) -> None:
    before = kube.create(reader(namespace))["spec"]
    kube.create(secret(namespace, "db", type="postgresql", host="db.shop"))
    spec = {
        "type": "mysql",
        "service": {"apiVersion": "v1", "kind": "Secret", "name": "db"},
        "workload": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop-reader"},
        "env": [{"name": "DB_HOST", "key": "host"}, {"name": "DB_TYPE", "key": "type"}],
    }
    created = orders(kube, namespace, spec)

    def deployment() -> Obj:
        found = kube.get("Deployment", namespace, "shop-reader")
        assert found is not None
        return found

    def read() -> bool | None:
        return True if deployment().get("status", {}).get("readyReplicas") else None

    assert await_status(kube, namespace, Ready="Projected", ServiceAvailable="ResolvedBindingSecret") == {
        "name": "db"
    }
    eventually(read, within_s=60)
    bound = deployment()
    uid = created["metadata"]["uid"]
    wanted = Projection(uid, "orders", "db", {"type": "mysql"}, {"DB_HOST": "host", "DB_TYPE": "type"})
    assert project(bound, wanted, mapping_for(None, "v1")) == bound  # what the server adds is no difference
    gone(kube, BINDING, namespace, "orders")
    after = deployment()
    (container,) = after["spec"]["template"]["spec"]["containers"]
    assert container.pop("env") == [{"name": "SERVICE_BINDING_ROOT", "value": "/bindings"}]
    assert after["spec"] == before
    assert not [key for key in after["metadata"]["annotations"] if key.startswith("helmbroker.io/")]
    kube.delete("Deployment", namespace, "shop-reader")


def orders(kube: KubeClient, namespace: str, spec: dict[str, Any]) -> Obj:
    """The ServiceBinding, as somebody makes it."""
    metadata = {"name": "orders", "namespace": namespace}
    described = {"apiVersion": "servicebinding.io/v1", "kind": "ServiceBinding", "metadata": metadata}
    return kube.create({**described, "spec": spec})


def await_status(kube: KubeClient, namespace: str, **reasons: str) -> dict[str, str] | None:
    """The Secret that it names, once its conditions have these reasons."""

    def told() -> Obj | None:
        status: dict[str, Any] = (kube.get(BINDING, namespace, "orders") or {}).get("status") or {}
        found = {each["type"]: each["reason"] for each in status.get("conditions") or ()}
        return status if found == reasons else None

    secret_name: dict[str, str] | None = eventually(told, within_s=60).get("binding")
    return secret_name


def gone(kube: KubeClient, kind: str, namespace: str, name: str) -> None:
    """Delete it, and wait until those who have to do with it let it go."""
    kube.delete(kind, namespace, name)
    eventually(lambda: True if kube.get(kind, namespace, name) is None else None, within_s=60)


def provisioned_for_a_mapped_workload(kube: KubeClient, namespace: str) -> None:
    """A service that others make, and tell of when they have; a CronJob, by the mapping of the page."""
    page = PAGES.with_suffix(".md").read_text("utf-8")
    (mapping,) = (text for text in re.findall(r"```yaml\n(.*?)```", page, re.S) if "kind: ClusterWorkload" in text)
    kube.create(yaml.safe_load(mapping))
    command = ["/bin/sh", "-c", f"({READS}) && echo read > /dev/termination-log"]
    before = kube.create(nightly(namespace, "report", command=command))["spec"]
    about = {
        "apiVersion": "example.com/v1",
        "kind": "Database",
        "metadata": {"name": "main", "namespace": namespace},
    }
    kube.create({**about, "spec": {"size": 1}})
    spec = {
        "type": "mysql",
        "service": {"apiVersion": "example.com/v1", "kind": "Database", "name": "main"},
        "workload": {"apiVersion": "batch/v1", "kind": "CronJob", "selector": {"matchLabels": {"app": "shop"}}},
        "env": [{"name": "DB_HOST", "key": "host"}, {"name": "DB_TYPE", "key": "type"}],
    }
    orders(kube, namespace, spec)
    try:
        await_status(kube, namespace, Ready="ServiceMissingBinding", ServiceAvailable="ServiceMissingBinding")
        kube.patch_status(DATABASE, namespace, "main", {"binding": {"name": "db"}})
        projected = {"Ready": "Projected", "ServiceAvailable": "ResolvedBindingSecret"}
        assert await_status(kube, namespace, **projected) == {"name": "db"}
        assert said_by_job(kube, namespace, "shop-report", "report-1") == "read"
        gone(kube, BINDING, namespace, "orders")
    finally:
        kube.delete(MAPPINGS, None, "cronjobs.batch")
    after = kube.get("CronJob", namespace, "shop-report")
    assert after is not None
    (container,) = after["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container.pop("env") == [{"name": "SERVICE_BINDING_ROOT", "value": "/bindings"}]
    assert after["spec"] == before
    kube.delete("CronJob", namespace, "shop-report")


def injected_and_taken_out(kube: KubeClient, namespace: str) -> None:
    """An object as service-catalog makes it, which holds it by a finalizer of its own until it has unbound."""
    kube.create(process(namespace, "web"))
    kube.create(secret(namespace, "cache-secret", host="cache.shop"))
    metadata = {"name": "cache", "namespace": namespace, "finalizers": [FINALIZER_OF_CATALOG]}
    described = {"apiVersion": "servicecatalog.k8s.io/v1beta1", "kind": "ServiceBinding", "metadata": metadata}
    spec = {"instanceRef": {"name": "cache"}, "secretName": "cache-secret", "externalID": str(uuid.uuid4())}
    kube.create({**described, "spec": spec})
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = {"type": "Ready", "status": "True", "reason": "InjectedBindResult", "message": "Injected bind result"}
    status = {"lastConditionState": "Ready", "unbindStatus": "Required", "reconciledGeneration": 1}
    conditions = [{**ready, "lastTransitionTime": at}]
    kube.patch_status(CATALOG_BINDING, namespace, "cache", {**status, "conditions": conditions})

    def has(wanted: dict[str, str]) -> bool | None:
        return True if environments(kube, namespace) == [wanted] else None

    eventually(lambda: has({"CACHE_HOST": "cache.shop"}), within_s=60)
    kube.delete(CATALOG_BINDING, namespace, "cache")
    kube.delete("Secret", namespace, "cache-secret")
    kube.patch(CATALOG_BINDING, namespace, "cache", {"metadata": {"finalizers": [FINALIZER]}})
    gone(kube, CATALOG_BINDING, namespace, "cache")
    assert has({})
