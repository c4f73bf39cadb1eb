"""What all tests with real servers need."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.runtime.certificates import LOCALHOST, Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def tls(authority: Authority) -> tuple[Path, Path]:
    """Certificate and key of `localhost`, which `authority` vouches for."""
    return authority.issue("localhost", [LOCALHOST])
