"""Removing everything that the demo made, also what a crashed one left: only what it recorded or labelled."""

from __future__ import annotations

import shutil

from demo.cluster import Cluster
from demo.places import NAMESPACES, Places
from demo.processes import Processes


def processes_of(places: Places) -> Processes:
    """The demo's processes."""
    return Processes(places.processes, places.logs)


def clean(places: Places, cluster: Cluster) -> list[str]:
    """End the processes, remove the work folder and the namespaces; what there was of them."""
    removed = clean_machine(places)
    return [*removed, *(f"namespace {name}" for name in cluster.remove_namespaces(NAMESPACES))]


def clean_machine(places: Places) -> list[str]:
    """End the processes and remove the work folder: what needs no cluster."""
    removed = [f"process {name}" for name in processes_of(places).end_all()]
    if places.root.exists():
        shutil.rmtree(places.root)
        removed.append(f"folder {places.root.name}")
    return removed
