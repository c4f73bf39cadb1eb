"""JSON of the wire -> requests of the domain. All types are checked, unknown fields ignored (items 6-8)."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from flask import Request
from pydantic import BaseModel, ConfigDict, Field, StrictStr, StringConstraints, ValidationError, field_validator

from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.errors import BadRequest
from helmbroker.broker.domain.requests import BindRequest, ProvisionRequest

Id = Annotated[StrictStr, StringConstraints(min_length=1, max_length=255)]
Object = dict[str, Any]


class _Body(BaseModel):
    """A request's body. `null` for an optional field counts as absent (item 6)."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


M = TypeVar("M", bound=_Body)


class _MaintenanceInfo(_Body):
    version: Id


class _Provision(_Body):
    service_id: Id
    plan_id: Id
    organization_guid: Id
    space_guid: Id
    parameters: Object | None = None
    context: Object | None = None
    maintenance_info: _MaintenanceInfo | None = None


class _BindResource(_Body):
    app_guid: StrictStr | None = Field(default=None, max_length=255)


class _Bind(_Body):
    service_id: Id
    plan_id: Id
    parameters: Object | None = None
    context: Object | None = None
    bind_resource: _BindResource | None = None
    app_guid: StrictStr | None = Field(default=None, max_length=255)

    @field_validator("app_guid")
    @classmethod
    def _empty_is_absent(cls, value: str | None) -> str | None:
        return value or None  # Korifi sends ""


def provision(request: Request, instance_id: str) -> ProvisionRequest:
    """OSB item 41. Raises BadRequest."""
    body = _parsed(_Provision, request)
    return ProvisionRequest(
        instance_id=instance_id,
        service_id=body.service_id,
        plan_id=body.plan_id,
        organization_guid=body.organization_guid,
        space_guid=body.space_guid,
        parameters=Parameters(body.parameters or {}),
        context=body.context or {},
        maintenance_version=body.maintenance_info.version if body.maintenance_info else None,
        accepts_incomplete=accepts_incomplete(request),
    )


def bind(request: Request, instance_id: str, binding_id: str) -> BindRequest:
    """OSB item 98. Raises BadRequest."""
    body = _parsed(_Bind, request)
    resource = body.bind_resource.app_guid if body.bind_resource else None
    return BindRequest(
        instance_id=instance_id,
        binding_id=binding_id,
        service_id=body.service_id,
        plan_id=body.plan_id,
        app_guid=resource or body.app_guid,
        parameters=Parameters(body.parameters or {}),
        context=body.context or {},
        accepts_incomplete=accepts_incomplete(request),
    )


def accepts_incomplete(request: Request) -> bool:
    """OSB item 20: exactly true, false or absent."""
    value = request.args.get("accepts_incomplete", "false")
    if value not in ("true", "false"):
        raise BadRequest("accepts_incomplete must be true or false.")
    return value == "true"


def require_ids(request: Request) -> None:
    """OSB items 79, 112: hints that must be there; what they say is not compared (items 28, 94)."""
    for name in ("service_id", "plan_id"):
        if not request.args.get(name):
            raise BadRequest(f"The query parameter {name} is required.")


def operation(request: Request) -> str | None:
    """OSB items 90, 93: the operation that is polled; empty is malformed."""
    value = request.args.get("operation")
    if value == "":
        raise BadRequest("The query parameter operation must not be empty.")
    return value


def _parsed(model: type[M], request: Request) -> M:
    """OSB items 7, 8: a JSON object, whatever the content type is not given as."""
    if request.mimetype not in ("", "application/json"):
        raise BadRequest("The body must be sent as application/json.")
    data = request.get_json(force=True, silent=True)
    if not isinstance(data, dict):
        raise BadRequest("The body must be a JSON object.")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise BadRequest("; ".join(f"{_path(each['loc'])}: {each['msg']}" for each in error.errors())) from None


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location))
