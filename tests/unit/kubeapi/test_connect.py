"""Which server KubeClient finds, and what it says of servers and kubeconfigs that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.kubeapi.client import KubeClient
from helmbroker.kubeapi.errors import (
    NoCluster,
    Unreachable,
)
from tests.ports import free_port
from tests.unit.kubeapi.answering import TOKEN, Server, kubeconfig


def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    port = free_port()
    kube = KubeClient.from_environment(kubeconfig(tmp_path, f"http://127.0.0.1:{port}"))
    with pytest.raises(Unreachable, match=f"cannot list Pods in shop: .*127.0.0.1:{port} .*connection refused"):
        kube.list("Pod", "shop")
    kube.close()


def test_a_server_that_does_not_speak_tls_is_told(server: Server, tmp_path: Path) -> None:
    kube = KubeClient.from_environment(kubeconfig(tmp_path, server.url.replace("http:", "https:")))
    with pytest.raises(Unreachable, match="TLS"):
        kube.server_version()
    kube.close()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "- a\n- list\n",
        "users: {unclosed",
        f"contexts: []\nusers:\n- name: me\n  user: {{token: {TOKEN}}}\ncurrent-context: none\nclusters: []\n",
        (
            f"contexts: [{{name: a, context: {{cluster: a, user: me}}}}]\nclusters: [{{name: a}}]\n"
            f"current-context: a\nusers: [{{name: me, token: {TOKEN}}}]\n"
        ),
    ],
)
def test_a_kubeconfig_that_is_none_is_told_without_its_content(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken"
    path.write_text(content)
    with pytest.raises(NoCluster, match="not a usable kubeconfig; set KUBECONFIG") as caught:
        KubeClient.from_environment(str(path))
    assert str(path) in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_kubeconfig_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoCluster, match="absent"):
        KubeClient.from_environment(str(tmp_path / "absent"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(NoCluster, match="no kubeconfig is set and this is not a pod"):
        KubeClient.from_environment()


def test_the_kubeconfig_of_the_environment_is_found(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path, server.url))
    server.answer(200, {"gitVersion": "v1.34.2"})
    kube = KubeClient.from_environment()
    assert kube.server_version() == "v1.34.2"
    kube.close()
