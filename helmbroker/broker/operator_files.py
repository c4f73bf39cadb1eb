"""What operators write in files, by name of the addon: Helm values that win over plans and users, and grants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helmbroker.broker.gate import Grants, grants
from helmbroker.catalog.documents import Document, Unreadable, read
from helmbroker.catalog.model import Object


class BadFile(Exception):
    """All that is wrong with the file, in a sentence."""


def read_overrides(path: Path | None) -> Mapping[str, Object]:
    """Helm values; without a file there are none. Raises BadFile."""
    data: Any = _document(path).data or {}
    if isinstance(data, dict) and all(isinstance(values, dict) for values in data.values()):
        return data
    raise BadFile(f"{path} must map addon names to Helm values")


def read_grants(path: Path | None) -> Mapping[str, Grants]:
    """Grants; without a file there are none. Raises BadFile."""
    found, faults = grants.read(_document(path))
    if faults:
        raise BadFile("; ".join(map(str, faults)))
    return found


def _document(path: Path | None) -> Document:
    try:
        return Document("", None, {}) if path is None else read(path, str(path))
    except Unreadable as error:
        raise BadFile(str(error)) from None
