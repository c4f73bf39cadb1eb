"""References of credentials templates: which object, and what of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from helmbroker.catalog import jsonpath
from helmbroker.catalog.documents import Document, Where
from helmbroker.catalog.jsonpath import BadPath, Template
from helmbroker.catalog.model import Fault


class RefKind(StrEnum):
    """The kinds of objects that a template may refer to."""

    SECRET = "Secret"  # noqa: S105  # the kind of an object
    CONFIG_MAP = "ConfigMap"
    SERVICE = "Service"


@dataclass(frozen=True)
class Ref:
    """A place in an object of the instance's namespace. Secrets are read as texts, not in base64.

    every: all that is found there, as a list, and not the first of it.
    """

    kind: RefKind
    name: str
    template: Template
    every: bool = False


KINDS: Mapping[str, RefKind] = {
    "secretKeyRef": RefKind.SECRET,
    "configMapKeyRef": RefKind.CONFIG_MAP,
    "serviceRef": RefKind.SERVICE,
}
_TEXT = {"type": "string", "minLength": 1}
_FLAG = {"enum": ["true", "false"]}  # as texts: templates are read with every scalar as it was written
FIELDS: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": _TEXT, "key": _TEXT, "jsonpath": _TEXT, "all": _FLAG, "optional": _FLAG},
}


def ref(kind: RefKind, given: Mapping[str, str], document: Document, where: Where) -> Ref | Fault:
    """What stands in a `...Ref` that keeps to FIELDS, or what is wrong with it."""
    by_key = "key" in given
    if by_key == ("jsonpath" in given) or (by_key and kind is RefKind.SERVICE):
        wanted = "jsonpath" if kind is RefKind.SERVICE else "either key or jsonpath"
        return document.fault(where, f"give {wanted}, to say what of the {kind} is meant")
    try:
        template = jsonpath.lead("data", given["key"]) if by_key else jsonpath.parse(given["jsonpath"])
    except BadPath as error:
        return document.fault((*where, "jsonpath"), str(error))
    every = given.get("all") == "true"
    if every and not template.is_path:
        return document.fault((*where, "all"), "needs a jsonpath of one expression and nothing else")
    return Ref(kind, given["name"], template, every)


def is_optional(given: Mapping[str, str]) -> bool:
    """Whether what it names may be missing, as FIELDS says it."""
    return given.get("optional") == "true"
