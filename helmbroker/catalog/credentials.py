"""A rendered credentials template -> what a binding delivers, as values and references."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from helmbroker.catalog import bind_yaml, jsonpath
from helmbroker.catalog.delivery import Credential, Delivery, repeated, sound
from helmbroker.catalog.documents import Document, Unreadable, Where, parse
from helmbroker.catalog.jsonpath import BadPath
from helmbroker.catalog.model import AddonFaults, Fault
from helmbroker.catalog.references import FIELDS, KINDS, is_optional, ref
from helmbroker.catalog.schemas import check, validator
from helmbroker.catalog.yaml_types import Loader, TextLoader

_NAME = "credentials template (rendered)"
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
_CREDENTIAL: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "minProperties": 2,
    "properties": {
        "name": bind_yaml.NAME,
        "value": {"type": "string"},
        "valueFrom": {
            "type": "object",
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
            "properties": dict.fromkeys(KINDS, FIELDS | {"additionalProperties": False}),
        },
    },
    "not": {"required": ["value", "valueFrom"]},
}
_OF_ANY_TYPE = {**_CREDENTIAL["properties"], "value": {"type": ["string", "array", "object"]}}


def _rules(credential: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["credentials"],
        "properties": {
            "credentials": {"type": "array", "items": credential},
            "endpoints": {"type": "array", "items": _ENDPOINT},
            "types": {"enum": ["text", "native"]},
        },
    }


_TEXTS = validator(_rules(_CREDENTIAL))
_TYPED = validator(_rules({**_CREDENTIAL, "properties": _OF_ANY_TYPE}))


def read(rendered: str) -> Delivery:
    """Parse a rendered template. Raises AddonFaults; a name given twice is a fault, and so is a port that is none.

    Values are texts on the wire, and stay as they were written: `3.10` is no number and `yes` no truth; with
    `types: native` they are what Helm takes them for. Nothing at all (`null`) is a fault: it is mostly a value that
    the template misspelt. The bind.yaml of Drycc and Kyma is told by its own keys.
    """
    document = _parsed(rendered, TextLoader)
    data: Any = document.data
    if bind_yaml.is_one(data):
        return bind_yaml.read(document)
    typed = isinstance(data, dict) and data.get("types") == "native"
    if faults := check(document, _TYPED if typed else _TEXTS):
        raise AddonFaults(faults)
    values: Any = _parsed(rendered, Loader).data if typed else data
    credentials = sound(
        _credential(item, value.get("value"), document, ("credentials", index))
        for index, (item, value) in enumerate(zip(data["credentials"], values["credentials"], strict=True))
    )
    if twice := repeated(credentials):
        raise AddonFaults([Fault(_NAME, 0, f"given twice: {', '.join(sorted(twice))}")])
    endpoints = tuple(data.get("endpoints", ()))
    if faults := _port_faults(document, endpoints):
        raise AddonFaults(faults)
    return Delivery(credentials, endpoints, typed)


def written_faults(folder: Path, name: str) -> list[Fault]:
    """What can be said of a template as it is written, before Helm renders it: every jsonpath is understood.

    A file that is not there, or no text, is somebody else's to tell.
    """
    try:
        lines = (folder / name).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for number, line in enumerate(lines, 1):
        for written in re.findall(r"""\bjsonpath:\s*('(?:[^']|'')*'|"(?:\\.|[^"\\])*"|[^\s{}][^#]*)""", line):
            try:
                value = yaml.load(written, Loader=TextLoader)  # noqa: S506  # plain data only
                if "{{" not in str(value):  # else Helm says what it is
                    jsonpath.parse(str(value))
            except BadPath as error:
                found.append(Fault(name, number, f"jsonpath: {error}"))
            except yaml.YAMLError:
                continue  # part of a scalar that Helm makes
    return found


def _parsed(rendered: str, loader: type[Loader]) -> Document:
    try:
        return parse(rendered, _NAME, loader)
    except Unreadable as error:
        raise AddonFaults([error.fault]) from None


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


def _credential(item: dict[str, Any], value: Any, document: Document, where: Where) -> Credential | Fault:
    if "value" in item:
        return Credential(item["name"], value)
    ((key, given),) = item["valueFrom"].items()
    found = ref(KINDS[key], given, document, (*where, "valueFrom", key))
    return found if isinstance(found, Fault) else Credential(item["name"], found, is_optional(given))
