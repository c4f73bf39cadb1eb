"""What an app gets of a binding: environment variables, and the entries of a Secret. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from helmbroker.durable import JSON

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,252}")
_PREFIX = re.compile(r"([A-Z_][A-Z0-9_]{0,127})?")
_FIELDS = {"prefix", "rename", "only"}
# Kubernetes and Drycc put variables of these families into every container; the others steer the container.
_FOREIGN_FAMILIES = ("KUBERNETES_", "DRYCC_", "WORKFLOW_")
_FOREIGN = frozenset({"PORT", "PATH", "HOME", "HOSTNAME", "SOURCE_VERSION", "IMAGE_PULL_POLICY"})


class BadCredentials(Exception):
    """Credentials that cannot become environment variables; a sentence without any value."""


class BadMapping(Exception):
    """A mapping that cannot be; a sentence."""


@dataclass(frozen=True)
class EnvMapping:
    """How keys of credentials become variables. prefix None: the resource's name; only None: every key."""

    prefix: str | None = None
    rename: Mapping[str, str] = field(default_factory=dict)  # key -> the whole name of its variable
    only: Sequence[str] | None = None

    @staticmethod
    def read(value: JSON) -> EnvMapping:
        """From JSON: `{"prefix": "DB_", "rename": {"uri": "DATABASE_URL"}, "only": ["uri"]}`. Raises BadMapping."""
        if value is None:
            return EnvMapping()
        if not isinstance(value, Mapping):
            raise BadMapping("it has to be an object with prefix, rename and only")
        if unknown := sorted(set(value) - _FIELDS):
            raise BadMapping(f"there is no {', '.join(unknown)}; it takes prefix, rename and only")
        prefix, rename, only = value.get("prefix"), value.get("rename") or {}, value.get("only")
        if prefix is not None and not (isinstance(prefix, str) and _PREFIX.fullmatch(prefix)):
            raise BadMapping("prefix has to be capital letters, digits and _, not beginning with a digit; or empty")
        if not isinstance(rename, Mapping):
            raise BadMapping("rename has to be an object of variables by key")
        return EnvMapping(prefix, _renamed(rename), None if only is None else _names(only))

    def stored(self) -> dict[str, JSON]:
        """As JSON that `read` takes; empty for the default."""
        only = None if self.only is None else list(self.only)
        given: dict[str, JSON] = {"prefix": self.prefix, "rename": dict(self.rename), "only": only}
        return {name: value for name, value in given.items() if value is not None and value != {}}

    def variable(self, resource: str, key: str) -> str:
        """The name of the environment variable for `key`: upper case, `_` for every other character."""
        if key in self.rename:
            return self.rename[key]
        begin = f"{resource}_" if self.prefix is None else self.prefix
        name = re.sub(r"[^A-Z0-9_]", "_", f"{begin}{key}".upper())
        return f"_{name}" if name[0].isdigit() else name

    def __post_init__(self) -> None:
        names = list(self.rename.values())
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise BadMapping(f"two keys are renamed to {twice[0]}")
        left_out = sorted(set(self.rename) - set(self.only)) if self.only is not None else []
        if left_out:
            raise BadMapping(f"{left_out[0]} is renamed, but not in only")


def environment(
    resource: str, credentials: Mapping[str, JSON], mapping: EnvMapping | None = None
) -> dict[str, str]:
    """Credentials as environment variables, by default `<RESOURCE>_<KEY>`.

    One more `_` in front of a leading digit. Strings stay as they are, other values become JSON text, null is left
    out. Raises BadCredentials when two keys become one name, when a name belongs to the platform, when the mapping
    names a key that is not there, or when nothing is left.
    """
    mapping = mapping or EnvMapping()
    variables: dict[str, str] = {}
    origin: dict[str, str] = {}
    for key, value in _chosen(credentials, mapping):
        name = mapping.variable(resource, key)
        if name in origin:
            raise BadCredentials(
                f"the credentials {origin[name]!r} and {key!r} both become {name}: rename one of them at bind"
            )
        if name.startswith(_FOREIGN_FAMILIES) or name in _FOREIGN:
            raise BadCredentials(f"{name} belongs to the platform: rename {key!r}, or choose a prefix, at bind")
        origin[name] = key
        variables[name] = value
    if not variables:
        raise BadCredentials("the broker gave no credentials with this binding")
    return variables


def secret_entries(service: str, credentials: Mapping[str, JSON]) -> dict[str, str]:
    """What a Secret `servicebinding.io/<type>` holds (Service Binding for Kubernetes 1.1, well-known entries).

    `type` and `provider` are the binding's own words, else the service's name; `certificates` is its CA bundle.
    """
    given = dict(_texts(credentials))
    wellknown = {"type": service, "provider": service} | ({"certificates": given["ca"]} if "ca" in given else {})
    return wellknown | {re.sub(r"[^-._a-zA-Z0-9]", "_", key): value for key, value in given.items()}


def _chosen(credentials: Mapping[str, JSON], mapping: EnvMapping) -> Iterator[tuple[str, str]]:
    named = {*mapping.rename, *(mapping.only or ())}
    if missing := sorted(named - set(credentials)):
        there = ", ".join(sorted(credentials)) or "none"
        raise BadCredentials(f"the binding delivers no {missing[0]!r}; its keys are {there}")
    for key, value in _texts(credentials):
        if mapping.only is None or key in mapping.only:
            yield key, value


def _texts(credentials: Mapping[str, JSON]) -> Iterator[tuple[str, str]]:
    for key, value in sorted(credentials.items()):
        if value is not None:
            yield key, value if isinstance(value, str) else json.dumps(value)


def _renamed(rename: Mapping[str, JSON]) -> dict[str, str]:
    for key, name in rename.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise BadMapping(f"{key} cannot be renamed so: use capital letters, digits and _, no digit first")
        if name.startswith(_FOREIGN_FAMILIES) or name in _FOREIGN:
            raise BadMapping(f"{key} cannot be renamed to {name}: that belongs to the platform")
    return {key: str(name) for key, name in rename.items()}


def _names(value: JSON) -> tuple[str, ...]:
    names = [one for one in value if isinstance(one, str)] if isinstance(value, list) else None
    if names is None or names != value:
        raise BadMapping("only has to be a list of keys")
    return tuple(names)
