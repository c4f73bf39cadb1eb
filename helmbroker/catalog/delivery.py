"""What a binding delivers: values, references, and how they become credentials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from helmbroker.catalog import jsonpath
from helmbroker.catalog.model import JSON, AddonFaults, Fault, Object
from helmbroker.catalog.references import Ref


@dataclass(frozen=True)
class Credential:
    """One name that a binding delivers: a value, or where to find it. name None: each key of a map is a name.

    optional: left out when it is not to be found.
    """

    name: str | None
    value: JSON | Ref
    optional: bool = False


@dataclass(frozen=True)
class Delivery:
    """What a binding delivers, and where it is good for: endpoints as they go over the wire (OSB item 105).

    typed: values keep their types; else all are texts. twice: names that are given again; the last one counts.
    """

    credentials: tuple[Credential, ...]
    endpoints: tuple[Object, ...] = ()
    typed: bool = False
    twice: tuple[str, ...] = ()

    @property
    def refs(self) -> list[Ref]:
        """All that has to be looked up, once each."""
        return list(dict.fromkeys(each.value for each in self.credentials if isinstance(each.value, Ref)))

    def assembled(self, found: Mapping[Ref, JSON]) -> dict[str, JSON]:
        """The credentials, with what was found for the references; what was not is left out. Later ones win."""
        values: dict[str, JSON] = {}
        for each in self.credentials:
            if isinstance(each.value, Ref) and each.value not in found:
                continue
            value = found[each.value] if isinstance(each.value, Ref) else each.value
            given = value if each.name is None else {each.name: value}
            for name, one in given.items() if isinstance(given, Mapping) else ():
                values[name] = one if self.typed else _text(one)
        return values


def sound(found: Iterable[Credential | Fault]) -> tuple[Credential, ...]:
    """The credentials. Raises AddonFaults with all the faults that are among them."""
    listed = list(found)
    if faults := [each for each in listed if isinstance(each, Fault)]:
        raise AddonFaults(faults)
    return tuple(each for each in listed if isinstance(each, Credential))


def repeated(credentials: tuple[Credential, ...]) -> tuple[str, ...]:
    """Names that are given more than once, in their order."""
    names = [each.name for each in credentials if each.name is not None]
    return tuple(dict.fromkeys(name for name in names if names.count(name) > 1))


def _text(value: JSON) -> str:
    """A value as an environment variable may hold it: lists parted by commas, everything else as in JSON."""
    return ",".join(map(jsonpath.text_of, value)) if isinstance(value, list) else jsonpath.text_of(value)
