"""An OSB client and a broker on the wire, for tests of what goes between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests_mock

from helmbroker.controller_bridge.broker_port import (
    BindingRef,
    Caller,
    InstanceRef,
)
from helmbroker.controller_bridge.osb import OsbBroker
from helmbroker.controller_bridge.osb_login import CredentialsFile

URL = "http://broker.test/osb"
INSTANCE = InstanceRef("i 1", "svc", "plan", app="shop", name="my-db")
BINDING = BindingRef(INSTANCE, "b/1")
INSTANCE_URL = f"{URL}/v2/service_instances/i%201"
BINDING_URL = f"{INSTANCE_URL}/service_bindings/b%2F1"
CATALOG_URL = f"{URL}/v2/catalog"
ALICE = Caller("alice")
SERVICE = {"id": "svc", "name": "pg", "description": "d", "bindable": True}
PLAN = {"id": "plan", "name": "small", "description": "d", "maximum_polling_duration": 660}


@pytest.fixture
def login(tmp_path: Path) -> Path:
    path = tmp_path / "login"
    path.write_text("user:pass:word\n")
    return path


@pytest.fixture
def broker(login: Path) -> OsbBroker:
    return OsbBroker(URL + "/", CredentialsFile(login), cluster_id="c1")


@pytest.fixture
def wire() -> Any:
    """Its catalog is that of PLAN, for whoever asks how long an operation may take."""
    with requests_mock.Mocker() as mocker:
        mocker.get(CATALOG_URL, json={"services": [{**SERVICE, "plans": [PLAN]}]})
        yield mocker


def asked(wire: Any) -> Any:
    """The last request that is not about the catalog."""
    return [each for each in wire.request_history if not each.path.endswith("/v2/catalog")][-1]
