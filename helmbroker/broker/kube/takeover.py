"""The port Takeover over the Kubernetes API."""

from __future__ import annotations

from collections.abc import Mapping

from helmbroker.broker.domain.cluster import HelmRelease
from helmbroker.broker.domain.helm_errors import ClusterUnavailable
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.kube import release_secret
from helmbroker.broker.kube.translated import translated
from helmbroker.kubeapi.errors import Conflict, NotFound
from helmbroker.kubeapi.port import Kube, Obj


class KubeTakeover:
    """See broker.domain.operator_ports.Takeover."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def manifest(self, ref: ReleaseRef) -> str:
        secret = release_secret.newest(self._secrets(ref))
        return "" if secret is None else release_secret.text(secret)

    def claim(self, release: HelmRelease, labels: Mapping[str, str]) -> None:
        changed = ClusterUnavailable(f"The Helm release {release.ref.name} was changed meanwhile.")
        secrets = self._secrets(release.ref)
        secret = release_secret.newest(secrets)
        if secret is None or release_secret.latest(secrets, release.ref) != release:
            raise changed
        metadata = secret["metadata"]
        patch = {"metadata": {"labels": dict(labels)}}
        with translated():
            try:
                seen = metadata["resourceVersion"]
                self._kube.patch("Secret", release.ref.namespace, metadata["name"], patch, resource_version=seen)
            except (Conflict, NotFound):
                raise changed from None

    def _secrets(self, ref: ReleaseRef) -> list[Obj]:
        with translated():
            return self._kube.list("Secret", ref.namespace, labels=release_secret.selector(ref))
