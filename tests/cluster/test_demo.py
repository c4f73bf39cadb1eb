"""The whole story on a real cluster, as `make demo` tells it: broker, bridge, command line, an app under load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIGURES_ONLY = (
    3  # bounds of times, which a machine that runs tests may miss; `make demo` and `make bench` hold them
)


@pytest.mark.cluster
@pytest.mark.timeout(1800)
def test_the_demo_keeps_every_promise_but_those_about_speed() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "demo"], cwd=ROOT, capture_output=True, text=True, timeout=1700, check=False
    )
    sys.stdout.write(ended.stdout)
    broken = [line for line in ended.stdout.splitlines() if line.startswith("   NO ")]
    assert ended.returncode in (0, FIGURES_ONLY), f"{broken}\n{ended.stderr[-2000:]}\n{ended.stdout[-6000:]}"
    assert "yes  no request failed" in ended.stdout
