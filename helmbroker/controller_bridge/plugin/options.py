"""The options of a resource, as they are given to create and update."""

from __future__ import annotations

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
        values = yaml.load(content, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        raise CommandError(f"the values file {path}{line} is not YAML") from error
    if not isinstance(values, dict) or not values:
        raise CommandError(f"the values file {path} has to hold a YAML mapping, such as 'storage: {{size: 2Gi}}'")
    return base64.b64encode(content).decode()
