"""How Helm and the cluster fail, as the operations see it."""

from __future__ import annotations

from enum import StrEnum

from helmbroker.durable import Failed, Transient


class HelmFault(StrEnum):
    """What went wrong, told apart as far as a decision or a cure depends on it."""

    PENDING = "another operation is in progress on the Helm release"
    OWNERSHIP = "an object of the chart exists and belongs to somebody else"
    CONFLICT = "somebody else manages a field that the chart sets"
    VALUES = "the values break the chart's schema"
    RENDER = "the chart cannot be rendered"
    CHART = "the chart cannot be read"
    NAMESPACE = "the namespace for instances is not there"
    TERMINATING = "the namespace for instances is being deleted, and takes in nothing new"
    FORBIDDEN = "the broker lacks a right in the cluster"
    QUOTA = "a quota of the namespace is used up"
    INVALID = "the cluster refuses an object of the chart"
    HOOK = "a Job of the chart failed"
    TIMEOUT = "a Job of the chart did not end in time"
    UNREACHABLE = "the cluster cannot be reached"
    SERVER = "the cluster had an internal error"
    NOT_DEPLOYED = "no revision of the Helm release is left that Helm could begin from"
    MISSING = "helm cannot be used"
    STORAGE = "there is no space left on the broker's disk"
    STOPPED = "Helm was stopped"
    OTHER = "Helm failed"


# what may be otherwise in a while; a Helm that was stopped by somebody else just begins anew
RETRYABLE = frozenset(
    {HelmFault.UNREACHABLE, HelmFault.SERVER, HelmFault.PENDING, HelmFault.STORAGE, HelmFault.STOPPED}
)


class HelmError(Exception):
    """Helm ended with an error. `detail` is Helm's own text, bounded. It may repeat values: scrub it first."""

    def __init__(self, fault: HelmFault, detail: str) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.detail = detail

    @property
    def retryable(self) -> bool:
        return self.fault in RETRYABLE


# what the broker stands on is away: that says nothing about the operation
OUTAGES = frozenset({HelmFault.UNREACHABLE, HelmFault.STORAGE})


class Outage(Transient):
    """What the broker stands on is away. It is waited for as long as there is time; no attempt is lost."""


class ClusterUnavailable(Outage):
    """The cluster cannot be reached, or is overloaded: the operation is tried again."""


class ClusterRefused(Failed):
    """The cluster refused a call: a missing right, a quota, an object of somebody else."""
