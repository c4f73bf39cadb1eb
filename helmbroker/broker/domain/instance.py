"""Service instances and bindings, as recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from helmbroker.broker.domain.credentials import Credentials, Parameters
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import Phase, phase
from helmbroker.catalog.model import Object
from helmbroker.durable import Operation


@dataclass(frozen=True)
class ServiceInstance:
    """What was asked for, and what it pinned: the addon revision and the Helm release."""

    id: str
    service_id: str
    plan_id: str
    organization_guid: str
    space_guid: str
    parameters: Parameters
    context: Object
    release: ReleaseRef
    addon_digest: str


@dataclass(frozen=True)
class InstanceRecord:
    """An instance with its latest operation (of those on the instance itself).

    wanted: what an update is to lead to, until it has; `instance` is what is in force.
    return_to: the revision of the Helm release that runs what is in force, from when an update begins to change the
    release until one of them has ended well, or has undone what it did.
    deployed: the revision of the Helm release that we made last; None: it was made before this was recorded.
    """

    instance: ServiceInstance
    operation: Operation
    wanted: ServiceInstance | None = None
    return_to: int | None = None
    deployed: int | None = None

    @property
    def phase(self) -> Phase:
        return phase(self.operation)


@dataclass(frozen=True)
class ServiceBinding:
    """One binding of an instance. `credentials`, and what comes with them, is there when the bind has stored them.

    Times are seconds since the epoch on the database's clock; None: it does not expire (OSB item 104).
    """

    id: str
    instance_id: str
    service_id: str
    plan_id: str
    app_guid: str | None
    parameters: Parameters
    context: Object
    release: ReleaseRef
    predecessor_id: str | None = None  # whose credentials it is to replace (OSB item 108)
    credentials: Credentials | None = None
    endpoints: Sequence[Object] = ()
    expires_at: float | None = None
    renew_before: float | None = None


@dataclass(frozen=True)
class BindingRecord:
    """A binding with its latest operation. `expired`: it is to be revoked, or just being so."""

    binding: ServiceBinding
    operation: Operation
    expired: bool = False
    deployed: int | None = None

    @property
    def phase(self) -> Phase:
        return phase(self.operation)
