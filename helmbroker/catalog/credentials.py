"""A rendered credentials template -> what a binding delivers, as values and references."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from helmbroker.catalog.documents import Document, Unreadable, parse
from helmbroker.catalog.model import AddonFaults, Fault, Object
from helmbroker.catalog.schemas import check, validator
from helmbroker.catalog.yaml_types import TextLoader


class RefKind(StrEnum):
    """The kinds of objects that a template may refer to."""

    SECRET = "Secret"  # noqa: S105  # the kind of an object
    CONFIG_MAP = "ConfigMap"


@dataclass(frozen=True)
class Ref:
    """A key of an object in the instance's namespace."""

    kind: RefKind
    name: str
    key: str


@dataclass(frozen=True)
class Delivery:
    """What a binding delivers, and where it is good for: endpoints as they go over the wire (OSB item 105)."""

    credentials: tuple[Credential, ...]
    endpoints: tuple[Object, ...] = ()


@dataclass(frozen=True)
class Credential:
    """One name that a binding delivers: a text, or where to find it."""

    name: str
    value: str | Ref


_REF: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "key"],
    "properties": {"name": {"type": "string", "minLength": 1}, "key": {"type": "string", "minLength": 1}},
}
_HIGHEST_PORT = 65535
_ENDPOINT: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["host", "ports"],
    "properties": {
        "host": {"type": "string", "minLength": 1, "maxLength": 253},
        "ports": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "pattern": "^[0-9]{1,5}(-[0-9]{1,5})?$"},
        },
        "protocol": {"enum": ["tcp", "udp", "all"]},
    },
}
_KINDS = {"secretKeyRef": RefKind.SECRET, "configMapKeyRef": RefKind.CONFIG_MAP}
_RULES = validator(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["credentials"],
        "properties": {
            "credentials": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name"],
                    "minProperties": 2,
                    "properties": {
                        "name": {"type": "string", "pattern": "^[-._a-zA-Z0-9]+$", "maxLength": 253},
                        "value": {"type": "string"},
                        "valueFrom": {
                            "type": "object",
                            "additionalProperties": False,
                            "minProperties": 1,
                            "maxProperties": 1,
                            "properties": dict.fromkeys(_KINDS, _REF),
                        },
                    },
                    "not": {"required": ["value", "valueFrom"]},
                },
            },
            "endpoints": {"type": "array", "items": _ENDPOINT},
        },
    }
)


def read(rendered: str) -> Delivery:
    """Parse a rendered template. Raises AddonFaults; a name given twice is a fault, and so is a port that is none.

    Values are texts on the wire, and stay as they were written: `3.10` is no number and `yes` no truth. Nothing at
    all (`null`) is a fault: it is mostly a value that the template misspelt.
    """
    name = "credentials.yaml (rendered)"
    try:
        document = parse(rendered, name, TextLoader)
    except Unreadable as error:
        raise AddonFaults([error.fault]) from None
    faults = check(document, _RULES)
    if faults:
        raise AddonFaults(faults)
    data: Any = document.data
    credentials = tuple(_credential(item) for item in data["credentials"])
    names = [credential.name for credential in credentials]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise AddonFaults([Fault(name, 0, f"given twice: {', '.join(twice)}")])
    endpoints = tuple(data.get("endpoints", ()))
    faults = _port_faults(document, endpoints)
    if faults:
        raise AddonFaults(faults)
    return Delivery(credentials, endpoints)


def _port_faults(document: Document, endpoints: tuple[Any, ...]) -> list[Fault]:
    """A port is a number from 1, or a range of them; texts, as OSB wants them."""
    found = []
    for index, endpoint in enumerate(endpoints):
        for place, port in enumerate(endpoint["ports"]):
            first, _, last = port.partition("-")
            if not 1 <= int(first) <= int(last or first) <= _HIGHEST_PORT:
                where = ("endpoints", index, "ports", place)
                found.append(document.fault(where, f"{port} is neither a port nor a range of ports"))
    return found


def _credential(item: dict[str, Any]) -> Credential:
    if "value" in item:
        return Credential(item["name"], item["value"])
    ((kind, ref),) = item["valueFrom"].items()
    return Credential(item["name"], Ref(_KINDS[kind], ref["name"], ref["key"]))
