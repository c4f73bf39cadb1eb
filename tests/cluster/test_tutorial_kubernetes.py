"""The tutorial of app releases, executed as it is written: its commands in one shell, its outputs among theirs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from helmbroker.kubeapi.client import KubeClient
from tests.cluster.broker import CHECKOUT
from tests.ports import free_port

PAGE = CHECKOUT / "docs" / "tutorial" / "kubernetes.md"
_BLOCK = re.compile(r"^```(console|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.cluster
@pytest.mark.timeout(900)
def test_the_tutorial_does_what_it_says(kube: KubeClient, tmp_path: Path) -> None:
    namespace = f"test-{uuid.uuid4().hex[:10]}"
    text = PAGE.read_text(encoding="utf-8").replace("my-shop", namespace).replace("8081", str(free_port()))
    blocks = _BLOCK.findall(text)
    script = "set -eu\n" + "".join(commands for kind, commands in blocks if kind == "console")
    settings = {name: value for name, value in os.environ.items() if not name.startswith("HELMBROKER_")}
    settings["PATH"] = f"{Path(sys.executable).parent}:{settings['PATH']}"
    process = subprocess.Popen(
        ["/bin/bash", "-c", script],
        env=settings,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    try:
        said, _ = process.communicate(timeout=880)
        log = (tmp_path / "bridge.log").read_text(encoding="utf-8")
        assert process.returncode == 0, f"{said[-4000:]}\n{log[-4000:]}"
        expected = [line for kind, lines in blocks if kind == "text" for line in lines.splitlines()]
        assert len(expected) > 5
        assert [line for line in expected if line not in said] == [], said
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        kube.delete("Namespace", None, namespace)
