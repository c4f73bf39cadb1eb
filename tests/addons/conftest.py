"""Fixtures of the addons' tests on a real cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.addons.live import Instance
from tests.cluster.reach import connect, throw_away_namespace


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """A namespace for the tests of one module, deleted afterwards."""
    kube = connect()
    with throw_away_namespace(kube) as name:
        yield name
    kube.close()


@pytest.fixture(scope="module")
def postgresql(namespace: str) -> Instance:
    """A PostgreSQL instance of the smallest plan, ready."""
    instance = Instance("postgresql", "small", namespace)
    instance.install()
    return instance


@pytest.fixture(scope="module")
def redis(namespace: str) -> Instance:
    """A Redis instance of the smallest plan, ready."""
    instance = Instance("redis", "small", namespace)
    instance.install()
    return instance
