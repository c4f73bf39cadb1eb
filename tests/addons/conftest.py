"""Fixtures of the addons' tests on a real cluster."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from helmbroker.broker.settings import Settings
from helmbroker.kubeapi.port import Kube
from tests.addons.live import Instance
from tests.cluster.broker import OVERRIDES
from tests.cluster.reach import connect, throw_away_namespace


@pytest.fixture
def kube() -> Iterator[Kube]:
    connected = connect()
    yield connected
    connected.close()


@pytest.fixture
def alone(tmp_path: Path) -> Settings:
    """Those of a broker that tries one addon, with the images of this cluster."""
    (tmp_path / "overrides.yaml").write_text(yaml.safe_dump(OVERRIDES))
    return Settings(
        data_dir=tmp_path / "data",
        overrides_file=tmp_path / "overrides.yaml",
        instance_namespace=f"test-{uuid.uuid4().hex[:10]}",
    )


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
