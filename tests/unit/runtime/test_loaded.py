"""What a server loads before it serves: half of its memory, and most of its time to start."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

_OPERATORS = {"helmbroker.broker.operator_commands", "helmbroker.broker.author", "helmbroker.broker.migration"}
_SERVERS = {"flask", "gunicorn"}
_CLIENTS = {"requests", "urllib3", "cryptography.hazmat.primitives.serialization"}
_WORKERS = {"kubernetes", "pyhelm3", "helmbroker.broker.helm", "helmbroker.kubeapi.client"}


def loaded(*modules: str) -> set[str]:
    """What importing these loads, in a process of its own."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )


def test_the_command_line_alone_loads_neither_servers_nor_cluster_nor_what_operators_do() -> None:
    found = loaded("helmbroker.broker.cli")
    assert "helmbroker.broker.wiring" in found
    assert found & (_OPERATORS | _SERVERS | _WORKERS) == set()


def test_the_api_loads_neither_helm_nor_the_cluster() -> None:
    found = loaded("helmbroker.broker.cli", "helmbroker.runtime.serve", "helmbroker.broker.api.app")
    assert found >= _SERVERS
    assert found & (_OPERATORS | _WORKERS | _CLIENTS) == set()


def test_a_worker_of_the_broker_loads_no_web_server() -> None:
    rooms = (
        "broker.cli",
        "broker.worker",
        "broker.operator_wiring",
        "broker.telemetry_wiring",
        "broker.helm.releases",
    )
    found = loaded(*(f"helmbroker.{room}" for room in rooms), "helmbroker.broker.kube.cluster")
    assert "pyhelm3" in found
    assert found & (_OPERATORS | _SERVERS) == set()


def test_the_command_line_of_the_bridge_loads_neither_servers_nor_cluster() -> None:
    found = loaded("helmbroker.controller_bridge.cli")
    assert found & (_SERVERS | _WORKERS | {"sqlalchemy"}) == set()


def test_what_postgresql_needs_is_not_loaded_before_it_is_used() -> None:
    rooms = ("broker.store.store", "controller_bridge.store", "durable")
    found = loaded(*(f"helmbroker.{room}" for room in rooms))
    assert "sqlalchemy.sql" in found
    assert {name for name in found if name.startswith("sqlalchemy.dialects.postgresql")} == set()


def test_folders_of_addons_are_read_without_a_client_for_what_is_elsewhere() -> None:
    found = loaded("helmbroker.catalog.sources.reading", "helmbroker.catalog.sources.dependencies")
    assert "helmbroker.catalog.load" in found
    assert found & _CLIENTS == set()
