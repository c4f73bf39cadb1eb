"""FakeTakeover: the port Takeover over a FakeCluster. Manifests are what a test says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from helmbroker.broker.domain.cluster import HelmRelease
from helmbroker.broker.domain.helm_errors import ClusterUnavailable
from helmbroker.broker.domain.naming import ReleaseRef
from tests.fakes.cluster import FakeCluster


@dataclass
class FakeTakeover:
    """See broker.domain.operator_ports.Takeover."""

    cluster: FakeCluster
    manifests: dict[ReleaseRef, str] = field(default_factory=dict)

    def manifest(self, ref: ReleaseRef) -> str:
        self.cluster.release(ref)  # it may be away
        return self.manifests.get(ref, "")

    def claim(self, release: HelmRelease, labels: Mapping[str, str]) -> None:
        if self.cluster.release(release.ref) != release:
            raise ClusterUnavailable(f"The Helm release {release.ref.name} was changed meanwhile.")
        self.cluster.releases[release.ref] = replace(release, labels={**release.labels, **labels})
