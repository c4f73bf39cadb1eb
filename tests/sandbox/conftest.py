"""The sandbox that the cluster tests of this directory start for themselves."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.own import Own


@pytest.fixture
def own() -> Iterator[Own]:
    with tempfile.TemporaryDirectory(prefix="sandbox-", dir="/var/tmp") as directory:
        sandbox = Own(Path(directory) / "data")
        sandbox.do("build", "--quiet")  # installs packages: that is not what is compared below
        yield sandbox
        sandbox.do("down", "--wipe")
