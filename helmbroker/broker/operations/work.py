"""What the steps of an operation hold in their hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord
from helmbroker.broker.domain.ports import AddonRevisions, Cluster, HelmReleases, Transaction
from helmbroker.catalog.model import JSON, NOTHING, Addon, Object, Plan
from helmbroker.catalog.values import merge
from helmbroker.durable import Context


@dataclass(frozen=True)
class Tools:
    """What stays the same for all operations of a worker."""

    helm: HelmReleases
    cluster: Cluster
    revisions: AddonRevisions
    broker_id: str
    overrides: Mapping[str, Object] = field(repr=False)  # addon name -> the operator's Helm values
    stuck_after_s: float  # how long something hopeless may stay so before the operation fails


@dataclass
class Work:
    """One claim of one operation on an instance."""

    ctx: Context
    tools: Tools
    record: InstanceRecord
    transaction: Callable[[], AbstractContextManager[Transaction]]  # fenced: ours, or LeaseLost
    hopeless_since: float | None = None

    @property
    def addon(self) -> Addon:
        """The revision that the instance has pinned."""
        return self.tools.revisions.addon(self.record.instance.addon_digest)

    @property
    def plan(self) -> Plan:
        plan = self.addon.plan(self.record.instance.plan_id)
        if plan is None:
            raise LookupError("a pinned revision holds the plans of its instances")
        return plan

    @property
    def labels(self) -> dict[str, str]:
        """What marks the Helm release of the instance as ours."""
        return naming.instance_labels(self.tools.broker_id, self.record.instance.id)

    def values(self) -> dict[str, JSON]:
        """Helm values of the instance; the operator's overrides win over the user."""
        given = self.record.instance.parameters.reveal()
        return merge(self.plan.values, given, self.tools.overrides.get(self.addon.name, NOTHING))

    def stuck(self, *, hopeless: bool) -> bool:
        """Whether what is waited for has been hopeless for too long. In memory: a restart begins anew."""
        if not hopeless:
            self.hopeless_since = None
            return False
        now = time.monotonic()
        self.hopeless_since = now if self.hopeless_since is None else self.hopeless_since
        return now - self.hopeless_since >= self.tools.stuck_after_s


@dataclass
class BindingWork(Work):
    """One claim of one operation on a binding."""

    binding: BindingRecord = field(kw_only=True)

    @property
    def binding_labels(self) -> dict[str, str]:
        """What marks the Helm release of the binding as ours."""
        binding = self.binding.binding
        return naming.binding_labels(self.tools.broker_id, binding.instance_id, binding.id)
