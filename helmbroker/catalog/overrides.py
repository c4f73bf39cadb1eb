"""The operator's Helm values for addons, which win over plans and users."""

from __future__ import annotations

import re
from collections.abc import Mapping

from helmbroker.catalog.formats.versions import coerced
from helmbroker.catalog.model import NOTHING, Addon, Object

_VERSION = re.compile(r"v?[0-9]+([.][0-9]+)*([-+].*)?")


def of(addon: Addon, overrides: Mapping[str, Object]) -> Object:
    """Those of one addon: `NAME: {...}`, or for one version `NAME: {"VERSION": {...}}`, as Drycc has it (B81)."""
    given = overrides.get(addon.name, NOTHING)
    versions = {
        key: value for key, value in given.items() if _VERSION.fullmatch(key) and isinstance(value, Mapping)
    }
    if not given or len(versions) < len(given):
        return given
    return next((values for version, values in versions.items() if coerced(version) == addon.version), NOTHING)
