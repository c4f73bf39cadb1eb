"""What the use cases need from the outside world. Each has a fake of the same name in tests/fakes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from helmbroker.broker.domain.cluster import Capabilities, HelmRelease, NotReady, Readiness, RecordSecret
from helmbroker.broker.domain.kept import MadeSecret
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.catalog.model import JSON, Addon, Object
from helmbroker.catalog.references import Ref


class AddonRevisions(Protocol):
    """Every addon revision that was ever offered, by digest: what instances have pinned."""

    def addon(self, digest: str) -> Addon:
        """The revision. Raises LookupError when it was never kept."""
        ...


@dataclass(frozen=True)
class Deployment:
    """What Helm is to install or upgrade: the objects of the manifest, exactly these, as the chart's release."""

    ref: ReleaseRef
    chart: Path
    values: Object = field(repr=False)
    manifest: str = field(repr=False)  # as `render` has shown it
    labels: Mapping[str, str]  # on the release, not on its objects
    timeout_s: float  # of hooks
    force: bool = False  # take back the fields that somebody else has set


class HelmReleases(Protocol):
    """Helm's writes and renderings. None waits for workloads; hooks are waited for.

    `stop`, once set, ends Helm at once. All raise HelmError (broker.domain.helm_errors).
    """

    def acting_as(self, user: str) -> HelmReleases:
        """The same, in the name of another user of the cluster."""
        ...

    def render(self, chart: Path, values: Object, ref: ReleaseRef, *, stop: threading.Event) -> str:
        """The manifest as an install or upgrade would make it now, hooks and tests included; nothing is applied.

        Of a release that is not half made or half changed, and can be read.
        """
        ...

    def render_alone(
        self,
        template: Path,
        chart: Path,
        values: Object,
        ref: ReleaseRef,
        served: Capabilities,
        stop: threading.Event,
    ) -> str:
        """One template with the chart's helpers, wherever it lies, and nothing else of the chart.

        It can look up nothing in the cluster, and says the same each time it is rendered, or that is an error.
        """
        ...

    def deploy(self, deployment: Deployment, stop: threading.Event) -> None:
        """Install, or upgrade what is there. Nothing is rendered any more."""
        ...

    def rollback(
        self, ref: ReleaseRef, *, revision: int | None = None, timeout_s: float, stop: threading.Event
    ) -> None:
        """Back to `revision`, or to the one before; it becomes the newest one."""
        ...

    def uninstall(self, ref: ReleaseRef, *, hooks: bool, timeout_s: float, stop: threading.Event) -> None:
        """Remove the release; one that is not there is done. `hooks`: run the chart's pre-delete Jobs."""
        ...


class Cluster(Protocol):
    """The cluster's objects, as far as the broker looks at them. Raises ClusterUnavailable, ClusterRefused."""

    def release(self, ref: ReleaseRef) -> HelmRelease | None:
        """The newest revision of a Helm release, read from its Secret."""
        ...

    def rehearse(
        self, ref: ReleaseRef, objects: Sequence[Object], *, force: bool = False, user: str | None = None
    ) -> None:
        """Let the cluster say what it would refuse of these objects of a release, to that user, and make none.

        Raises HelmError as Helm would: QUOTA, INVALID, FORBIDDEN, CONFLICT (not with `force`). What a dry run
        cannot tell passes, as controllers are refused later; but pods and volumes are counted against quotas.
        """
        ...

    def readiness(self, ref: ReleaseRef) -> Readiness:
        """Whether all workloads of the release are ready, or why not."""
        ...

    def failed_job(self, ref: ReleaseRef) -> str | None:
        """Why a Job of the release failed, from its pods; None when there is no failed Job."""
        ...

    def values(self, namespace: str, refs: Sequence[Ref], owners: frozenset[str]) -> dict[Ref, JSON | NotReady]:
        """What is at these places of objects that the Helm releases `owners` made, or why it is not there (yet).

        Raises ClusterRefused for an object that none of them made.
        """
        ...

    def capabilities(self) -> Capabilities:
        """What the cluster serves; may be some minutes old."""
        ...

    def sweep(self, ref: ReleaseRef, *, claims: bool, meanwhile: Callable[[], None] = ...) -> None:
        """Delete what Helm leaves behind of an uninstalled release: what its hooks made, and (`claims`) its volume
        claims and whatever the chart marks to be kept.

        `meanwhile`: called between looking and deleting. Only these very objects are deleted, so what it vouches
        for is vouched for all of them; when it raises, nothing is deleted.
        """
        ...

    def drop_unreadable(self, ref: ReleaseRef, meanwhile: Callable[[], None]) -> None:
        """Delete those revisions of a Helm release that nobody can read; Helm does not see them.

        `meanwhile`: as for `sweep`; not called when there is none.
        """
        ...

    def leftovers(self, ref: ReleaseRef, *, claims: bool) -> list[str]:
        """Pods (and claims) of the release that are still there, as 'Kind name'."""
        ...

    def grown(self, ref: ReleaseRef, revision: int) -> Mapping[str, str]:
        """Volume claims that have, or are to have, more by now than that revision asks for: names and sizes."""
        ...

    def keep_grown(self, ref: ReleaseRef, revision: int, meanwhile: Callable[[], None]) -> None:
        """Let that revision ask for what its claims have by now: none can shrink, and Helm could not go back to it.

        `meanwhile`: as for `sweep`; not called when none has grown.
        """
        ...

    def ensure_namespace(self, name: str) -> None:
        """Make the namespace when it is missing (and may be made)."""
        ...

    def record(self, ref: ReleaseRef) -> RecordSecret | None:
        """What the cluster remembers of what has this Helm release; also a Secret of that name that is not ours."""
        ...

    def keep(self, record: RecordSecret, *, instead_of: RecordSecret | None = None) -> None:
        """Make this Secret, or write it anew. Raises ClusterRefused when one of that name lacks its labels.

        `instead_of`: what it must be until now, or ClusterUnavailable is raised.
        """
        ...

    def forget(self, namespace: str, labels: Mapping[str, str]) -> None:
        """Delete the record Secrets that carry all these labels."""
        ...

    def records(self, namespace: str, labels: Mapping[str, str]) -> list[RecordSecret]:
        """The record Secrets that carry all these labels."""
        ...

    def made_secrets(self, ref: ReleaseRef) -> list[MadeSecret]:
        """The Secrets that the Helm release has made, as it has written down, and labelled as its own."""
        ...

    def put_back(self, ref: ReleaseRef, secrets: Sequence[MadeSecret]) -> None:
        """Make those of the Secrets that are missing, so that the release finds them as its own."""
        ...
