"""Config groups and the environment they make. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

from helmbroker.controller_bridge.apps.port import CannotRelease, ConfigChange

Config = Mapping[str, Mapping[str, str]]
"""Config group -> variable -> value. The values are secrets."""

MAX_BYTES = 512 * 1024
"""Of all names and values together: a Secret holds 1 MiB, and the ledger's is in base64 inside JSON."""

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_GROUP = re.compile(r"[a-z0-9][a-z0-9._-]{0,252}")
_SHORTEST_SECRET = 4  # characters; blotting out anything shorter would spoil sentences and hide nothing


def changed(config: Config, change: ConfigChange) -> dict[str, dict[str, str]]:
    """The config after a change. Raises CannotRelease for names, values or sizes that cannot be, and collisions."""
    after = {group: dict(variables) for group, variables in config.items()}
    for group, variables in change.groups.items():
        if variables is None:
            after.pop(group, None)
            continue
        _check_group(group, variables)
        after[group] = dict(variables)
    _check_collisions(after, change)
    size = sum(len(name) + len(value.encode()) for name, value in environment(after).items())
    if size > MAX_BYTES:
        raise CannotRelease(f"the config would be {size} bytes; an app can have {MAX_BYTES}")
    return after


def environment(config: Config) -> dict[str, str]:
    """All groups merged. They do not collide: `changed` saw to that."""
    return {name: value for group in sorted(config) for name, value in sorted(config[group].items())}


def check_not_hidden(process_type: str, own: Iterable[str], change: ConfigChange) -> None:
    """Refuse variables that a Deployment sets itself: its own `env` would win over what is injected."""
    own_names = set(own)
    for group, variables in sorted(change.groups.items()):
        for name in sorted(own_names.intersection(variables or ())):
            raise CannotRelease(
                f"process type {process_type} sets {name} itself, which would hide that of config group {group}: "
                "remove it from the Deployment's env"
            )


def blotted(text: str, config: Config) -> str:
    """The text with every value of the config replaced by the name of its variable: `$DATABASE_PASSWORD`.

    What apps and clusters say about a failure may quote what they were given; passwords inside URLs count too.
    """
    variables = environment(config)
    known = {part: name for name, value in variables.items() for part in _passwords_in(value)}
    known |= {value: name for name, value in variables.items()}
    for secret in sorted(known, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, f"${known[secret]}")
    return text


def _passwords_in(value: str) -> set[str]:
    """The password of a URL, as it stands there and decoded."""
    try:
        password = urlsplit(value).password if "://" in value else None
    except ValueError:  # not a URL after all
        password = None
    return {password, unquote(password)} if password else set()


def _check_group(group: str, variables: Mapping[str, str]) -> None:
    if _GROUP.fullmatch(group) is None:
        raise CannotRelease(f"{group!r} cannot be a config group: use small letters, digits, dots, _ and -")
    for name, value in variables.items():
        if _VARIABLE.fullmatch(name) is None:
            raise CannotRelease(
                f"{name!r} in config group {group} cannot be a variable: use capital letters, digits and _, "
                "not beginning with a digit"
            )
        if "\0" in value:
            raise CannotRelease(f"{name} in config group {group} holds a NUL character, which no environment can")


def _check_collisions(config: Config, change: ConfigChange) -> None:
    """Names of the changed groups, small or capital, with `-` or `_`. What others have among them is theirs."""
    seen: dict[str, str] = {}
    for group in sorted(config):
        for name in config[group]:
            other = seen.setdefault(_compared(name), group)
            if other != group and {other, group} & set(change.groups):
                raise CannotRelease(f"config groups {other} and {group} both set {name}: rename one of them")


def _compared(name: str) -> str:
    return name.lower().replace("-", "_")
