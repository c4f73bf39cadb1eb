"""What the commands of operators need of the ports, beside the platform's business."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from helmbroker.broker.domain.audit import Event
from helmbroker.broker.domain.cluster import HelmRelease
from helmbroker.broker.domain.drift import Finding, Seen, SeenRelease
from helmbroker.broker.domain.fleet import Member, Running
from helmbroker.broker.domain.instance import ServiceBinding
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.domain.sources import Retired
from helmbroker.catalog.model import Object
from helmbroker.durable import Operation


class OperatorReads(Protocol):
    """That part of the port Records."""

    def busy(self) -> frozenset[str]:
        """Ids of instances with operations that have not ended, their bindings' too."""
        ...

    def running(self, service_id: str) -> list[Running]:
        """The instances of an offering, but for those that are deleted, by their ids."""
        ...

    def runs(self, most: int) -> list[Operation]:
        """Runs over the fleet, the newest first."""
        ...

    def members(self, run_id: str) -> list[Member]:
        """The instances that a run over the fleet is about, in their order."""
        ...

    def findings(self) -> list[Seen]:
        """Where records and cluster differed when that was last looked at."""
        ...


class OperatorWrites(Protocol):
    """That part of the port Transaction. Operations that begin are told to the audit by themselves."""

    @property
    def tell(self) -> Callable[[Event], None]:
        """Write something down in the audit, as done by whoever acts now (domain.audit)."""
        ...

    def ended(
        self, kind: Kind, instance_id: str, binding_id: str | None, *, succeeded: bool, description: str
    ) -> Operation:
        """Record an operation that has ended: what is restored is as it has left it."""
        ...

    def start_purge(self, ref: ReleaseRef, *, with_data: bool, timeout_s: float) -> Operation:
        """Queue the removal of a Helm release that no record knows."""
        ...

    def start_refresh(self, *, timeout_s: float) -> Operation:
        """Queue a look at the sources of the catalog."""
        ...

    def start_run(
        self, subject: str, params: Object, instance_ids: Sequence[str], *, timeout_s: float
    ) -> Operation:
        """Queue a run over these instances, in their order. Runs of one subject go one after the other."""
        ...

    def retire(self, which: Retired, *, undo: bool) -> None:
        """The catalog does not offer it any more, or does so again; its instances are as they are."""
        ...

    def note_member(self, run_id: str, member: Member) -> None:
        """As this an instance of a run is now."""
        ...

    def move_members(self, run_id: str, to: str) -> None:
        """The instances of a run are those of another one from now on."""
        ...

    def stop(self, operation_id: str, why: str) -> bool:
        """Stop one operation; whether there was anything to stop. `why`: public."""
        ...

    def has_record(self, ref: ReleaseRef) -> bool:
        """Whether an instance or a binding that is not deleted has this Helm release."""
        ...

    def deployed(self, instance_id: str, binding_id: str | None, revision: int | None) -> None:
        """What is in force of the instance, or of the binding, is run by this revision of its Helm release."""
        ...

    def replace_findings(self, found: Sequence[Finding]) -> None:
        """These are all there are now; when each was seen first is kept."""
        ...

    def deliver_again(self, binding: ServiceBinding) -> None:
        """Keep what a restored binding has delivered before, and how long it lives."""
        ...


class Takeover(Protocol):
    """What makes a Helm release of another broker ours. Raises ClusterUnavailable, ClusterRefused."""

    def manifest(self, ref: ReleaseRef) -> str:
        """The objects that its newest revision has made, hooks left out; empty when there is none."""
        ...

    def claim(self, release: HelmRelease, labels: Mapping[str, str]) -> None:
        """Write these labels on the newest revision, which must be as it was seen. Nothing else is touched, and no
        revision is made.
        """
        ...


class Survey(Protocol):
    """A look at all that is the broker's in the cluster. Raises ClusterUnavailable, ClusterRefused."""

    def releases(self, namespace: str, broker_id: str) -> list[SeenRelease]:
        """The Helm releases that carry the broker's label, in their newest revisions, and what became of them."""
        ...
