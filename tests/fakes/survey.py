"""FakeSurvey: the port Survey over a FakeCluster. Missing and changed objects are what a test says."""

from __future__ import annotations

from dataclasses import dataclass, field

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.drift import SeenRelease
from helmbroker.broker.domain.naming import ReleaseRef
from tests.fakes.cluster import FakeCluster


@dataclass
class FakeSurvey:
    """See broker.domain.operator_ports.Survey."""

    cluster: FakeCluster
    missing: dict[ReleaseRef, tuple[str, ...]] = field(default_factory=dict)
    changed: dict[ReleaseRef, tuple[str, ...]] = field(default_factory=dict)

    def releases(self, namespace: str, broker_id: str) -> list[SeenRelease]:
        ours = {naming.LABEL_BROKER: broker_id}
        return [
            SeenRelease(
                ref,
                release.revision,
                release.status,
                release.labels,
                self.missing.get(ref, ()),
                self.changed.get(ref, ()),
            )
            for ref, release in self.cluster.releases.items()
            if ref.namespace == namespace and release.belongs_to(ours)
        ]
