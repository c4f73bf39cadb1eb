"""No request fails, whatever the bridge does with a bound app, or fails to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.kubeapi.port import Kube
from tests.cluster.whole_flow import flow, stage

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]
AROUND_S = 3.0


def test_no_request_fails_from_bind_to_unbind(kube: Kube, tmp_path: Path) -> None:
    """Bind, update, config, rotation, a bind that the broker fails, one whose rollout fails, rollback, unbind."""
    with stage(kube, tmp_path, around_s=AROUND_S) as made:
        found = flow(made, around_s=AROUND_S)
    assert found.broken == []
    assert found.asked.sent > 1000
