"""What Drycc's helmbroker has written of an instance, in our words; or why it cannot be read. Pure.

B-numbers are bugs of it, and of what it has left in its files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from jsonschema.protocols import Validator

from helmbroker.broker.api.ids import MAX_CHARACTERS, is_id
from helmbroker.broker.domain import naming
from helmbroker.broker.domain.credentials import Credentials, Parameters
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.catalog import dotted
from helmbroker.catalog.model import JSON, NOTHING, Object
from helmbroker.catalog.schemas import explain, validator
from helmbroker.catalog.values import merge

_ID: Object = {"type": "string", "minLength": 1, "maxLength": MAX_CHARACTERS}
_TEXT: Object = {"type": ["string", "null"]}
_LAST: Object = {
    "type": ["object", "null"],
    "properties": {
        "state": {"enum": ["in progress", "succeeded", "failed", None]},
        "operation": _TEXT,
        "description": _TEXT,
    },
}
_RULES = validator(
    {
        "type": "object",
        "required": ["details"],
        "properties": {
            "id": _ID,
            "details": {
                "type": "object",
                "required": ["service_id", "plan_id", "context"],
                "properties": {
                    "service_id": _ID,
                    "plan_id": _ID,
                    "organization_guid": _TEXT,
                    "space_guid": _TEXT,
                    "parameters": {"type": ["object", "null"]},
                    "context": {
                        "type": "object",
                        "required": ["instance_name", "namespace"],
                        "properties": {  # names for helm and Kubernetes, whoever has chosen them (B3)
                            "instance_name": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$"},
                            "namespace": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"},
                        },
                    },
                },
            },
            "last_operation": _LAST,
        },
    }
)
_BINDING_RULES = validator(
    {
        "type": "object",
        "required": ["binding_id", "credentials"],
        "properties": {"binding_id": _ID, "credentials": {"type": "object"}, "last_operation": _LAST},
    }
)
_INTEGER = re.compile("[+-]?[1-9][0-9]{0,18}")
_WORDS: Mapping[str, JSON] = {"true": True, "false": False, "null": None, "0": 0}


class Unclear(Exception):
    """Why an instance cannot be migrated, and the cure: a sentence for the operator, without any value."""


class State(StrEnum):
    """How its last operation ended, as it is written; nothing written is as good as not ended."""

    IN_PROGRESS = "in progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class OldBinding:
    """The last binding of an instance: the only one that is known (B20)."""

    id: str
    credentials: Credentials


@dataclass(frozen=True)
class OldInstance:
    """service_id, plan_id: as they are written, so they may be mixed up (B14). removing: the last operation."""

    id: str
    service_id: str
    plan_id: str
    organization_guid: str
    space_guid: str
    parameters: Parameters
    context: Object = field(repr=False)
    release: ReleaseRef
    state: State
    removing: bool
    binding: OldBinding | None


def instance(id_: str, written: JSON, binding: JSON, raw: Object | None) -> OldInstance:
    """Of instance.json and binding.json (None: not there). Raises Unclear.

    raw: of custom-addon-values.yaml, the `rawValues` that helm was given last; None: there is no such file.
    """
    if not is_id(id_):
        raise Unclear("its id has control characters, or is too long; no platform can ask for it here")
    data = _kept(_RULES, written, "instance.json")
    if data.get("id", id_) != id_:
        raise Unclear("instance.json is of another instance; give each its own folder again")
    details, last = data["details"], data.get("last_operation") or {}
    context = details["context"]
    if naming.is_ours(context["instance_name"]):
        raise Unclear(
            f"its Helm release is called {context['instance_name']}: names that begin so are this broker's"
        )
    return OldInstance(
        id=id_,
        service_id=details["service_id"],
        plan_id=details["plan_id"],
        organization_guid=details.get("organization_guid") or "",
        space_guid=details.get("space_guid") or "",
        parameters=Parameters(parameters(details.get("parameters") or {}, raw)),
        context=context,
        release=ReleaseRef(context["namespace"], context["instance_name"]),
        state=State(last.get("state") or State.IN_PROGRESS),
        removing=last.get("operation") == "deprovision",
        binding=_binding(binding),
    )


def parameters(given: Object, raw: Object | None) -> dict[str, JSON]:
    """As they are recorded here: nested, and typed as helm has read them behind `--set`. Raises Unclear.

    A null was no value there (B44), and is none here.
    """
    try:
        set_ = {key: _as_set(value) for key, value in given.items() if key != dotted.RAW and value is not None}
        if raw is None:
            raw = dotted.nested({dotted.RAW: given[dotted.RAW]}) if given.get(dotted.RAW) else NOTHING
        return merge(raw, dotted.nested(set_))
    except dotted.Unclear as error:
        raise Unclear(f"instance.json: parameters: {error}; correct them there") from None


def _as_set(value: JSON) -> JSON:
    """What `helm --set` makes of a text: Drycc's command line sends nothing but texts."""
    if not isinstance(value, str):
        return value
    if value.lower() in _WORDS:
        return _WORDS[value.lower()]
    return int(value) if _INTEGER.fullmatch(value) else value


def _binding(written: JSON) -> OldBinding | None:
    """None also for one that is gone, though its file is there (B23), and for one that failed."""
    if written is None:
        return None
    data = _kept(_BINDING_RULES, written, "binding.json")
    last = data.get("last_operation") or {}
    gone = str(last.get("description") or "").lstrip().lower().startswith("unbind")
    if gone or last.get("state") != State.SUCCEEDED or not is_id(data["binding_id"]):
        return None
    return OldBinding(data["binding_id"], Credentials(data["credentials"]))


def _kept(rules: Validator, data: JSON, name: str) -> dict[str, Any]:
    for error in rules.iter_errors(data):
        where = ".".join(map(str, error.absolute_path))
        raise Unclear(f"{name}: {where or 'it'}: {explain(error)}; mend it, or restore it from backups/")
    found: Any = data
    return dict(found)
