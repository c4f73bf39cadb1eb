"""Rotation with no failed request: an app that writes on every request, while its credentials change."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.kubeapi.port import Kube
from tests.cluster.reach import pause
from tests.cluster.rotating_shop import Rotation, scene

pytestmark = [pytest.mark.cluster, pytest.mark.night, pytest.mark.timeout(1800)]
AROUND_S = 3.0


def replaced(rotation: Rotation) -> None:
    assert rotation.replaced, rotation


@pytest.mark.osb(108)
def test_no_request_fails_while_credentials_change(kube: Kube, tmp_path: Path) -> None:
    """Of a database and of a cache: in peace, with workers and a whole bridge killed, with a failing rollout."""
    with scene(kube, tmp_path, before_s=AROUND_S) as made:
        replaced(made.rotate(made.cache))
        replaced(made.rotate(made.database, at="await rollout", disturb=made.bridge.kill_worker))
        replaced(made.rotate(made.cache, at="await rollout", disturb=made.bridge.kill))
        replaced(made.rotate(made.database, at="await binding", disturb=made.kill_broker_worker))

        kept = made.uri(made.database)
        lost = made.rotate_in_vain()
        assert lost.failed
        assert "process type web" in lost.message
        assert (made.uri(made.database), lost.said_to_old) == (kept, "")

        pause(AROUND_S)
        asked = made.end()
        assert asked.errors == []
        assert asked.sent > 1000
        assert set(made.written()) == {asked.sent}, "in PostgreSQL and Redis no write is lost, none is doubled"
