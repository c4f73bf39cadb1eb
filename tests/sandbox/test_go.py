"""The Go part's own tests and format. They need Go, as the build of a sandbox does."""

import os
import subprocess

import pytest

from sandbox import binary

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]


def test_network_policies_plan() -> None:
    # The flags of the build itself, so that everything it compiled is compiled already.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    command = [binary.go_command(), "test", "-mod=readonly", "-trimpath", "./netpol/"]
    answer = subprocess.run(
        command, cwd=binary.SOURCE, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_format() -> None:
    command = [binary.go_command().removesuffix("go") + "gofmt", "-l", "."]
    answer = subprocess.run(command, cwd=binary.SOURCE, capture_output=True, text=True, check=True)
    assert answer.stdout == ""
