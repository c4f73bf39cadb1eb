"""The same work without the product: bare helm and bare kubectl, as somebody would do it by hand."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIMIT_S = 300


class BareFailed(Exception):
    """helm or kubectl failed; its own words."""


def command(argv: Sequence[str], *, stdin: str | None = None, limit_s: float = LIMIT_S) -> str:
    """Run a command; its output. Raises BareFailed with the command's name and its last lines."""
    try:
        ran = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=limit_s, check=False)
    except FileNotFoundError as error:
        raise BareFailed(f"there is no {argv[0]} on PATH") from error
    except subprocess.TimeoutExpired as error:
        raise BareFailed(f"{' '.join(argv[:3])} did not end within {limit_s:g} s") from error
    if ran.returncode:
        raise BareFailed(f"{' '.join(argv[:3])}: {ran.stderr.strip()[-600:]}")
    return ran.stdout


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Helm values, the later layer wins."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            result[key] = merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return result


def install(name: str, namespace: str, chart: Path, values: Mapping[str, Any]) -> float:
    """Seconds of `helm upgrade --install --wait`."""
    argv = ["helm", "upgrade", "--install", name, str(chart), "--namespace", namespace, "--wait", "--values", "-"]
    began = time.monotonic()
    command([*argv, "--timeout", f"{LIMIT_S}s"], stdin=json.dumps(values))
    return time.monotonic() - began


def uninstall(name: str, namespace: str) -> None:
    """Remove the Helm release and its volume claims."""
    command(["helm", "uninstall", name, "--namespace", namespace, "--ignore-not-found", "--wait"])
    labels = f"app.kubernetes.io/instance={name}"
    command(["kubectl", "delete", "pvc", "--namespace", namespace, "--selector", labels])


@dataclass(frozen=True)
class Rollout:
    """Seconds of a rollout from `kubectl rollout restart` on."""

    done_s: float  # until `kubectl rollout status` says so: new pods serve, old ones may still end
    gone_s: float  # until no old pod is left


def rollout(deployment: str, namespace: str, selector: str) -> Rollout:
    """Replace the pods of a Deployment, which `selector` finds."""
    scope = ["--namespace", namespace]
    target = [*scope, f"deployment/{deployment}"]
    old = command(["kubectl", "get", "pods", *scope, "--selector", selector, "--output", "name"]).split()
    began = time.monotonic()
    command(["kubectl", "rollout", "restart", *target])
    command(["kubectl", "rollout", "status", *target, f"--timeout={LIMIT_S}s"])
    done_s = time.monotonic() - began
    command(["kubectl", "wait", "--for=delete", *scope, *old, f"--timeout={LIMIT_S}s"])
    return Rollout(done_s, time.monotonic() - began)
