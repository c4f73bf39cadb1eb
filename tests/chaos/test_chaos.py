"""The short run, and the parts that would make a long one blind."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from pathlib import Path

import pytest

from helmbroker.kubeapi.client import KubeClient
from tests.chaos.forms import A_LITTLE, LONG, SHORT
from tests.chaos.helm_runs import HelmRuns
from tests.chaos.plan import disturbances
from tests.chaos.run import run
from tests.cluster.reach import connect

SEED = 20261123


@pytest.mark.cluster
@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.osb(97)
@pytest.mark.bug(5, 15)
def test_no_promise_is_broken(tmp_path: Path) -> None:
    kube: KubeClient = connect()
    found = run(kube, tmp_path, SHORT, SEED, A_LITTLE)
    kube.close()
    print(found.json())  # noqa: T201 - read with -rP
    assert found.violations == []
    assert found.kills >= A_LITTLE.kills
    assert found.accepted >= A_LITTLE.operations
    assert sum(found.take_overs.values()) > 0
    assert found.logins > 0


def test_two_helms_on_one_release_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    real = tmp_path / "bin" / "helm"
    real.write_text("#!/bin/sh\necho begun\nread -r _ || true\n")
    real.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    runs = HelmRuns(tmp_path / "runs")

    def begin(*command: str) -> subprocess.Popen[bytes]:
        made = subprocess.Popen([runs.program, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert made.stdout is not None
        assert made.stdout.readline() == b"begun\n"
        return made

    def end(helm: subprocess.Popen[bytes], number: int) -> None:
        helm.send_signal(number)
        helm.communicate()

    first, elsewhere, reading = begin("upgrade", "a"), begin("upgrade", "b"), begin("template", "a")
    assert runs.overlaps() == []
    second = begin("uninstall", "a")
    assert [(each.release, each.other, each.frozen) for each in runs.overlaps()] == [("a", first.pid, False)]
    end(first, signal.SIGKILL)
    second.send_signal(signal.SIGSTOP)
    third = begin("rollback", "a")
    assert [(each.other, each.frozen) for each in runs.overlaps()[1:]] == [(second.pid, True)]
    for each in (second, third, elsewhere, reading):
        end(each, signal.SIGKILL)
    end(begin("upgrade", "a"), signal.SIGTERM)
    assert len(runs.overlaps()) == 2
    assert runs.commands() == {"upgrade": 3, "uninstall": 1, "rollback": 1}


def test_a_seed_repeats_its_plan() -> None:
    def first(seed: int) -> list[object]:
        return list(itertools.islice(disturbances(seed, LONG.weather), 200))

    assert first(1) == first(1)
    assert first(1) != first(2)
