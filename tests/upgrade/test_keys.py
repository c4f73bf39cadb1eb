"""Keys in a rolling upgrade: both versions read each other's secrets until the new one has rotated the ring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from helmbroker.sealing import Key, RingFile, wrapped_by
from tests.upgrade.world import Platform, World, world

BINDING = "/v2/service_instances/i/service_bindings/b"
pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


@pytest.fixture
def brokers(tmp_path: Path, previous: Path) -> Iterator[World]:
    with world(f"sqlite:///{tmp_path}/helmbroker.db", tmp_path, previous) as made:
        yield made


def run(brokers: World, command: str) -> None:
    process = brokers.start(command)
    assert process.wait() == 0, process.log


def test_a_ring_is_rotated_after_an_upgrade_while_all_is_served(brokers: World) -> None:
    path = Path(brokers.environment["HELMBROKER_DATA_DIR"]) / "keys.json"
    old_api, worker = Platform(brokers.start("api", old=True)), brokers.start("worker")
    assert old_api.await_end(old_api.provision("i")) == "succeeded"  # carried out by the new one
    api = Platform(brokers.start("api"))
    assert api.await_end(api.bind("i")) == "succeeded"
    before = api.call("GET", BINDING)
    assert before[0] == 200
    assert old_api.call("GET", BINDING) == before
    assert old_api.api.end() == 0
    (first,) = RingFile(path).keys
    assert first == Key("1", direct=True)

    run(brokers, "keys rotate")
    second = RingFile(path).active
    assert not second.direct
    assert api.call("GET", BINDING) == before
    assert api.await_end(api.update("i")) == "succeeded"
    run(brokers, "keys remove 1")
    assert api.call("GET", BINDING) == before
    assert {wrapped_by(sealed) for sealed in brokers.remembered()} == {second.id}
    refused = brokers.start("api", old=True)
    assert refused.wait() != 0
    assert "the key ring" in "".join(refused.log)
    run(brokers, "audit verify")
    assert worker.end() == 0
