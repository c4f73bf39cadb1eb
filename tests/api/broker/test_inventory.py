"""What the broker tells that it has."""

from __future__ import annotations

import json

import pytest

from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.service.inventory import inventory
from tests.api.broker.desk import BINDING, INSTANCE, Desk


@pytest.mark.osb(121)
def test_all_that_there_is_can_be_listed(broker: Desk) -> None:
    """To be compared with what the platform believes: with its ids, and with the names in the cluster."""
    failed = "/v2/service_instances/i2"
    broker.begin((INSTANCE, Phase.READY), (BINDING, Phase.READY), (failed, Phase.MAKE_FAILED))
    with broker.store.read() as records:
        listed = list(inventory(records))
        instance, binding = records.instance("i1"), records.binding("i1", "b1")
    assert instance is not None
    assert binding is not None
    assert [(each["instance"], each.get("binding"), each["phase"], each["description"]) for each in listed] == [
        ("i1", None, "ready", "done"),
        ("i1", "b1", "ready", "done"),
        ("i2", None, "make failed", "because"),
    ]
    names = [(each["namespace"], each["release"]) for each in listed[:2]]
    assert names == [
        (release.namespace, release.name) for release in (instance.instance.release, binding.binding.release)
    ]
    assert [each["operation"] for each in listed[:2]] == [instance.operation.id, binding.operation.id]
    assert "canary" not in json.dumps(listed)


@pytest.mark.osb(121)
def test_what_is_gone_is_listed_only_when_it_is_asked_for(broker: Desk) -> None:
    broker.begin((INSTANCE, Phase.GONE))
    with broker.store.read() as records:
        assert list(inventory(records)) == []
        assert [each["phase"] for each in inventory(records, gone=True)] == ["gone"]
