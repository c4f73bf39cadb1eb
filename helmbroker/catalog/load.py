"""Addon folders -> one Catalog. A faulty addon is set apart with its reasons and hides no other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from helmbroker.catalog import archive, formats
from helmbroker.catalog.model import STRICT, Addon, AddonFaults, Catalog, Fault, Legacy, Severity

_Stamp = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True)
class _Read:
    """A folder as it was read: names, sizes, times and inodes of its files, and the outcome.

    originals: the contents of those files that are mended, as they lie; not of those that are added.
    """

    stamp: _Stamp = ()
    addon: Addon | None = None
    originals: Mapping[str, bytes] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


@dataclass
class Shelf:
    """Folders of addons, which may be read as often as one likes: what has not changed costs next to nothing."""

    folders: Collection[Path]
    legacy: Legacy = STRICT
    _known: dict[Path, _Read] = field(default_factory=dict)

    def read(self) -> Catalog:
        """Every addon one or two levels below the folders, in order of name. Raises OSError for those."""
        self._known = {path: self._read(path) for folder in self.folders for path in _addons(folder)}
        addons: list[Addon] = []
        archived: list[Addon] = []
        quarantined: dict[str, tuple[Fault, ...]] = {}
        warnings: dict[str, tuple[Fault, ...]] = {}
        for path, read in self._known.items():
            addon = read.addon
            found = [] if addon is None else [*addon.warnings, *_clashes(addon, addons)]
            errors = tuple(fault for fault in found if fault.severity is Severity.ERROR)
            if addon is None or errors:
                quarantined[str(path)] = read.faults or tuple(found)
                continue
            if addon.archived:
                archived.append(addon)
                found.append(_warning("is archived: not offered, but its service instances stay as they are"))
            else:
                addons.append(addon)
            if found:
                warnings[str(path)] = tuple(found)
        return Catalog(tuple(addons), quarantined, warnings, tuple(archived))

    def _read(self, path: Path) -> _Read:
        known = self._known.get(path)
        try:
            stamp = _stamp(path)
            if known is not None and known.addon is not None:
                if known.stamp == stamp:
                    return known
                same = archive.digest(path, known.addon.mended) == known.addon.digest
                if same and _originals(known.addon) == known.originals:
                    return replace(known, stamp=stamp)
            addon = formats.load(path, self.legacy)
            return _Read(stamp, addon, _originals(addon))
        except AddonFaults as error:
            return _Read(faults=error.faults)
        except archive.BadArchive as error:
            return _Read(faults=(Fault(_main(path), 0, str(error)),))
        except OSError as error:
            where = str(error.filename or _main(path)).removeprefix(f"{path}/")
            return _Read(faults=(Fault(where, 0, f"cannot be read: {error.strerror}"),))


def load(folders: Collection[Path], legacy: Legacy = STRICT) -> Catalog:
    """Read every addon below the given folders, once."""
    return Shelf(folders, legacy).read()


def _addons(folder: Path) -> Iterator[Path]:
    """`folder/NAME` or `folder/NAME/VERSION`, as repositories of Drycc have it; not what we may not look into."""
    for path in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        with suppress(PermissionError):  # lost+found, at the root of a volume
            if formats.is_addon(path):
                yield path
            else:
                yield from sorted(inner for inner in path.iterdir() if inner.is_dir() and formats.is_addon(inner))


def _stamp(path: Path) -> _Stamp:
    return tuple(
        (name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in archive.entries(path).items()
    )


def _originals(addon: Addon) -> dict[str, bytes]:
    there = (name for name in addon.mended if (addon.folder / name).exists())
    return {name: (addon.folder / name).read_bytes() for name in there}


def _main(path: Path) -> str:
    return next((name for name in formats.FILES if (path / name).exists()), formats.FILES[0])


def _warning(message: str, file: str = "meta.yaml") -> Fault:
    return Fault(file, 0, message, Severity.WARNING)


def _clashes(addon: Addon, others: Iterable[Addon]) -> list[Fault]:
    """Ids and names that another addon has (OSB items 24, 25): the one read first keeps them.

    An id that is of a plan here and of an addon there confuses only people.
    """
    file = _main(addon.folder)
    plans = {plan.id for plan in addon.plans}
    faults = []
    if addon.id in plans:
        faults.append(_warning("the addon's id is that of one of its plans", file))
    for other in others:
        theirs = {plan.id for plan in other.plans}
        same = sorted({addon.id} & {other.id} | plans & theirs)
        faults += [Fault(file, 0, f"id {id_} is taken by addon {other.name}") for id_ in same]
        mixed = sorted({addon.id} & theirs | plans & {other.id})
        faults += [_warning(f"id {id_} is of addon {other.name}, too, for something else", file) for id_ in mixed]
        if addon.name == other.name:
            where = "/".join(other.folder.parts[-2:])
            faults.append(Fault(file, 0, f"name {addon.name} is taken by {where}"))
    return faults
