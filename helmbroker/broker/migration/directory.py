"""The data directory of Drycc's helmbroker: read, never written. What Valkey has wins over the file, as there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helmbroker.broker.migration import told
from helmbroker.broker.migration.told import OldInstance, Unclear
from helmbroker.catalog import documents
from helmbroker.catalog.documents import Unreadable
from helmbroker.catalog.model import JSON, NOTHING, Object

_INSTANCE, _BINDING, _ADDONS = "helmbroker:instance:", "helmbroker:binding:", "helmbroker:addons"
_MAX_BYTES = 16 << 20


class BadDirectory(Exception):
    """It is not what it should be: a sentence for the operator."""


@dataclass(frozen=True)
class Written:
    """What is written of an instance. folder: its own. operator: the Helm values of addon-values.yaml."""

    old: OldInstance
    folder: Path
    operator: Object = field(repr=False)


@dataclass(frozen=True)
class Found:
    """An instance, and what is written of it, or why that cannot be used."""

    id: str
    written: Written | Unclear


class DataDirectory:
    """`valkey`: a JSON object with the keys of Valkey and what they hold, or None. Raises BadDirectory."""

    def __init__(self, root: Path, valkey: Path | None = None) -> None:
        self._root = root / "instances"
        if not self._root.is_dir():
            raise BadDirectory(f"{root} has no folder instances; name the data directory of Drycc's helmbroker")
        self._cached: Mapping[str, JSON] = {} if valkey is None else _dump(valkey)
        self.addons = _offerings(self._cached.get(_ADDONS), root / "addons" / "addons.json")

    def instances(self) -> Iterator[Found]:
        """All of them, in the order of their ids; ids of Valkey never become paths."""
        folders = {each.name: each for each in self._root.iterdir()}
        cached = {key.removeprefix(_INSTANCE) for key in self._cached if key.startswith(_INSTANCE)}
        for id_ in sorted(folders.keys() | cached):
            yield self._found(id_, folders.get(id_))

    def _found(self, id_: str, folder: Path | None) -> Found:
        try:
            if folder is None:
                raise Unclear("only Valkey knows it, which forgets nobody: it was deleted, or its folder is lost")
            if folder.is_symlink() or not folder.is_dir():
                raise Unclear("is no folder; move it away")
            written = self._written(_INSTANCE + id_, folder / "instance.json")
            if written is None:
                raise Unclear("instance.json is missing, so nobody knows what it was; restore it from backups/")
            binding = self._written(_BINDING + id_, folder / "binding.json")
            old = told.instance(id_, written, binding, _raw(folder))
            return Found(id_, Written(old, folder, _values(folder / "addon-values.yaml") or NOTHING))
        except Unclear as error:
            return Found(id_, error)

    def _written(self, key: str, path: Path) -> JSON:
        """None: neither Valkey nor the folder has it."""
        cached = self._cached.get(key)
        if cached is None:
            return _json(path) if path.exists() else None
        return _decoded(cached, f"{key} of Valkey") if isinstance(cached, str) else cached


def _dump(path: Path) -> Mapping[str, JSON]:
    try:
        found = _json(path)
    except Unclear:
        found = None
    if not isinstance(found, Mapping):
        raise BadDirectory(f"{path} is no JSON object of the keys of Valkey and what they hold; write it anew")
    return found


def _offerings(cached: JSON, path: Path) -> Mapping[str, Mapping[str, Any]]:
    """What the old catalogue says of each service class, by its id; without one nothing is known of them."""
    try:
        found: Any = _json(path) if cached is None and path.exists() else cached
        found = _decoded(found, _ADDONS) if isinstance(found, str) else found
    except Unclear as error:
        raise BadDirectory(f"{path}: {error}; move it away if you can do without") from None
    listed = found.values() if isinstance(found, Mapping) else found if isinstance(found, list) else ()
    return {each["id"]: each for each in listed if isinstance(each, Mapping) and isinstance(each.get("id"), str)}


def _raw(folder: Path) -> Object | None:
    path = folder / "custom-addon-values.yaml"
    return _values(path) if path.exists() else None


def _values(path: Path) -> Object | None:
    """A mapping in YAML; None: nothing is in it, or it is not there. What is wrong is told without quoting it."""
    if not path.exists():
        return None
    _check(path)
    try:
        data = documents.read(path, path.name).data
    except Unreadable as error:
        raise Unclear(f"{path.name} is not valid YAML at line {error.fault.line}; mend it") from None
    if data is not None and not isinstance(data, Mapping):
        raise Unclear(f"{path.name} must be a mapping; mend it")
    return data


def _json(path: Path) -> JSON:
    _check(path)
    try:
        return _decoded(path.read_text("utf-8"), path.name)
    except UnicodeDecodeError:
        raise Unclear(f"{path.name} is not UTF-8 text; restore it from backups/") from None
    except OSError as error:
        raise Unclear(f"{path.name} cannot be read: {error.strerror}") from None


def _decoded(text: str, name: str) -> JSON:
    try:
        found: JSON = json.loads(text)
    except (ValueError, RecursionError):  # written without care for crashes (B18)
        raise Unclear(f"{name} is not valid JSON; restore it from backups/") from None
    return found


def _check(path: Path) -> None:
    if path.is_symlink() or not path.is_file():
        raise Unclear(f"{path.name} is not there as a plain file; put it back")
    if path.stat().st_size > _MAX_BYTES:
        raise Unclear(f"{path.name} has more than {_MAX_BYTES} bytes")
