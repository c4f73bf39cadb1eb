"""What a platform asks, parsed: the same attributes that the OSB specification names."""

from __future__ import annotations

from dataclasses import dataclass

from helmbroker.broker.domain.credentials import Parameters
from helmbroker.catalog.model import Object


@dataclass(frozen=True)
class ProvisionRequest:
    """PUT /v2/service_instances/:id (OSB items 41-58)."""

    instance_id: str
    service_id: str
    plan_id: str
    organization_guid: str
    space_guid: str
    parameters: Parameters
    context: Object
    maintenance_version: str | None
    accepts_incomplete: bool


@dataclass(frozen=True)
class UpdateRequest:
    """PATCH /v2/service_instances/:id (OSB items 65-78). None: left out, so it stays as it is (item 66)."""

    instance_id: str
    service_id: str
    plan_id: str | None
    parameters: Parameters | None
    context: Object | None
    maintenance_version: str | None
    accepts_incomplete: bool

    @property
    def only_context(self) -> bool:
        """OSB item 73: nothing that Helm would have to do."""
        others = (self.plan_id, self.parameters, self.maintenance_version)
        return self.context is not None and all(other is None for other in others)


@dataclass(frozen=True)
class BindRequest:
    """PUT .../service_bindings/:bid (OSB items 98-109)."""

    instance_id: str
    binding_id: str
    service_id: str
    plan_id: str
    app_guid: str | None
    parameters: Parameters
    context: Object
    accepts_incomplete: bool
    predecessor_id: str | None = None


@dataclass(frozen=True)
class RotateRequest:
    """PUT .../service_bindings/:bid with a predecessor: what is None is as it is there (OSB item 108)."""

    instance_id: str
    binding_id: str
    predecessor_id: str
    service_id: str | None
    plan_id: str | None
    app_guid: str | None
    parameters: Parameters | None
    context: Object | None
    accepts_incomplete: bool


@dataclass(frozen=True)
class DeprovisionRequest:
    """DELETE /v2/service_instances/:id (OSB items 79-87)."""

    instance_id: str
    accepts_incomplete: bool


@dataclass(frozen=True)
class UnbindRequest:
    """DELETE .../service_bindings/:bid (OSB items 112-116)."""

    instance_id: str
    binding_id: str
    accepts_incomplete: bool
