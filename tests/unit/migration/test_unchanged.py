"""What an update of a migrated instance must not do."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.broker.migration import unchanged
from helmbroker.catalog.model import Object


def obj(kind: str, name: str = "helmbroker-mydb", **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}, "spec": spec}


def claim(**changed: Any) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **changed}
    return {"metadata": {"name": "data"}, "spec": spec}


SET = obj(
    "StatefulSet", replicas=1, serviceName="s", selector={"matchLabels": {"a": "b"}}, volumeClaimTemplates=[claim()]
)


@pytest.mark.parametrize(
    ("after", "lost"),
    [
        (SET, []),
        (SET | {"spec": {**SET["spec"], "replicas": 3, "template": {"x": 1}}}, []),
        (
            obj("StatefulSet", "mydb", **SET["spec"]),
            ["StatefulSet helmbroker-mydb: there would be none of this name"],
        ),
        (
            SET | {"spec": {**SET["spec"], "selector": {}}},
            ["StatefulSet helmbroker-mydb: selector would be another"],
        ),
        (
            SET | {"spec": {**SET["spec"], "serviceName": "t"}},
            ["StatefulSet helmbroker-mydb: serviceName would be another"],
        ),
        (
            SET | {"spec": {**SET["spec"], "volumeClaimTemplates": [claim(storageClassName="fast")]}},
            ["StatefulSet helmbroker-mydb: volumeClaimTemplates would be another"],
        ),
        (
            SET | {"spec": {**SET["spec"], "volumeClaimTemplates": None}},
            ["StatefulSet helmbroker-mydb: volumeClaimTemplates would be another"],
        ),
    ],
)
def test_what_would_get_lost(after: dict[str, Any], lost: list[str]) -> None:
    assert unchanged.endangered([SET], [after]) == lost


def test_what_may_come_and_go() -> None:
    service = obj("Service", selector={"a": "b"})
    assert unchanged.endangered([service, obj("ServiceMonitor")], [obj("Service", selector={"c": "d"}), SET]) == []
    assert unchanged.endangered([service], [])
    assert unchanged.endangered([obj("Deployment", selector={"a": "b"})], [obj("Deployment", selector={})])


def test_values_that_will_be_others() -> None:
    before: Object = {"a": {"b": 1, "c": "x"}, "left": 1, "n": 1.0}
    assert unchanged.differing(before, {"a": {"b": 2, "c": "x"}, "new": {}, "n": 1}) == ["a.b", "left", "new"]


def test_the_operators_values_that_nobody_sets_any_more() -> None:
    operator: Object = {"registry": "r", "size": "1Gi", "both": {"one": 1, "two": 2}}
    below: Object = {"size": "2Gi", "both": {"one": 1}}
    assert unchanged.lacking(operator, below, {}) == ["both.two", "registry"]
    assert unchanged.lacking(operator, below, {"registry": "another", "both": {"two": 3}}) == []
