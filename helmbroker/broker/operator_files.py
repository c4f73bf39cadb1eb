"""What operators write in files: Helm values that win over plans and users, grants, and accounts of tenants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helmbroker.broker.domain.tenants import Tenant
from helmbroker.broker.gate import Grants, grants
from helmbroker.catalog.documents import Document, Unreadable, read
from helmbroker.catalog.model import Object
from helmbroker.catalog.schemas import check, validator

_TENANTS = validator(
    {
        "type": ["array", "object", "null"],
        "maxProperties": 0,
        "minItems": 1,
        "items": {
            "type": "object",
            "additionalProperties": False,
            "required": ["account"],
            "properties": {
                "context": {"type": "object", "additionalProperties": {"type": "string"}},
                "account": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"},
            },
        },
    }
)


class BadFile(Exception):
    """All that is wrong with the file, in a sentence."""


def read_overrides(path: Path | None) -> Mapping[str, Object]:
    """Helm values; without a file there are none. Raises BadFile."""
    data: Any = _document(path).data or {}
    if isinstance(data, dict) and all(isinstance(values, dict) for values in data.values()):
        return data
    raise BadFile(f"{path} must map addon names to Helm values")


def read_grants(path: Path | None) -> Mapping[str, Grants]:
    """Grants; without a file there are none. Raises BadFile."""
    found, faults = grants.read(_document(path))
    if faults:
        raise BadFile("; ".join(map(str, faults)))
    return found


def read_tenants(path: Path | None) -> tuple[Tenant, ...]:
    """Accounts of tenants, in the order in which they are tried; without a file there are none. Raises BadFile."""
    document = _document(path)
    faults = check(document, _TENANTS)
    if faults:
        raise BadFile("; ".join(map(str, faults)))
    data: Any = document.data or []
    return tuple(Tenant(each.get("context") or {}, each["account"]) for each in data)


def _document(path: Path | None) -> Document:
    try:
        return Document("", None, {}) if path is None else read(path, str(path))
    except Unreadable as error:
        raise BadFile(str(error)) from None
