"""The JSON that brokers answer with, as far as the platform side reads it (OSB 2.17)."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import pydantic

from helmbroker.controller_bridge.broker_port import (
    LONGEST_S,
    BrokerError,
    Credentials,
    Offering,
    Plan,
    Progress,
)

M = TypeVar("M", bound=pydantic.BaseModel)


class _Wire(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class _Parameters(_Wire):
    parameters: dict[str, pydantic.JsonValue] | None = None


class _InstanceSchemas(_Wire):
    create: _Parameters | None = None
    update: _Parameters | None = None


class _Schemas(_Wire):
    service_instance: _InstanceSchemas | None = None


class _Plan(_Wire):
    id: str = pydantic.Field(min_length=1)
    name: str = pydantic.Field(min_length=1)
    description: str
    bindable: bool | None = None
    plan_updateable: bool | None = None
    binding_rotatable: bool = False
    maximum_polling_duration: pydantic.JsonValue = None  # what is no time counts as unsaid, and hides no catalog
    schemas: _Schemas | None = None


class _Service(_Wire):
    id: str = pydantic.Field(min_length=1)
    name: str = pydantic.Field(min_length=1)
    description: str
    bindable: bool
    plan_updateable: bool = False
    instances_retrievable: bool = False
    plans: list[_Plan]


class Catalog(_Wire):
    """GET /v2/catalog (items 23 to 37)."""

    services: list[_Service]

    def offerings(self) -> tuple[Offering, ...]:
        """The catalog in the words of the port."""
        return tuple(_offering(service) for service in self.services)


class Accepted(_Wire):
    """200, 201, 202 and 410 of PUT and DELETE (items 44, 45, 52)."""

    operation: str | None = None


class Instance(_Wire):
    """GET of an instance (item 63)."""

    parameters: dict[str, pydantic.JsonValue] | None = None


class _BindingMetadata(_Wire):
    expires_at: datetime | None = None
    renew_before: datetime | None = None


class Binding(_Wire):
    """PUT and GET of a binding (items 103, 111)."""

    operation: str | None = None
    credentials: dict[str, pydantic.JsonValue] | None = pydantic.Field(default=None, repr=False)
    metadata: _BindingMetadata | None = None

    def delivered(self) -> Credentials:
        """The credentials in the words of the port."""
        due = (self.metadata.renew_before or self.metadata.expires_at) if self.metadata else None
        return Credentials(self.credentials or {}, due.timestamp() if due else None)


class LastOperation(_Wire):
    """GET last_operation (items 88, 89)."""

    state: Progress
    description: str | None = None


class Error(_Wire):
    """The body of a refusal (item 10)."""

    error: str | None = None
    description: str | None = None


def refusal(status: int, data: object) -> BrokerError:
    """What an answer with the status of an error says."""
    if status in (401, 403):
        return BrokerError(status, "", "it does not accept the bridge's login; its operator has to set it")
    try:
        said = Error.model_validate(data)
    except pydantic.ValidationError:
        said = Error()
    return BrokerError(status, said.error or "", said.description or "it gave no reason")


def _offering(service: _Service) -> Offering:
    return Offering(
        id=service.id,
        name=service.name,
        description=service.description,
        updateable=service.plan_updateable,
        instances_retrievable=service.instances_retrievable,
        plans=tuple(_plan(service, plan) for plan in service.plans),
    )


def _plan(service: _Service, plan: _Plan) -> Plan:
    """A plan's own word wins over its offering's (item 32)."""
    instance = plan.schemas.service_instance if plan.schemas else None
    create = instance.create if instance else None
    longest_s = plan.maximum_polling_duration
    return Plan(
        id=plan.id,
        name=plan.name,
        description=plan.description,
        bindable=service.bindable if plan.bindable is None else plan.bindable,
        updateable=service.plan_updateable if plan.plan_updateable is None else plan.plan_updateable,
        parameters_schema=create.parameters if create else None,
        binding_rotatable=plan.binding_rotatable,
        admin_rotatable=_has(instance.update if instance else None, "admin", "rotation"),
        longest_s=min(longest_s, LONGEST_S) if type(longest_s) is int and longest_s > 0 else None,
    )


def _has(schema: _Parameters | None, *path: str) -> bool:
    """Whether a schema has a parameter of its own at the path (item 37)."""
    found: object = schema.parameters if schema else None
    for name in path:
        properties = found.get("properties") if isinstance(found, dict) else None
        found = properties.get(name) if isinstance(properties, dict) else None
    return found is not None
