"""Our OpenAPI document, narrowed to what the broker under test offers: else hardly any request would be accepted.

Requests that break a rule of the document are made, too; narrower rules are only broken more often.
"""

from __future__ import annotations

import base64
import json
from copy import deepcopy
from typing import Any

from helmbroker.catalog.model import Catalog, Object
from tests.api.broker.described import document

VERSIONS = ("2.13", "2.14", "2.15", "2.16", "2.17", "2.18", "2.99")
# few, so that requests meet; odd, because platforms choose them
INSTANCES = ("i1", "i 2", "a/b", "a%2Fb")
BINDINGS = ("b1", "b2", "ü/..", "+")
IDENTITY = "kubernetes " + base64.b64encode(json.dumps({"username": "duke"}).encode()).decode()
_UNUSED = frozenset({"/openapi.yaml"})  # text/yaml is parsed before it is compared with its schema, a string


def adapted(catalog: Catalog) -> dict[str, Any]:
    """The document for this catalog."""
    made = deepcopy(document())
    made["paths"] = {path: item for path, item in made["paths"].items() if path not in _UNUSED}
    made["security"] = [{"basic": []}]
    _parameters(made["components"]["parameters"], catalog)
    _bodies(made["components"]["schemas"], catalog)
    return made


def _parameters(parameters: dict[str, Any], catalog: Catalog) -> None:
    services, plans = _ids(catalog)
    for name, values in {
        "ApiVersion": VERSIONS,
        "OriginatingIdentity": (IDENTITY,),
        "InstanceId": INSTANCES,
        "BindingId": BINDINGS,
        "ServiceId": services,
        "ServiceHint": services,
        "PlanId": plans,
        "PlanHint": plans,
    }.items():
        parameters[name]["schema"] = _one_of(values)
    parameters["AcceptsIncomplete"]["required"] = (
        True  # so that it is left out when a rule is broken, no more often
    )


def _bodies(schemas: dict[str, Any], catalog: Catalog) -> None:
    services, plans = _ids(catalog)
    addons = catalog.addons
    for body, allowed in {
        "ProvisionRequest": [plan.parameters.create for addon in addons for plan in addon.plans],
        "UpdateRequest": [plan.parameters.update for addon in addons for plan in addon.plans],
        "BindRequest": [plan.parameters.bind for addon in addons for plan in addon.plans],
    }.items():
        ids = {"service_id": _one_of(services), "plan_id": _one_of(plans)}
        schemas[body]["properties"] |= {**ids, "parameters": _any(allowed)}
    owner = {"organization_guid": _one_of(("org",)), "space_guid": _one_of(("space",))}
    schemas["ProvisionRequest"]["properties"] |= owner
    schemas["BindRequest"]["properties"]["predecessor_binding_id"] = _one_of(BINDINGS)
    versions = [addon.version for addon in addons]
    schemas["MaintenanceInfoAsked"]["properties"]["version"] = _one_of((*versions, "0.0.1"))


def _ids(catalog: Catalog) -> tuple[tuple[str, ...], tuple[str, ...]]:
    addons = catalog.addons
    return tuple(addon.id for addon in addons), tuple(plan.id for addon in addons for plan in addon.plans)


def _one_of(values: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def _any(schemas: list[Object | None]) -> dict[str, Any]:
    """Parameters that one of these allows, or none."""
    given = [{key: value for key, value in schema.items() if key != "$schema"} for schema in schemas if schema]
    return {"anyOf": [{"type": "null"}, *given]}
