"""What the steps of an operation hold in their hands."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.instance import BindingRecord, InstanceRecord, ServiceInstance
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.ports import AddonRevisions, Cluster, HelmReleases
from helmbroker.broker.domain.store_ports import Transaction
from helmbroker.broker.domain.tenants import NoAccount, Tenant, user
from helmbroker.broker.gate import NO_GRANTS, Grants, Scope
from helmbroker.broker.operations import redaction
from helmbroker.catalog import overrides
from helmbroker.catalog.model import JSON, Addon, DataPolicy, Object, Plan
from helmbroker.catalog.values import of_instance
from helmbroker.durable import Context, Failed
from helmbroker.sealing import Keys

_FORGOTTEN_AFTER_S = 60.0
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SHORTEST_LOOK_S, _LONGEST_LOOK_S = 0.15, 1.0


class Patience:
    """How long operations go on while what they wait for is hopeless: `limit_s` seconds without a break.

    Kept in memory, for all operations of a worker: after a restart the time begins anew. Thread-safe.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_s, self._clock = limit_s, clock
        self._seen: dict[str, tuple[float, float]] = {}  # operation -> first and last time it was hopeless
        self._lock = threading.Lock()

    def over(self, operation_id: str) -> bool:
        """It is hopeless now: has it been for too long?"""
        now = self._clock()
        with self._lock:
            # operations that ended or got hope are not looked at again: the break ends their time
            self._seen = {id_: times for id_, times in self._seen.items() if now - times[1] < _FORGOTTEN_AFTER_S}
            since, _ = self._seen.get(operation_id, (now, now))
            self._seen[operation_id] = since, now
        return now - since >= self._limit_s

    def renew(self, operation_id: str) -> None:
        """There is hope."""
        with self._lock:
            self._seen.pop(operation_id, None)


@dataclass(frozen=True)
class Tools:
    """What stays the same for all operations of a worker."""

    helm: HelmReleases
    cluster: Cluster
    revisions: AddonRevisions
    broker_id: str
    overrides: Mapping[str, Object] = field(repr=False)  # addon name -> the operator's Helm values
    grants: Mapping[str, Grants]  # addon name -> what its charts may do beyond what all may
    patience: Patience
    keys: Keys  # under which the cluster remembers records
    tenants: Sequence[Tenant] = ()  # in whose name charts are applied


@dataclass(frozen=True)
class Admitted:
    """What has passed the gate, and from what it was rendered."""

    source: tuple[Path, Object, ReleaseRef] = field(repr=False)
    manifest: str = field(repr=False)


@dataclass
class Work:
    """One claim of one operation on an instance."""

    ctx: Context
    tools: Tools
    record: InstanceRecord
    transaction: Callable[[], AbstractContextManager[Transaction]]  # fenced: ours, or LeaseLost
    reserve_s: float = field(default=0.0, kw_only=True)  # of the operation's time, for what follows the steps
    admitted: Admitted | None = field(default=None, kw_only=True)  # until the cluster is changed

    @property
    def time_left_s(self) -> float:
        """What the steps may use of the operation's time, in seconds; negative when it is used up."""
        return self.ctx.remaining_s - self.reserve_s

    @property
    def look_again_s(self) -> float:
        """Seconds between two looks at the cluster: a fortieth of what the operation has taken, 0.15 to 1.

        Who waits for a database of four seconds shall not wait for us, and who waits for ten minutes asks the API
        server no more than he has to.
        """
        operation = self.ctx.operation
        taken_s = operation.deadline - operation.created_at - self.ctx.remaining_s
        return min(_LONGEST_LOOK_S, max(_SHORTEST_LOOK_S, taken_s / 40))

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
        """Helm values of the instance."""
        instance = self.record.instance
        fullname = naming.fullname(instance.release.name)
        return of_instance(self.addon, self.plan, instance.parameters.reveal(), self.overrides, fullname)

    @property
    def overrides(self) -> Object:
        """The operator's Helm values for the addon."""
        return overrides.of(self.addon, self.tools.overrides)

    @property
    def deletes_data(self) -> bool:
        """Whether the volumes go with the instance."""
        return self.plan.data is DataPolicy.DELETE

    @property
    def user(self) -> str | None:
        """In whose name the chart is applied; None: in the broker's own. Raises Failed."""
        instance = self.record.instance
        try:
            return user(self.tools.tenants, instance.context, instance.release.namespace)
        except NoAccount:
            raise Failed(
                "The operator has named no service account for this tenant. Ask the operator: what the platform "
                "says of the instance fits no entry of HELMBROKER_TENANTS_FILE."
            ) from None

    @property
    def makers_helm(self) -> HelmReleases:
        """Helm in that name. Who removes what was made needs no right of the tenant's. Raises Failed."""
        maker = self.user
        return self.tools.helm if maker is None else self.tools.helm.acting_as(maker)

    def scope(self) -> Scope:
        """For whom the gate checks what a chart would make."""
        release, grants = self.record.instance.release, self.tools.grants.get(self.addon.name, NO_GRANTS)
        return Scope(release.namespace, release.name, self.plan.pod_security, grants)

    def secrets(self) -> set[str]:
        """Texts that went in and must not come out in a sentence."""
        given = _given_secrets(self.tools, self.record.instance)
        return given | set(redaction.named_like_secrets(self.overrides))

    def public(self, text: str) -> str:
        """The text as a user may read it."""
        return redaction.scrub(text, self.secrets())


@dataclass
class UpdateWork(Work):
    """One claim of an update: `record` has the instance as it is wanted, `before` as it is in force."""

    before: InstanceRecord = field(kw_only=True)

    def secrets(self) -> set[str]:
        """Those that are wanted, and those that are in force."""
        return super().secrets() | _given_secrets(self.tools, self.before.instance)


@dataclass
class BindingWork(Work):
    """One claim of one operation on a binding."""

    binding: BindingRecord = field(kw_only=True)

    @property
    def binding_labels(self) -> dict[str, str]:
        """What marks the Helm release of the binding as ours."""
        binding = self.binding.binding
        return naming.binding_labels(self.tools.broker_id, binding.instance_id, binding.id)

    @property
    def shares_credentials(self) -> bool:
        """Whether there is no binding chart: all bindings get what the instance's own chart has made."""
        return self.plan.credentials_template is not None

    def chart_values(self) -> dict[str, JSON]:
        """Exactly what docs/reference/addon-format.md promises to a binding chart."""
        instance, binding = self.record.instance, self.binding.binding
        release = self.tools.cluster.release(instance.release)
        values: Object = release.values if release is not None else {}
        about: dict[str, JSON] = {
            "id": naming.binding_key(instance.id, binding.id),
            "parameters": binding.parameters.reveal(),
        }
        policy = values.get("networkPolicy")
        if isinstance(policy, Mapping) and "bound" in policy:  # a chart of before would take it for a mistake
            about["client"] = self._client()
        where: dict[str, JSON] = {
            "release": instance.release.name,
            "namespace": instance.release.namespace,
            "values": values,
        }
        return {"instance": where, "binding": about}

    def _client(self) -> dict[str, JSON]:
        """Where the app is, if its platform is Kubernetes and says so (OSB item 57)."""
        context = self.binding.binding.context
        namespace = context.get("namespace") if context.get("platform") == "kubernetes" else None
        is_one = isinstance(namespace, str) and _NAMESPACE.fullmatch(namespace)
        return {"namespace": namespace} if is_one else {}

    def secrets(self) -> set[str]:
        """Those of the instance, and those of the bind request."""
        given = self.binding.binding.parameters.reveal()
        return super().secrets() | redaction.secrets_of(
            self.addon.parameters(self.binding.binding.plan_id).bind, given
        )


def _given_secrets(tools: Tools, instance: ServiceInstance) -> set[str]:
    schemas = tools.revisions.addon(instance.addon_digest).parameters(instance.plan_id)
    return redaction.secrets_of(schemas.create, instance.parameters.reveal())
