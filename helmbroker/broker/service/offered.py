"""The catalog as this process offers it: always the one that the database lists, without asking it in requests."""

from __future__ import annotations

import logging
import threading

from helmbroker.broker.domain.errors import Unavailable
from helmbroker.broker.domain.ports import AddonRevisions
from helmbroker.broker.domain.sources import Catalogs
from helmbroker.catalog.model import Addon, AddonFaults, Catalog, Fault
from helmbroker.catalog.sources.model import Listed

LOOK_S = 2.0
log = logging.getLogger("helmbroker.catalog")


class Offered:
    """Call it for the catalog. A database that is away changes nothing (B62)."""

    def __init__(self, catalogs: Catalogs, revisions: AddonRevisions) -> None:
        self._catalogs, self._revisions = catalogs, revisions
        self._listed: tuple[Listed, ...] = ()
        self._catalog = Catalog()

    def __call__(self) -> Catalog:
        return self._catalog

    def look(self) -> bool:
        """Whether the database lists another catalog than before; it is offered from now on. Raises Unavailable."""
        listed = self._catalogs.listed()
        if listed == self._listed:
            return False
        self._catalog = self._read(listed)
        self._listed = listed
        return True

    def watch(self, stop: threading.Event) -> None:
        """Look every two seconds until `stop` is set."""
        while not stop.wait(LOOK_S):
            try:
                self.look()
            except Unavailable:
                """The store has logged it; what was offered is offered still."""
            except Exception:  # whatever it is, the next look may do better, and requests are served
                log.exception("the catalog cannot be read from the database")

    def _read(self, listed: tuple[Listed, ...]) -> Catalog:
        addons: list[Addon] = []
        quarantined: dict[str, tuple[Fault, ...]] = {}
        warnings: dict[str, tuple[Fault, ...]] = {}
        for row in listed:
            name = f"{row.source}/{row.label}"
            if row.faults:
                (warnings if row.reason is None else quarantined)[name] = row.faults
            if row.digest is None:
                continue
            try:
                addons.append(self._revisions.addon(row.digest))
            except AddonFaults as error:  # of a newer version of the broker
                quarantined[name] = error.faults
        return Catalog(tuple(addons), quarantined, warnings)
