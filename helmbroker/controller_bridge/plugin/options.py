"""The options of a resource, as they are given to create and update, and the mapping of a bind."""

from __future__ import annotations

import argparse
import base64
import re
from collections.abc import Sequence
from pathlib import Path

from helmbroker.controller_bridge.plugin.terminal import CommandError

PAIR = re.compile(r"([A-Za-z_][\w-]*(?:\.[\w-]+)*)=(.*)", re.DOTALL | re.ASCII)


def options(pairs: Sequence[str], values_file: str | None) -> dict[str, object]:
    """KEY=VALUE arguments as a mapping of strings; or the file, whole, which then wins. Raises CommandError."""
    parsed: dict[str, object] = {}
    for pair in pairs:
        match = PAIR.fullmatch(pair)
        if not match:
            raise CommandError(f"'{pair}' does not match the pattern 'key=var', ex: MODE=test")
        parsed[match[1]] = match[2]
    return parsed if values_file is None else {"rawValues": _raw_values(Path(values_file))}


def _raw_values(path: Path) -> str:
    """The file in base64, after it was seen to be a YAML mapping."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read the values file {path}: {error.strerror}") from error
    import yaml  # noqa: PLC0415 - only -f needs it

    try:
        values = yaml.safe_load(content)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        raise CommandError(f"the values file {path}{line} is not YAML") from error
    if not isinstance(values, dict) or not values:
        raise CommandError(f"the values file {path} has to hold a YAML mapping, such as 'storage: {{size: 2Gi}}'")
    return base64.b64encode(content).decode()


def env_mapping(given: argparse.Namespace) -> dict[str, object]:
    """What `bind` says of the variables; empty when it says nothing. Raises CommandError."""
    mapping: dict[str, object] = {}
    if given.prefix is not None:
        mapping["prefix"] = given.prefix
    if given.only:
        mapping["only"] = given.only.split(",")
    for pair in given.rename or ():
        key, equals, variable = pair.partition("=")
        if not (key and equals and variable):
            raise CommandError(f"'{pair}' is no KEY=VARIABLE: give one such as uri=DATABASE_URL")
        renamed = mapping.setdefault("rename", {})
        if isinstance(renamed, dict):
            renamed[key] = variable
    return mapping
