"""Config groups, the process types they are attached to, and the environments they make. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import unquote, urlsplit

from helmbroker.controller_bridge.apps.port import CannotRelease, ConfigChange
from helmbroker.controller_bridge.naming import BINDING_GROUP

Config = Mapping[str, Mapping[str, str]]
"""Config group -> variable -> value. The values are secrets."""

Attached = Mapping[str, Sequence[str]]
"""Config group -> the process types that get it, sorted. A group that is not in it is for all of them."""

GLOBAL = "global"
"""The group that is for every process type, always."""

OWN = "ptype:"
"""What the group of one process type begins with: `ptype:web`. Nobody else gets it."""

MAX_BYTES = 512 * 1024
"""Of all names and values together: a Secret holds 1 MiB, and the ledger's is in base64 inside JSON."""

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_GROUP = re.compile(r"(ptype:)?[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_PROCESS_TYPE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_SHORTEST_SECRET = 4  # characters; blotting out anything shorter would spoil sentences and hide nothing


def attached(before: Attached, change: ConfigChange) -> dict[str, list[str]]:
    """Who gets which group after a change. Raises CannotRelease for what cannot be a process type."""
    after = {group: list(process_types) for group, process_types in before.items()}
    for group, process_types in change.attached.items():
        if process_types is None:
            after.pop(group, None)
            continue
        for process_type in process_types:
            if _PROCESS_TYPE.fullmatch(process_type) is None:
                raise CannotRelease(
                    f"{process_type[:63]!r} cannot be a process type, which is the value of a label"
                )
        after[group] = sorted(set(process_types))
    for group, variables in change.groups.items():
        if variables is None:
            after.pop(group, None)
        elif group.startswith(OWN):
            after[group] = [group.removeprefix(OWN)]
    after.pop(GLOBAL, None)
    return after


def changed(config: Config, change: ConfigChange, whose: Attached | None = None) -> dict[str, dict[str, str]]:
    """The config after a change. Raises CannotRelease for names, values or sizes that cannot be, and collisions.

    whose: who gets which group afterwards.
    """
    after = {group: dict(variables) for group, variables in config.items()}
    for group, variables in change.groups.items():
        if variables is None:
            after.pop(group, None)
            continue
        _check_group(group, variables)
        after[group] = dict(variables)
    _check_collisions(after, whose or {})
    size = sum(len(name) + len(value.encode()) for name, value in _pairs(after))
    if size > MAX_BYTES:
        raise CannotRelease(f"the config would be {size} bytes; an app can have {MAX_BYTES}")
    return after


def environment(config: Config) -> dict[str, str]:
    """All groups merged, those of single process types over named ones over the global one."""
    return {name: value for group in sorted(config, key=_order) for name, value in sorted(config[group].items())}


def environment_of(process_type: str, config: Config, whose: Attached) -> dict[str, str]:
    """What one process type gets."""
    return environment({group: config[group] for group in config if _reaches(group, process_type, whose)})


def common(config: Config, whose: Attached) -> dict[str, str]:
    """What every process type gets."""
    return environment({group: config[group] for group in config if group not in whose})


def check_not_hidden(
    process_type: str, own: Iterable[str], change: ConfigChange, whose: Attached | None = None
) -> None:
    """Refuse variables that a workload sets itself: its own `env` would win over what is injected."""
    own_names = set(own)
    for group, variables in sorted(change.groups.items()):
        if not _reaches(group, process_type, whose or {}):
            continue
        for name in sorted(own_names.intersection(variables or ())):
            raise CannotRelease(
                f"process type {process_type} sets {name} itself, which would hide that of config group {group}: "
                "remove it from the env of its containers"
            )


def blotted(text: str, config: Config) -> str:
    """The text with every value of the config replaced by the name of its variable: `$DATABASE_PASSWORD`.

    What apps and clusters say about a failure may quote what they were given; passwords inside URLs count too.
    """
    known = {part: name for name, value in _pairs(config) for part in _passwords_in(value)}
    known |= {value: name for name, value in _pairs(config)}
    for secret in sorted(known, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, f"${known[secret]}")
    return text


def _pairs(config: Config) -> Iterator[tuple[str, str]]:
    """Every variable of every group, in order."""
    for group in sorted(config):
        yield from sorted(config[group].items())


def _passwords_in(value: str) -> set[str]:
    """The password of a URL, as it stands there and decoded."""
    try:
        password = urlsplit(value).password if "://" in value else None
    except ValueError:  # not a URL after all
        password = None
    return {password, unquote(password)} if password else set()


def _check_group(group: str, variables: Mapping[str, str]) -> None:
    if _GROUP.fullmatch(group) is None:
        raise CannotRelease(f"{group!r} cannot be a config group: use letters, digits, dots, _ and -")
    for name, value in variables.items():
        if _VARIABLE.fullmatch(name) is None:
            raise CannotRelease(
                f"{name!r} in config group {group} cannot be a variable: use capital letters, digits and _, "
                "not beginning with a digit"
            )
        if "\0" in value:
            raise CannotRelease(f"{name} in config group {group} holds a NUL character, which no environment can")


def _check_collisions(config: Config, whose: Attached) -> None:
    """No variable twice for one process type, but where a more special group may say it otherwise on purpose."""
    seen: dict[str, list[str]] = {}
    for group in sorted(config):
        for name in config[group]:
            others = seen.setdefault(_compared(name), [])
            for other in others:
                if other != group and _meet(other, group, whose) and not _may_override(other, group):
                    raise CannotRelease(f"config groups {other} and {group} both set {name}: rename one of them")
            others.append(group)


def _meet(one: str, other: str, whose: Attached) -> bool:
    """Whether a process type gets both."""
    if one not in whose or other not in whose:
        return whose.get(one) != [] and whose.get(other) != []
    return bool(set(whose[one]) & set(whose[other]))


def _may_override(one: str, other: str) -> bool:
    """Credentials of bindings are never overridden: the app would run with those of nobody."""
    bindings = one.startswith(BINDING_GROUP) or other.startswith(BINDING_GROUP)
    return not bindings and _order(one)[0] != _order(other)[0]


def _reaches(group: str, process_type: str, whose: Attached) -> bool:
    return group not in whose or process_type in whose[group]


def _order(group: str) -> tuple[int, str]:
    """What comes later wins."""
    return (0 if group == GLOBAL else 2 if group.startswith(OWN) else 1), group


def _compared(name: str) -> str:
    return name.lower().replace("-", "_")
