"""What a ServiceBinding of servicebinding.io asks for, and how it is told what became of it. Pure.

Sections are those of Service Binding for Kubernetes 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from helmbroker.kubeapi.kinds import named
from helmbroker.kubeapi.port import Obj
from helmbroker.kubeapi.selectors import selects

READY = "Ready"
AVAILABLE = "ServiceAvailable"
EXPOSED = ("status", "binding", "name")
"""Where a Provisioned Service names its Secret."""

_API_VERSION = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?v[0-9][a-z0-9]*")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_NAME = re.compile(r"[a-z0-9.-]{1,253}")
_MESSAGE_LIMIT = 32_000  # characters; a condition takes 32 KiB


class Refused(Exception):
    """The binding cannot be completed: `reason` in one word for programs, the text for people."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True)
class Reference:
    """An object, or kind of objects, that the binding names. `kind` as the port Kube calls it."""

    api_version: str
    kind: str
    name: str | None

    @property
    def version(self) -> str:
        """v1 of apps/v1."""
        return self.api_version.rpartition("/")[2]

    @staticmethod
    def read(given: Any, field: str) -> Reference:
        """Raises Refused."""
        api_version, kind = (str((given or {}).get(part) or "") for part in ("apiVersion", "kind"))
        if not (_API_VERSION.fullmatch(api_version) and _KIND.fullmatch(kind)):
            raise Refused(
                "InvalidSpec", f"spec.{field} has to have the apiVersion and kind of objects of Kubernetes"
            )
        return Reference(api_version, named(api_version, kind), given.get("name") or None)


@dataclass(frozen=True)
class Request:
    """The spec of a ServiceBinding."""

    name: str
    service: Reference
    workload: Reference
    selector: Mapping[str, Any] | None
    containers: Sequence[str] | None
    overrides: Mapping[str, str]
    env: Mapping[str, str]  # variable -> entry of the Secret

    @staticmethod
    def read(binding: Obj) -> Request:
        """Raises Refused when it is not as section Service Binding wants it."""
        spec = binding.get("spec") or {}
        name = spec.get("name") or binding["metadata"]["name"]
        if not _NAME.fullmatch(name):
            raise Refused("InvalidSpec", f"spec.name {name!r} has to be of a-z, 0-9, - and . alone")
        service, workload = (Reference.read(spec.get(field), field) for field in ("service", "workload"))
        selector = spec["workload"].get("selector")
        if service.name is None:
            raise Refused("InvalidSpec", "spec.service has to have a name")
        if (workload.name is None) == (selector is None):
            raise Refused("InvalidSpec", "spec.workload has to have either a name or a selector")
        return Request(
            name,
            service,
            workload,
            selector,
            spec["workload"].get("containers") or None,
            {kind: spec[kind] for kind in ("type", "provider") if spec.get(kind)},
            {each["name"]: each["key"] for each in spec.get("env") or ()},
        )

    def wants(self, workload: Obj) -> bool:
        """Whether a workload of the right kind is meant. Raises Refused when the selector cannot be read."""
        metadata = workload["metadata"]
        if self.selector is None:
            return bool(metadata["name"] == self.workload.name)
        try:
            return selects(self.selector, metadata.get("labels") or {})
        except ValueError as error:
            raise Refused("InvalidSpec", f"spec.workload: {error}") from None

    def check_entries(self, entries: Mapping[str, Any], secret: str) -> None:
        """Refused when the Secret does not have what has to be in a projection."""
        there = {*entries, *self.overrides}
        if "type" not in there:
            raise Refused("InvalidSecret", f"Secret {secret} has no entry type: add it, or set spec.type")
        for variable, key in sorted(self.env.items()):
            if key not in there:
                raise Refused(
                    "InvalidSecret", f"Secret {secret} has no entry {key}, which spec.env wants as {variable}"
                )


def status(
    binding: Obj, secret: str | None, conditions: Mapping[str, tuple[str, str, str]], now: str
) -> Obj | None:
    """The merge patch of the status; None when it is so already. Conditions of others stay.

    conditions: type -> (status, reason, message). now: RFC 3339; when a condition has changed.
    """
    told = binding.get("status") or {}
    before = {each.get("type"): each for each in told.get("conditions") or ()}
    after = dict(before)
    for kind, (state, reason, message) in conditions.items():
        since = before.get(kind, {})
        at = since.get("lastTransitionTime", now) if since.get("status") == state else now
        said = {"status": state, "reason": reason, "message": message[:_MESSAGE_LIMIT]}
        after[kind] = {"type": kind, **said, "lastTransitionTime": at}
    patch: Obj = {"conditions": list(after.values()), "observedGeneration": binding["metadata"].get("generation")}
    patch["binding"] = {"name": secret} if secret else None
    return patch if any(told.get(key) != value for key, value in patch.items()) else None
