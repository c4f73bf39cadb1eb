"""JSON of the wire -> requests of the domain. All types are checked, unknown fields ignored (items 6-8)."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from flask import Request
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from helmbroker.broker.api import bodies, ids, journal
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.errors import BadRequest
from helmbroker.broker.domain.fleet import Asked
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.requests import BindRequest, ProvisionRequest, RotateRequest, UpdateRequest

MAX_OBJECT_BYTES = 128 << 10  # of `parameters` and `context`, as JSON: both are stored with the instance


def _id(text: str) -> str:
    if not ids.is_id(text):
        raise PydanticCustomError("id", ids.RULE)
    return text


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_OBJECT_BYTES:
        raise PydanticCustomError("too_large", f"must have at most {MAX_OBJECT_BYTES} bytes as JSON")
    return value


Id = Annotated[StrictStr, AfterValidator(_id)]
# Korifi sends "" where it means nothing (item 6)
OptionalId = Annotated[Id | None, BeforeValidator(lambda value: None if value == "" else value)]
Object = Annotated[dict[str, Any], AfterValidator(_bounded)]


class _Body(BaseModel):
    """A request's body. `null` for an optional field counts as absent (item 6)."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


M = TypeVar("M", bound=_Body)

# pydantic's kinds of faults, in the words of JSON; its own texts name our classes
_FAULTS = {
    "missing": "is required",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number, or percent as a string",
    "dict_type": "must be an object",
    "model_type": "must be an object",
}


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


class _PreviousMaintenance(_Body):
    version: StrictStr | None = None


class _PreviousValues(_Body):
    """OSB item 74: informational, so its types are all that is looked at."""

    plan_id: StrictStr | None = None
    service_id: StrictStr | None = None
    organization_id: StrictStr | None = None
    space_id: StrictStr | None = None
    maintenance_info: _PreviousMaintenance | None = None


class _Update(_Body):
    service_id: Id
    plan_id: Id | None = None
    parameters: Object | None = None
    context: Object | None = None
    maintenance_info: _MaintenanceInfo | None = None
    previous_values: _PreviousValues | None = None


class _BindResource(_Body):
    app_guid: OptionalId = None


class _Rotate(_Body):
    service_id: Id | None = None
    plan_id: Id | None = None
    parameters: Object | None = None
    context: Object | None = None
    bind_resource: _BindResource | None = None
    app_guid: OptionalId = None
    predecessor_binding_id: OptionalId = None


class _Bind(_Rotate):
    service_id: Id
    plan_id: Id


class _Purge(_Body):
    namespace: Id
    release: Id
    with_data: StrictBool = False


class _Retire(_Body):
    service: Id | None = None
    plan: Id | None = None
    undo: StrictBool = False


class _Fleet(_Body):
    service: Id | None = None
    plan: Id | None = None
    canary: StrictInt | StrictStr = 1
    wave: StrictInt | StrictStr = "10%"
    stop_on_failure: StrictBool = False
    contract: StrictBool = True
    dry_run: StrictBool = False


def provision(request: Request, instance_id: str) -> ProvisionRequest:
    """OSB item 41. Raises BadRequest."""
    body = _parsed(_Provision, _read(request))
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


def update(request: Request, instance_id: str) -> UpdateRequest:
    """OSB item 65. Raises BadRequest."""
    body = _parsed(_Update, _read(request))
    return UpdateRequest(
        instance_id=instance_id,
        service_id=body.service_id,
        plan_id=body.plan_id,
        parameters=None if body.parameters is None else Parameters(body.parameters),
        context=body.context,
        maintenance_version=body.maintenance_info.version if body.maintenance_info else None,
        accepts_incomplete=accepts_incomplete(request),
    )


def bind(request: Request, instance_id: str, binding_id: str) -> BindRequest | RotateRequest:
    """OSB items 98, 108. Raises BadRequest."""
    body = _read(request)
    rotation = _parsed(_Rotate, body)
    resource = rotation.bind_resource.app_guid if rotation.bind_resource else None
    app_guid = resource or rotation.app_guid
    if rotation.predecessor_binding_id is not None:
        return RotateRequest(
            instance_id=instance_id,
            binding_id=binding_id,
            predecessor_id=rotation.predecessor_binding_id,
            service_id=rotation.service_id,
            plan_id=rotation.plan_id,
            app_guid=app_guid,
            parameters=None if rotation.parameters is None else Parameters(rotation.parameters),
            context=rotation.context,
            accepts_incomplete=accepts_incomplete(request),
        )
    whole = _parsed(_Bind, body)
    return BindRequest(
        instance_id=instance_id,
        binding_id=binding_id,
        service_id=whole.service_id,
        plan_id=whole.plan_id,
        app_guid=app_guid,
        parameters=Parameters(whole.parameters or {}),
        context=whole.context or {},
        accepts_incomplete=accepts_incomplete(request),
    )


def fleet(request: Request) -> tuple[Asked, bool]:
    """What a run is to be about, and whether it is only to be told. Raises BadRequest."""
    body = _parsed(_Fleet, bodies.json_object(request))
    asked = Asked(body.service, body.plan, str(body.canary), str(body.wave), body.stop_on_failure, body.contract)
    return asked, body.dry_run


def purge(request: Request) -> tuple[ReleaseRef, bool]:
    """The Helm release that is to be removed, and whether its volumes are. Raises BadRequest."""
    body = _parsed(_Purge, bodies.json_object(request))
    return ReleaseRef(body.namespace, body.release), body.with_data


def retirement(request: Request) -> tuple[str | None, str | None, bool]:
    """The service or plan that is to be retired, and whether that is undone. Raises BadRequest."""
    body = _parsed(_Retire, bodies.json_object(request))
    return body.service, body.plan, body.undo


def accepts_incomplete(request: Request) -> bool:
    """OSB item 20: exactly true, false or absent."""
    value = request.args.get("accepts_incomplete", "false")
    if value not in ("true", "false"):
        raise BadRequest("accepts_incomplete must be true or false.")
    return value == "true"


def require_ids(request: Request) -> None:
    """OSB items 79, 112: hints that must be there; what they say is not compared (items 28, 94).

    They belong into the query; older versions of Korifi send them in the body.
    """
    missing = [name for name in ("service_id", "plan_id") if not request.args.get(name)]
    if missing and bodies.data(request):
        body = bodies.json_object(request)
        missing = [name for name in missing if not (isinstance(body.get(name), str) and body[name])]
    if missing:
        raise BadRequest(f"Missing in the query: {', '.join(missing)}.")


def operation(request: Request) -> str | None:
    """OSB items 90, 93: the operation that is polled; empty is malformed, what cannot be ours means the latest."""
    value = request.args.get("operation")
    if value == "":
        raise BadRequest("The query parameter operation must not be empty; leave it out to ask for the latest one.")
    return value if value is not None and ids.is_id(value) else None


def _read(request: Request) -> dict[str, Any]:
    body = bodies.json_object(request)
    journal.compare_platforms(request, body.get("context"))
    return body


def _parsed(model: type[M], body: dict[str, Any]) -> M:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        faults = ((_path(each["loc"]), _FAULTS.get(each["type"], each["msg"])) for each in error.errors())
        raise BadRequest("; ".join(f"{path}: {fault}" for path, fault in faults)) from None


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location))
