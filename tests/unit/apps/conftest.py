"""Fixtures of the tests of the Kubernetes adapter."""

from __future__ import annotations

import pytest

from tests.unit.apps.play_shop import Shop


@pytest.fixture
def shop() -> Shop:
    """An app that runs, and that the bridge knows nothing about."""
    return Shop.running()
