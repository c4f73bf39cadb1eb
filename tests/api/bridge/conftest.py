"""Fixtures of the REST API's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.bridge.calls import Calls


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One database for all: it is emptied for each test, which is faster than making it anew."""
    return tmp_path_factory.mktemp("bridge")


@pytest.fixture
def call(folder: Path) -> Calls:
    return Calls(folder)
