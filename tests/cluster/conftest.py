"""Fixtures of tests on a real cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helmbroker.kubeapi.client import KubeClient
from tests.cluster.reach import connect, throw_away_namespace


@pytest.fixture(scope="session")
def kube() -> Iterator[KubeClient]:
    """The cluster of KUBECONFIG; fails, never skips, when it is not reachable."""
    client = connect()
    yield client
    client.close()


@pytest.fixture
def namespace(kube: KubeClient) -> Iterator[str]:
    """A namespace for one test, deleted afterwards."""
    with throw_away_namespace(kube) as name:
        yield name
