"""Selectors and names, as the Kubernetes API server judges them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from helmbroker.kubeapi.errors import Invalid
from helmbroker.kubeapi.kinds import ObjectRef

_EVENT_FIELDS = {f"involvedObject.{part}" for part in ("kind", "name", "namespace", "uid")} | {
    "reason",
    "type",
}
_FIELDS = {
    "Pod": {"spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase", "status.podIP"},
    "Secret": {"type"},
    "Event": _EVENT_FIELDS,
    "Job": {"status.successful"},
    "Namespace": {"status.phase"},
}
_REQUIREMENT = re.compile(
    r"\s*(?:(?P<not>!)\s*(?P<absent>[\w./-]+)"
    r"|(?P<key>[\w./-]+)"
    r"(?:\s*(?P<op>==|=|!=)\s*(?P<value>[\w.-]*)|\s+(?P<set>in|notin)\s*\((?P<values>[^)]*)\))?)\s*(?:,|$)"
)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LABEL_NAMES = {"Namespace", "Service"}


def selector_matches(action: str, selector: Mapping[str, str] | str | None, labels: Mapping[str, str]) -> bool:
    """Whether labels match a selector (equalities, or kubectl's text); Invalid when it cannot be read."""
    if not selector:
        return True
    if not isinstance(selector, str):
        return all(labels.get(key) == value for key, value in selector.items())
    position, matches = 0, True
    while position < len(selector):
        found = _REQUIREMENT.match(selector, position)
        if found is None:
            raise Invalid(action, f"unable to parse requirement: {selector}", status=400, reason="BadRequest")
        matches = matches and _holds(found, labels)
        position = found.end()
    return matches


def _holds(requirement: re.Match[str], labels: Mapping[str, str]) -> bool:
    if requirement["not"]:
        return requirement["absent"] not in labels
    value = labels.get(requirement["key"])
    if requirement["set"]:
        listed = value in [item.strip() for item in requirement["values"].split(",")]
        return listed if requirement["set"] == "in" else not listed
    if requirement["op"] is None:
        return value is not None
    return (value == requirement["value"]) != (requirement["op"] == "!=")


def field_matches(action: str, wanted: Mapping[str, str], obj: Mapping[str, Any]) -> bool:
    """Whether an object's fields equal the wanted ones; Invalid for a field the server cannot select by."""
    for field, value in wanted.items():
        if field not in {"metadata.name", "metadata.namespace"} | _FIELDS.get(obj["kind"], set()):
            raise Invalid(action, f"field label not supported: {field}", status=400, reason="BadRequest")
        at: Any = obj
        for part in field.split("."):
            at = at.get(part) if isinstance(at, Mapping) else None
        if str(at or "") != value:
            return False
    return True


def valid_name(ref: ObjectRef) -> bool:
    """Whether the server takes the name: a DNS label for some kinds, a DNS subdomain for others."""
    if ref.kind.name.startswith(("Role", "ClusterRole")):
        return "/" not in ref.name
    if ref.kind.name in _LABEL_NAMES:
        return len(ref.name) <= 63 and _LABEL.fullmatch(ref.name) is not None
    return len(ref.name) <= 253 and all(_LABEL.fullmatch(part) for part in ref.name.split("."))
