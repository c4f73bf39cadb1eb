"""The API server's own validation, which the rehearsal relies on: Helm's is switched off."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from helmbroker.kubeapi.errors import Invalid
from helmbroker.kubeapi.port import Kube, Obj
from tests.cluster.reach import throw_away_namespace

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    "attempt",
    [
        pytest.param(lambda kube, obj: kube.create(obj, dry_run=True), id="create"),
        pytest.param(lambda kube, obj: kube.apply(obj, field_manager="helm", dry_run=True), id="apply"),
    ],
)
def test_a_field_that_nobody_knows_is_refused(kube: Kube, attempt: Callable[[Kube, Obj], Obj]) -> None:
    with throw_away_namespace(kube) as namespace:
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "try", "namespace": namespace},
            "spec": {
                "backofLimit": 1,
                "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]}},
            },
        }
        with pytest.raises(Invalid, match="backofLimit"):
            attempt(kube, job)
        assert kube.list("Job", namespace) == []
