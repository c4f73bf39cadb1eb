"""What there is in a namespace, of all kinds that the cluster knows."""

from __future__ import annotations

import subprocess

from tests.cluster.reach import eventually

# what every namespace has, and what is no object of ours
_ALWAYS = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
_GONE = "the server doesn't have a resource type"
_NEWS = ("event/", "event.events.k8s.io/", "pod.metrics.k8s.io/")


def objects(namespace: str) -> set[str]:
    """Every object as kind/name."""
    names = eventually(lambda: _names(namespace), within_s=60)
    return {name for name in names if name not in _ALWAYS and not name.startswith(_NEWS)}


def await_nothing(namespace: str, about: str = "", *, within_s: float = 120) -> None:
    """Wait until nothing is left whose name contains `about`."""

    def look() -> bool | None:
        left = sorted(name for name in objects(namespace) if about in name)
        seen[:] = left
        return None if left else True

    seen: list[str] = []
    try:
        eventually(look, within_s=within_s, every_s=0.5)
    finally:
        assert not seen, f"left in {namespace}: {seen}"


def _names(namespace: str) -> list[str] | None:
    """None: a kind that others had brought was taken away while this looked."""
    listed = _kubectl("api-resources", "--verbs=list", "--namespaced", "--output=name").stdout.split()
    asked = ("get", ",".join(listed), "--namespace", namespace, "--output=name", "--ignore-not-found")
    found = _kubectl(*asked, check=False)
    if _GONE in found.stderr:
        return None
    assert found.returncode == 0, found.stderr
    return found.stdout.split()


def _kubectl(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["kubectl", *arguments], check=check, capture_output=True, text=True, timeout=60)
