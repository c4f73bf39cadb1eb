"""Addon folders -> one Catalog. A faulty addon is set apart with its reasons and hides no other."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from helmbroker.catalog.formats import native
from helmbroker.catalog.model import Addon, AddonFaults, Catalog, Fault


def load(folders: Iterable[Path]) -> Catalog:
    """Read every addon below the given folders (one level deep), in order of name."""
    addons: list[Addon] = []
    quarantined: dict[str, tuple[Fault, ...]] = {}
    for folder in folders:
        for path in sorted(entry for entry in folder.iterdir() if (entry / native.FILE).is_file()):
            try:
                addon = native.load(path)
                clashes = _clashes(addon, addons)
                if clashes:
                    raise AddonFaults(clashes)
                addons.append(addon)
            except AddonFaults as error:
                quarantined[str(path)] = error.faults
            except OSError as error:
                where = str(error.filename or native.FILE).removeprefix(f"{path}/")
                quarantined[str(path)] = (Fault(where, 0, f"cannot be read: {error.strerror}"),)
    return Catalog(tuple(addons), quarantined)


def _clashes(addon: Addon, others: Iterable[Addon]) -> list[Fault]:
    """Ids and names that another addon has (OSB items 24, 25): the one read first keeps them."""
    faults = []
    ids = {addon.id, *(plan.id for plan in addon.plans)}
    if len(ids) != 1 + len(addon.plans):
        faults.append(Fault(native.FILE, 0, "the addon's id is that of one of its plans; make it unique"))
    for other in others:
        shared = sorted(ids & {other.id, *(plan.id for plan in other.plans)})
        faults += [Fault(native.FILE, 0, f"id {id_} is taken by addon {other.name}") for id_ in shared]
        if addon.name == other.name:
            faults.append(Fault(native.FILE, 0, f"name {addon.name} is taken by {other.folder}"))
    return faults
