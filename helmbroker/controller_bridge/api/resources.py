"""/v2/apps/<app>/resources/: the resources of an app."""

from __future__ import annotations

import re

from flask import Response, jsonify

from helmbroker.controller_bridge import options
from helmbroker.controller_bridge.api.bodies import json_object, moment, of_controller, page, window
from helmbroker.controller_bridge.api.context import api, require, user, workspace
from helmbroker.controller_bridge.api.errors import Invalid
from helmbroker.controller_bridge.api.shown import credentials, parameters
from helmbroker.controller_bridge.model import BindingState, Resource, Role
from helmbroker.controller_bridge.naming import MAX_PLAN, name_error
from helmbroker.controller_bridge.service import UNCHANGEABLE, NewResource, Refused
from helmbroker.durable import JSON

_REQUIRED = "This field is required."


def list_resources(app: str) -> Response:
    """One page, newest first. Lists carry neither credentials nor options."""
    limit, offset = window()
    count, resources = api().service.page(app, limit=limit, offset=offset)
    return page([resource_object(resource) for resource in resources], count, limit, offset)


def create_resource(app: str) -> Response:
    """Begin to provision, or share the instance of another resource: 201 with the resource."""
    body = json_object()
    resource = _share(app, body) if "from" in body else api().service.create(_new(app, body), user())
    response = jsonify(resource_object(resource))
    response.status_code = 201
    return response


def get_resource(app: str, name: str) -> Response:
    """One resource with its live message; credentials and options are asked from the broker now."""
    resource, message, failed = api().service.look(app, name)
    (data, trouble), given = credentials(resource), parameters(resource)
    shown = resource_object(resource) | {"data": data, "options": given or {}, "options_shown": given is not None}
    said = {"message": f"{message} ({trouble})" if trouble else message, "failed": failed}
    return jsonify(shown | said | {"shared_with": list(api().sharing.sharing(resource))})


def update_resource(app: str, name: str) -> Response:
    """`{"plan", "options"}`: begin to change the instance, and answer 200 with the resource.

    Without a plan it keeps its own, but not for clients of the controller's API, who know that as a refusal.
    """
    api().service.look(app, name)
    body = json_object()
    plan = body.get("plan") or None
    if plan is None and of_controller():
        raise Refused(UNCHANGEABLE)
    given = _options(body, _faults(body, keeps_plan=plan is None))
    updated = api().service.update(app, name, None if plan is None else str(plan), given, user())
    return jsonify(resource_object(updated))


def destroy_resource(app: str, name: str) -> Response:
    """Begin to deprovision: 204. The resource is shown as Deprovisioning until the broker is done."""
    api().service.destroy(app, name, user())
    return Response(status=204)


def resource_object(resource: Resource) -> dict[str, JSON]:
    """A resource as all known clients read it; each ignores what it does not know."""
    bound = resource.binding is not BindingState.UNBOUND
    return {
        "uuid": resource.uuid,
        "app": resource.app,
        "app_id": resource.app,
        "workspace_id": workspace(resource.app),
        "owner": resource.owner,
        "name": resource.name,
        "plan": resource.plan_name,
        "broker": resource.broker if resource.service_id else None,
        "shared_from": resource.source,
        "data": {},
        "status": str(resource.instance),
        "binding": str(resource.binding) if bound else None,
        "options": {},
        "env": resource.env.stored(),
        "rotate_every_s": resource.rotate_every_s,
        "rotate_at": None if resource.rotate_at is None else moment(resource.rotate_at),
        "created": moment(resource.created),
        "updated": moment(resource.updated),
    }


def _share(app: str, body: dict[str, JSON]) -> Resource:
    """For members of both apps: they may see the credentials anyway. Raises Invalid, Forbidden."""
    messages: dict[str, list[str]] = {}
    name, source = body.get("name"), body.get("from")
    if error := name_error(name):
        messages["name"] = [error]
    if not (isinstance(source, str) and re.fullmatch(r"[a-z0-9-]{1,63}/[a-z0-9-]{1,63}", source)):
        messages["from"] = ["Name another app's resource: app/name."]
    if both := sorted({"plan", "options"} & set(body)):
        messages |= {each: ["It is that of the resource that is shared: leave it out."] for each in both}
    if messages:
        raise Invalid(messages)
    theirs, _, shared = str(source).partition("/")
    require(theirs, Role.MEMBER)
    return api().sharing.share(app, str(name), (theirs, shared), user())


def _new(app: str, body: dict[str, JSON]) -> NewResource:
    """The body of a create, checked; `app` comes from the path alone. Raises Invalid."""
    error = name_error(body.get("name"))
    given = _options(body, ({"name": [error]} if error else {}) | _faults(body))
    service, _, plan_name = str(body["plan"]).partition(":")
    return NewResource(app, str(body["name"]), service, plan_name, given)


def _faults(body: dict[str, JSON], *, keeps_plan: bool = False) -> dict[str, list[str]]:
    """What is wrong with plan and options, by field."""
    messages: dict[str, list[str]] = {}
    given = body.get("options")
    if not keeps_plan and (error := _plan_error(body.get("plan"))):
        messages["plan"] = [error]
    if given is not None and not isinstance(given, dict):
        messages["options"] = [f'Expected a dictionary of items but got type "{type(given).__name__}".']
    return messages


def _options(body: dict[str, JSON], faults: dict[str, list[str]]) -> dict[str, JSON]:
    """The options of a body without fault. Raises Invalid."""
    if faults:
        raise Invalid(faults)
    given = body.get("options")
    try:
        return options.decode(given if isinstance(given, dict) else {})
    except options.OptionsError as error:
        raise Invalid({"options": [str(error)]}) from None


def _plan_error(plan: JSON) -> str | None:
    if not isinstance(plan, str) or not plan:
        return _REQUIRED
    if len(plan) > MAX_PLAN:
        return f"Ensure this field has no more than {MAX_PLAN} characters."
    return None if plan.isprintable() else "Not a valid string."
