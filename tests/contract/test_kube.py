"""The contract of the port Kube: on the fake, and on a real cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from helmbroker.kubeapi.errors import AlreadyExists, Conflict, Invalid, KubeError, NotFound
from helmbroker.kubeapi.port import Kube, Propagation
from tests.cluster.reach import eventually, throw_away_namespace
from tests.contract.kube_server import config_map, deployment, encoded, names, secret


def test_what_was_created_can_be_read(kube: Kube, namespace: str) -> None:
    created = kube.create(config_map(namespace, a="1"))
    assert created["metadata"]["uid"]
    assert created["metadata"]["resourceVersion"]
    assert created["metadata"]["creationTimestamp"].endswith("Z")
    found = kube.get("ConfigMap", namespace, "settings")
    assert found is not None
    assert (found["kind"], found["apiVersion"], found["data"]) == ("ConfigMap", "v1", {"a": "1"})
    assert found["metadata"]["uid"] == created["metadata"]["uid"]


def test_what_is_not_there_is_none(kube: Kube, namespace: str) -> None:
    assert kube.get("ConfigMap", namespace, "absent") is None
    assert kube.get("ConfigMap", "no-such-namespace", "absent") is None
    assert kube.list("ConfigMap", "no-such-namespace") == []
    assert kube.get("Namespace", None, "no-such-namespace") is None


def test_a_name_is_taken_once(kube: Kube, namespace: str) -> None:
    kube.create(secret(namespace, password="first-value"))
    with pytest.raises(AlreadyExists) as caught:
        kube.create(secret(namespace, password="hunter2-value"))
    assert str(caught.value).startswith(f"cannot create Secret {namespace}/credentials: ")
    assert (caught.value.status, caught.value.reason) == (409, "AlreadyExists")
    found = kube.get("Secret", namespace, "credentials")
    assert found is not None
    assert found["data"] == encoded(password="first-value")


def test_nothing_is_created_where_there_is_no_namespace(kube: Kube) -> None:
    with pytest.raises(NotFound, match="no-such-namespace"):
        kube.create(config_map("no-such-namespace"))
    with pytest.raises(NotFound, match="no-such-namespace"):
        kube.apply(config_map("no-such-namespace"), field_manager="test")


def test_a_name_the_server_refuses_is_invalid(kube: Kube, namespace: str) -> None:
    with pytest.raises(Invalid, match=r"cannot create ConfigMap .*metadata\.name") as caught:
        kube.create(config_map(namespace, "Not_A_Name"))
    assert caught.value.status == 422


def test_string_data_becomes_data(kube: Kube, namespace: str) -> None:
    obj = {**secret(namespace), "stringData": {"user": "räubér"}}
    obj.pop("data")
    kube.create(obj)
    found = kube.get("Secret", namespace, "credentials")
    assert found is not None
    assert found["data"] == encoded(user="räubér")
    assert "stringData" not in found


def test_immutable_data_stays_but_metadata_may_change(kube: Kube, namespace: str) -> None:
    kube.create({**secret(namespace, password="kept"), "immutable": True})
    with pytest.raises(Invalid, match="immutable"):
        kube.patch("Secret", namespace, "credentials", {"data": encoded(password="other")})
    with pytest.raises(Invalid, match="immutable"):
        kube.replace({**secret(namespace, password="kept"), "immutable": False})
    changed = kube.patch("Secret", namespace, "credentials", {"metadata": {"annotations": {"state": "failed"}}})
    assert changed["metadata"]["annotations"] == {"state": "failed"}
    assert changed["data"] == encoded(password="kept")


def test_a_merge_patch_sets_removes_and_keeps(kube: Kube, namespace: str) -> None:
    kube.create(config_map(namespace, kept="1", changed="1", gone="1"))
    patched = kube.patch("ConfigMap", namespace, "settings", {"data": {"changed": "2", "gone": None, "new": "3"}})
    assert patched["data"] == {"kept": "1", "changed": "2", "new": "3"}
    with pytest.raises(NotFound):
        kube.patch("ConfigMap", namespace, "absent", {"data": {}})


def test_a_patch_on_an_old_version_is_a_conflict(kube: Kube, namespace: str) -> None:
    old = kube.create(config_map(namespace, a="1"))["metadata"]["resourceVersion"]
    new = kube.patch("ConfigMap", namespace, "settings", {"data": {"a": "2"}}, resource_version=old)
    assert new["metadata"]["resourceVersion"] != old
    with pytest.raises(Conflict) as caught:
        kube.patch("ConfigMap", namespace, "settings", {"data": {"a": "3"}}, resource_version=old)
    assert not isinstance(caught.value, AlreadyExists)
    assert caught.value.reason == "Conflict"


def test_a_write_that_changes_nothing_makes_no_new_version(kube: Kube, namespace: str) -> None:
    created = kube.create(config_map(namespace, a="1"))
    same = kube.patch("ConfigMap", namespace, "settings", {"data": {"a": "1"}})
    assert same["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


def test_replace_is_whole_and_guards_the_version(kube: Kube, namespace: str) -> None:
    created = kube.create(config_map(namespace, a="1", b="1"))
    replaced = kube.replace({**created, "data": {"a": "2"}})
    assert replaced["data"] == {"a": "2"}
    assert replaced["metadata"]["uid"] == created["metadata"]["uid"]
    with pytest.raises(Conflict):
        kube.replace({**created, "data": {"a": "3"}})
    with pytest.raises((NotFound, Conflict)):  # servers word the update of an absent object either way
        kube.replace(config_map(namespace, "absent"))


def test_a_spec_change_is_a_new_generation(kube: Kube, namespace: str) -> None:
    created = kube.create(deployment(namespace))
    assert created["metadata"]["generation"] == 1
    noted = kube.patch("Deployment", namespace, "web", {"metadata": {"annotations": {"note": "x"}}})
    assert noted["spec"] == created["spec"]
    changed = kube.patch("Deployment", namespace, "web", {"spec": {"minReadySeconds": 1}})
    assert changed["metadata"]["generation"] == noted["metadata"]["generation"] + 1


def test_a_selector_never_changes(kube: Kube, namespace: str) -> None:
    kube.create(deployment(namespace))
    with pytest.raises(Invalid):
        kube.patch("Deployment", namespace, "web", {"spec": {"selector": {"matchLabels": {"app": "other"}}}})


def test_labels_select(kube: Kube, namespace: str) -> None:
    for name, labels in {"a": {"tier": "web", "x": "1"}, "b": {"tier": "db"}, "c": {}}.items():
        obj = config_map(namespace, name)
        obj["metadata"]["labels"] = {**labels, "mine": "yes"}
        kube.create(obj)

    def selected(labels: Any) -> list[str]:
        return names(kube.list("ConfigMap", namespace, labels=labels))

    assert selected({"mine": "yes"}) == ["a", "b", "c"]
    assert selected({"mine": "yes", "tier": "web"}) == ["a"]
    assert selected("tier in (web,db),mine") == ["a", "b"]
    assert selected("mine,tier notin (db)") == ["a", "c"]
    assert selected("mine=yes,!tier") == ["c"]
    assert selected("mine==yes,tier!=web") == ["b", "c"]
    assert selected("tier=nothing") == []
    with pytest.raises(Invalid):
        selected("tier in web")


def test_fields_select(kube: Kube, namespace: str) -> None:
    kube.create(secret(namespace, "one"))
    kube.create({**secret(namespace, "two"), "type": "Opaque"})
    assert names(kube.list("Secret", namespace, fields={"type": "helmbroker.io/test"})) == ["one"]
    assert names(kube.list("Secret", namespace, fields={"metadata.name": "two"})) == ["two"]
    with pytest.raises(Invalid, match="not supported"):
        kube.list("Secret", namespace, fields={"data.password": "x"})


def test_a_list_says_what_its_items_are_and_spans_namespaces(kube: Kube, namespace: str) -> None:
    with throw_away_namespace(kube) as other:
        for where in (namespace, other):
            obj = config_map(where, "spread")
            obj["metadata"]["labels"] = {"span": namespace}
            kube.create(obj)
        found = kube.list("ConfigMap", None, labels={"span": namespace})
    assert {obj["metadata"]["namespace"] for obj in found} == {namespace, other}
    assert {(obj["apiVersion"], obj["kind"]) for obj in found} == {("v1", "ConfigMap")}


def test_delete_says_whether_there_was_anything(kube: Kube, namespace: str) -> None:
    kube.create(config_map(namespace))
    assert kube.delete("ConfigMap", namespace, "settings") is True
    assert kube.get("ConfigMap", namespace, "settings") is None
    assert kube.delete("ConfigMap", namespace, "settings") is False


def test_delete_of_another_uid_is_a_conflict(kube: Kube, namespace: str) -> None:
    uid = kube.create(config_map(namespace))["metadata"]["uid"]
    with pytest.raises(Conflict):
        kube.delete("ConfigMap", namespace, "settings", uid="00000000-0000-0000-0000-000000000000")
    assert kube.get("ConfigMap", namespace, "settings") is not None
    assert kube.delete("ConfigMap", namespace, "settings", uid=uid) is True


def test_a_finalizer_holds_what_is_deleted(kube: Kube, namespace: str) -> None:
    obj = config_map(namespace)
    obj["metadata"]["finalizers"] = ["helmbroker.io/test"]
    kube.create(obj)
    assert kube.delete("ConfigMap", namespace, "settings") is True
    held = kube.get("ConfigMap", namespace, "settings")
    assert held is not None
    assert held["metadata"]["deletionTimestamp"]
    kube.patch("ConfigMap", namespace, "settings", {"metadata": {"finalizers": None}})
    assert kube.get("ConfigMap", namespace, "settings") is None


@pytest.mark.parametrize("propagation", [Propagation.BACKGROUND, Propagation.ORPHAN])
def test_dependents_go_with_their_owner_unless_orphaned(
    kube: Kube, namespace: str, propagation: Propagation
) -> None:
    owner = kube.create(config_map(namespace, "owner"))
    owned = config_map(namespace, "owned")
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    owned["metadata"]["ownerReferences"] = [reference]
    kube.create(owned)
    assert kube.delete("ConfigMap", namespace, "owner", propagation=propagation) is True

    def owner_gone() -> bool | None:
        return True if kube.get("ConfigMap", namespace, "owner") is None else None

    def owned_gone() -> bool | None:
        return True if kube.get("ConfigMap", namespace, "owned") is None else None

    eventually(owner_gone, within_s=60)
    if propagation is Propagation.BACKGROUND:
        eventually(owned_gone, within_s=60)
    else:
        assert kube.get("ConfigMap", namespace, "owned") is not None


def test_a_status_is_not_written_with_the_rest(kube: Kube, namespace: str) -> None:
    created = kube.create({**deployment(namespace), "status": {"replicas": 7}})
    assert created.get("status", {}).get("replicas") != 7
    patched = kube.patch("Deployment", namespace, "web", {"status": {"replicas": 7}})
    assert patched.get("status", {}).get("replicas") != 7


def test_what_is_returned_belongs_to_the_caller(kube: Kube, namespace: str) -> None:
    sent = config_map(namespace, a="1")
    returned = kube.create(sent)
    returned["data"]["a"] = "changed"
    sent["data"]["a"] = "changed"
    found = kube.get("ConfigMap", namespace, "settings")
    assert found is not None
    assert found["data"] == {"a": "1"}


def test_errors_never_repeat_a_secret(kube: Kube, namespace: str) -> None:
    kube.create({**secret(namespace, password="first-canary"), "immutable": True})
    attempts: list[Callable[[], object]] = [
        lambda: kube.create(secret(namespace, password="second-canary")),
        lambda: kube.create(secret(namespace, "Not_A_Name", password="second-canary")),
        lambda: kube.replace({**secret(namespace, password="second-canary"), "immutable": True}),
        lambda: kube.patch("Secret", namespace, "credentials", {"data": encoded(password="second-canary")}),
    ]
    hidden = {"first-canary", "second-canary", *encoded(a="first-canary", b="second-canary").values()}
    for attempt in attempts:
        with pytest.raises(KubeError) as caught:
            attempt()
        assert not [text for text in hidden if text in str(caught.value) + repr(caught.value)]


def test_misuse_is_told_before_anything_is_sent(kube: Kube) -> None:
    with pytest.raises(ValueError, match="not in the table"):
        kube.get("Spaceship", "default", "x")
    with pytest.raises(ValueError, match="needs a namespace"):
        kube.get("Secret", None, "x")
    with pytest.raises(ValueError, match="not namespaced"):
        kube.list("Namespace", "default")
    with pytest.raises(ValueError, match="needs a name"):
        kube.delete("Secret", "default", "")
    with pytest.raises(ValueError, match="apiVersion"):
        kube.create({"apiVersion": "v2", "kind": "Secret", "metadata": {"name": "x", "namespace": "default"}})


def test_the_server_has_a_version(kube: Kube) -> None:
    assert kube.server_version().startswith("v1.")


def test_the_server_tells_what_it_serves(kube: Kube) -> None:
    found = kube.api_versions()
    assert {"v1", "v1/Secret", "apps/v1", "apps/v1/Deployment", "networking.k8s.io/v1/NetworkPolicy"} <= set(found)
    assert found == tuple(sorted(set(found)))
    assert "extensions/v1beta1" not in found


def test_in_the_name_of_somebody_else(kube: Kube, namespace: str) -> None:
    """He sees what he may see; what he may not, the fake does not know."""
    kube.create(config_map(namespace, a="1"))
    group, metadata = "rbac.authorization.k8s.io", {"name": "alice", "namespace": namespace}
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    kube.create({"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": rules})
    role = {"apiGroup": group, "kind": "Role", "name": "alice"}
    subjects = [{"kind": "ServiceAccount", "name": "alice", "namespace": namespace}]
    binding = {"apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": metadata}
    kube.create({**binding, "roleRef": role, "subjects": subjects})
    alice = kube.acting_as(f"system:serviceaccount:{namespace}:alice")

    def seen() -> str | None:
        try:
            return str((alice.get("ConfigMap", namespace, "settings") or {})["data"]["a"])
        except KubeError:  # the server has not heard of the Role yet
            return None

    assert eventually(seen, within_s=60) == "1"
