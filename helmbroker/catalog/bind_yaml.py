"""The bind.yaml of Drycc's and Kyma's addons, rendered -> what a binding delivers.

Both have the key `credential`. Drycc's refers by jsonpath, Kyma's to Secrets and ConfigMaps by key, and to whole
ones with `credentialFrom`: so they are told apart. Drycc's names come again and again, and the last one counts; to
Kyma's that is an error, and an empty value is none.
"""

from __future__ import annotations

from typing import Any

from helmbroker.catalog import jsonpath, references
from helmbroker.catalog.delivery import Credential, Delivery, repeated, sound
from helmbroker.catalog.documents import Document, Where
from helmbroker.catalog.model import AddonFaults, Fault
from helmbroker.catalog.references import FIELDS, Ref, RefKind, is_optional, ref
from helmbroker.catalog.schemas import check, validator

NAME: dict[str, Any] = {"type": "string", "pattern": "^[-._a-zA-Z0-9]+$", "maxLength": 253}
KINDS = {**references.KINDS, "configMapRef": RefKind.CONFIG_MAP}
_WHOLE = {"configMapRef": RefKind.CONFIG_MAP, "secretRef": RefKind.SECRET}
ITEM: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": NAME,
        "value": {"type": "string"},
        "valueFrom": {"type": "object", "properties": dict.fromkeys(KINDS, FIELDS)},
    },
}
_RULES = validator(
    {
        "type": "object",
        "properties": {
            "credential": {"type": "array", "items": ITEM},
            "credentialFrom": {"type": "array", "items": {"type": "object"}},
        },
    }
)


def is_one(data: Any) -> bool:
    """Whether the document is a bind.yaml; all else is to be of the native format."""
    return isinstance(data, dict) and ("credential" in data or "credentialFrom" in data)


def read(document: Document) -> Delivery:
    """What it says; nothing, an empty list and an empty map are no credentials. Raises AddonFaults.

    Unknown keys are ignored. What stands in `credential` counts more than what `credentialFrom` brings.
    """
    given: Any = document.data
    data: dict[str, Any] = {key: given.get(key) or [] for key in ("credential", "credentialFrom")}
    if faults := check(Document(document.name, data, document.lines), _RULES):
        raise AddonFaults(faults)
    kyma = _is_kyma(data)
    whole = [_whole(item, document, ("credentialFrom", at)) for at, item in enumerate(data["credentialFrom"])]
    single = [_single(item, document, at, kyma=kyma) for at, item in enumerate(data["credential"])]
    credentials = sound([*whole, *single])
    twice = repeated(credentials)
    if kyma and twice:
        raise AddonFaults([document.fault(("credential",), f"given twice: {', '.join(sorted(twice))}")])
    return Delivery(credentials, twice=twice)


def _is_kyma(data: Any) -> bool:
    sources = [item["valueFrom"] for item in data["credential"] if "valueFrom" in item]
    by_key = any("key" in given for source in sources for name, given in source.items() if name in KINDS)
    return bool(data["credentialFrom"]) or by_key


def _whole(item: dict[str, Any], document: Document, where: Where) -> Credential | Fault:
    """Every key of a Secret or ConfigMap. Kyma's manual writes `name` beside `secretRef` once, and so do addons."""
    named = [key for key in _WHOLE if key in item]
    if len(named) != 1:
        return document.fault(where, f"must have one of {', '.join(_WHOLE)}")
    inner = item[named[0]]
    name = inner.get("name") if isinstance(inner, dict) else item.get("name")
    if not isinstance(name, str) or not name:
        return document.fault((*where, named[0]), "missing: name")
    return Credential(None, Ref(_WHOLE[named[0]], name, jsonpath.lead("data")))


def _single(item: dict[str, Any], document: Document, at: int, *, kyma: bool) -> Credential | Fault:
    where: Where = ("credential", at)
    source = {key: given for key, given in item.get("valueFrom", {}).items() if key in KINDS}
    if "value" in item and (item["value"] or not (kyma or source)):
        if source:
            return document.fault(where, "has both value and valueFrom; leave one out")
        return Credential(item["name"], item["value"])
    if len(source) != 1:
        return document.fault(where, f"needs a value, or valueFrom with one of {', '.join(KINDS)}")
    ((key, given),) = source.items()
    found = ref(KINDS[key], given, document, (*where, "valueFrom", key))
    return found if isinstance(found, Fault) else Credential(item["name"], found, is_optional(given))
