"""Rotation with no failed request: an app that writes on every request, while its credentials change."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from helmbroker.kubeapi.port import Kube
from tests.cluster.reach import pause
from tests.cluster.rotations import AFTER_S, repeated, scene

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
TIMES = 3
REFUSED = "password authentication failed"


@pytest.mark.osb(108)
def test_no_request_fails_while_credentials_change(kube: Kube, tmp_path: Path) -> None:
    """Several in a row; then one whose rollout fails, and one in the middle of which the worker is killed."""
    with scene(kube, tmp_path) as made:
        rotations, said = repeated(made, TIMES)
        assert [each.message for each in rotations if each.failed] == []
        assert all(REFUSED in each for each in said), said

        kept = made.uri
        made.accept_only(str(urlsplit(kept).username))
        lost = made.rotate()
        assert lost.failed
        assert "process type web" in lost.message
        assert (made.uri, made.login(kept)) == (kept, "")
        made.accept_only("")

        killed = made.rotate(kill_at="await rollout")
        assert not killed.failed, killed.message
        assert REFUSED in made.login(kept)

        pause(AFTER_S)
        asked = made.end()
        assert asked.errors == []
        assert asked.sent > 1000
        assert made.written() == (asked.sent, asked.sent), "no write is lost, none is doubled"
