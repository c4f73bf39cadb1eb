"""Service instances and bindings, as recorded."""

from __future__ import annotations

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
    """An instance with its latest operation (of those on the instance itself)."""

    instance: ServiceInstance
    operation: Operation

    @property
    def phase(self) -> Phase:
        return phase(self.operation)


@dataclass(frozen=True)
class ServiceBinding:
    """One binding of an instance. `credentials` is None until the bind operation has stored them."""

    id: str
    instance_id: str
    service_id: str
    plan_id: str
    app_guid: str | None
    parameters: Parameters
    context: Object
    release: ReleaseRef
    credentials: Credentials | None = None


@dataclass(frozen=True)
class BindingRecord:
    """A binding with its latest operation."""

    binding: ServiceBinding
    operation: Operation

    @property
    def phase(self) -> Phase:
        return phase(self.operation)
