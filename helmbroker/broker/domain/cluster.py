"""What the broker knows of the cluster: Helm releases and what they run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.catalog.model import Object


class HelmStatus(StrEnum):
    """Status of a revision, as Helm's release Secret has it; but for UNREADABLE, which is our word."""

    DEPLOYED = "deployed"
    FAILED = "failed"
    PENDING_INSTALL = "pending-install"
    PENDING_UPGRADE = "pending-upgrade"
    PENDING_ROLLBACK = "pending-rollback"
    UNINSTALLING = "uninstalling"
    UNINSTALLED = "uninstalled"
    SUPERSEDED = "superseded"
    UNKNOWN = "unknown"
    UNREADABLE = "unreadable"  # its labels tell whose it is, and nothing tells what it made: helm passes it over


@dataclass(frozen=True)
class HelmRelease:
    """The newest revision of a Helm release. `values`: what templates see, chart defaults merged in.

    given: what helm was given for this revision, without the chart's defaults.
    chart: what it was made of, as NAME-VERSION.
    client_side: helm 3 has made it, and so helm goes on to merge what changes, and applies nothing on the server.
    by_others: its label of the broker's claim is that of the revision before, as Helm carries labels over; so
    it was made by a helm that was not the broker's.
    """

    ref: ReleaseRef
    revision: int
    status: HelmStatus
    labels: Mapping[str, str]
    values: Object = field(repr=False)
    by_others: bool = False
    given: Object = field(default_factory=dict, repr=False)
    chart: str = ""
    client_side: bool = False

    def belongs_to(self, labels: Mapping[str, str]) -> bool:
        """Whether it carries all these labels, so is ours to change."""
        return all(self.labels.get(key) == value for key, value in labels.items())


@dataclass(frozen=True)
class Capabilities:
    """What the cluster is, as charts ask for it: its version, and `group/version` and `group/version/Kind` of all
    that it serves.
    """

    kube_version: str
    api_versions: tuple[str, ...]


@dataclass(frozen=True)
class Ready:
    """Every workload of the release is ready."""


@dataclass(frozen=True)
class NotReady:
    """What is waited for, with cause and cure. `hopeless`: it cannot become ready by waiting alone."""

    reason: str
    hopeless: bool = False


Readiness = Ready | NotReady


@dataclass(frozen=True)
class RecordSecret:
    """The Secret in which the cluster remembers what has the Helm release `ref`. `addon`: its packed revision."""

    ref: ReleaseRef
    labels: Mapping[str, str]
    sealed: bytes = field(repr=False)
    addon: bytes | None = field(default=None, repr=False)

    def belongs_to(self, labels: Mapping[str, str]) -> bool:
        """Whether it carries all these labels, so is ours to change."""
        return all(self.labels.get(key) == value for key, value in labels.items())
