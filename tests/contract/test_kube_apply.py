"""The contract of the port Kube, server-side apply: on the fake, and on a real cluster."""

from __future__ import annotations

import pytest

from helmbroker.kubeapi.errors import Conflict, Invalid
from helmbroker.kubeapi.port import Kube
from tests.contract.kube_server import claim, config_map, deployment


def test_apply_creates_changes_and_takes_back_its_own_fields(kube: Kube, namespace: str) -> None:
    kube.apply(config_map(namespace, a="1", b="1"), field_manager="one")
    kube.patch("ConfigMap", namespace, "settings", {"data": {"theirs": "1"}})
    applied = kube.apply(config_map(namespace, a="2"), field_manager="one")
    assert applied["data"] == {"a": "2", "theirs": "1"}
    again = kube.apply(config_map(namespace, a="2"), field_manager="one")
    assert again["metadata"]["resourceVersion"] == applied["metadata"]["resourceVersion"]


def test_apply_does_not_take_the_fields_of_others_unless_forced(kube: Kube, namespace: str) -> None:
    kube.apply(config_map(namespace, a="1"), field_manager="one")
    with pytest.raises(Conflict, match="conflict") as caught:
        kube.apply(config_map(namespace, a="2"), field_manager="two")
    assert ".data.a" in str(caught.value)
    forced = kube.apply(config_map(namespace, a="2"), field_manager="two", force=True)
    assert forced["data"] == {"a": "2"}
    with pytest.raises(Conflict):
        kube.apply(config_map(namespace, a="1"), field_manager="one")


def test_apply_shares_equal_fields(kube: Kube, namespace: str) -> None:
    kube.apply(config_map(namespace, a="1", b="1"), field_manager="one")
    kube.apply(config_map(namespace, a="1"), field_manager="two")
    after = kube.apply(config_map(namespace), field_manager="one")
    assert after["data"] == {"a": "1"}


def test_apply_merges_containers_by_name(kube: Kube, namespace: str) -> None:
    kube.apply(deployment(namespace), field_manager="one")
    more = deployment(namespace)
    more["spec"] = {"template": {"spec": {"containers": [{"name": "web", "env": [{"name": "X", "value": "1"}]}]}}}
    applied = kube.apply(more, field_manager="two")
    container = applied["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["env"]) == ("sandbox.local/none:1", [{"name": "X", "value": "1"}])
    more["spec"] = {"template": {"spec": {"containers": [{"name": "web"}]}}}
    assert "env" not in kube.apply(more, field_manager="two")["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("size", ["", "a lot", "1 Gi", "1.2.3", "1GB"])
def test_a_size_that_is_no_quantity_is_refused_however_it_is_sent(kube: Kube, namespace: str, size: str) -> None:
    for dry_run in (True, False):
        with pytest.raises(Invalid, match="quantities must match"):
            kube.apply(claim(namespace, size), field_manager="one", dry_run=dry_run)
        with pytest.raises(Invalid, match="quantities must match"):
            kube.create(claim(namespace, size), dry_run=dry_run)
    assert kube.list("PersistentVolumeClaim", namespace) == []
