"""Charts that others depend on, from registries and from Helm's repositories."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from helmbroker.catalog.sources import archives, artifacts, folders
from helmbroker.catalog.sources.model import Access, Chosen, Dependency, Reason, SourceError
from helmbroker.catalog.sources.references import Reference, reference
from helmbroker.catalog.sources.registry import Registry, sha256
from helmbroker.catalog.sources.versions import BadRange, best
from helmbroker.catalog.sources.web import MAX_ARCHIVE_BYTES, MAX_INDEX_BYTES


def fetch(dependency: Dependency, location: str, access: Access, target: Path, warnings: list[str]) -> Chosen:
    """Put the best version at `location`, `oci://...` or `https://...`, into the folder `target`.

    What there is to say of its signature is added to `warnings`. Raises SourceError.
    """
    take = _from_registry if location.startswith("oci://") else _from_index
    return take(dependency, location, access, target, warnings)


def _from_registry(
    dependency: Dependency, location: str, access: Access, target: Path, warnings: list[str]
) -> Chosen:
    whole = reference(f"{location.rstrip('/')}/{dependency.name}")
    registry = Registry(access, whole)
    versions = [tag.replace("_", "+") for tag in registry.tags()]
    version = _best(dependency, versions)
    name = Reference(whole.host, whole.repository, version.replace("+", "_"), None)
    manifest = artifacts.resolve(registry, name)
    warning = artifacts.verify(registry, name, manifest, access)
    warnings += [] if warning is None else [warning]
    packed = artifacts.content(registry, name, manifest, artifacts.CHART)
    _unpack(packed, dependency, target)
    return Chosen(dependency, version, manifest.digest)


def _from_index(dependency: Dependency, location: str, access: Access, target: Path, warnings: list[str]) -> Chosen:
    index = f"{location.rstrip('/')}/index.yaml"
    place = archives.Place(access, index)
    entries = {
        entry.version: entry
        for entry in archives.read_index(index, place.read(index, MAX_INDEX_BYTES))
        if entry.name == dependency.name
    }
    entry = entries[_best(dependency, list(entries))]
    packed = place.read(entry.url, MAX_ARCHIVE_BYTES)
    archives.check_digest(entry.url, packed, entry.digest)
    warning = archives.judged(place, access, entry.url, packed)
    warnings += [] if warning is None else [warning]
    _unpack(packed, dependency, target)
    return Chosen(dependency, entry.version, sha256(packed))


def _best(dependency: Dependency, versions: Sequence[str]) -> str:
    try:
        version = best(dependency.version, versions)
    except BadRange as error:
        raise SourceError(Reason.DEPENDENCY, str(error)) from None
    if version is None:
        raise SourceError(Reason.DEPENDENCY, f"there is no version in that range; there are {len(versions)} others")
    return version


def _unpack(packed: bytes, dependency: Dependency, target: Path) -> None:
    """A packaged chart has everything below one folder of its name."""
    aside = target.with_name(f".{dependency.name}")
    folders.unpacked(packed, aside)
    inner = [each for each in aside.iterdir() if (each / "Chart.yaml").is_file()]
    if len(inner) != 1:
        raise SourceError(Reason.DEPENDENCY, "what was fetched is no chart: Chart.yaml must be in its one folder")
    inner[0].rename(target)
    shutil.rmtree(aside)
