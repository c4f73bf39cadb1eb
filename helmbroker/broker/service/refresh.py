"""The catalog is read anew from its sources: by schedule, when an operator asks for it, and when an API starts."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from helmbroker.broker.domain.errors import Unavailable
from helmbroker.broker.domain.sources import Catalogs
from helmbroker.broker.domain.store_ports import Store
from helmbroker.catalog.sources.model import Listed, Source, Sources
from helmbroker.catalog.sources.reading import Before, Reading, read
from helmbroker.durable import Operation

TIMEOUT_S = 3600.0
_TRIES = 3  # two processes that look at the same time have one of them look again
log = logging.getLogger("helmbroker.catalog")


class Refresh:
    """Reads sources below `place`, a folder of ours alone. `sources`: as the operator has written them down now."""

    def __init__(self, catalogs: Catalogs, sources: Callable[[], Sources], place: Path) -> None:
        self._catalogs, self._sources, self._place = catalogs, sources, place

    def run(
        self, asked: Callable[[Source], bool] = lambda _source: True, check: Callable[[], None] = lambda: None
    ) -> str:
        """Look at all sources, or at those that are `asked`; in a sentence how that ended.

        What cannot be had stays as it was. `check` is called again and again, and may raise.

        Raises Unavailable; AddonFaults: the operator's file is wrong.
        """
        sources = self._sources()
        names = [each.name for each in sources.sources]
        for _ in range(_TRIES):
            found = self._catalogs.provenance()
            before = tuple(found.listed)
            standings = {each.standing.name: each.standing for each in found.sources}
            known = Before(before, standings, self._catalogs.packed)
            with self._folder() as place:
                reading = read(sources, place, known, asked=asked, check=check)
                if self._catalogs.replace(before, names, reading):
                    _tell(before, reading)
                    return _sentence(reading)
        raise Unavailable("The catalog is being refreshed by others. Try again.")

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        try:
            self._place.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.TemporaryDirectory(dir=self._place, ignore_cleanup_errors=True) as folder:
                yield Path(folder)
        except OSError as error:
            raise Unavailable(
                f"The broker cannot read addons into its data directory: {error.strerror}. Free space, or make it "
                "writable."
            ) from error


def begin(store: Store) -> Operation:
    """Have the workers look at all sources. Raises Unavailable."""
    with store.transaction() as tx:
        return tx.start_refresh(timeout_s=TIMEOUT_S)


def _tell(before: Sequence[Listed], reading: Reading) -> None:
    """Log what is new: sources that cannot be had, addons that are not taken, and whether anything has changed."""
    for standing in reading.standings:
        if standing.reason is not None:
            log.error("source %s cannot be had: %s: %s", standing.name, standing.reason, standing.message)
        elif standing.message:
            log.warning("source %s: %s", standing.name, standing.message)
    known = set(before)
    for row in reading.listed:
        if row.reason is not None and row not in known:
            kept = "; the one before is offered still" if row.digest else ""
            faults = "; ".join(map(str, row.faults))
            log.error("addon %s/%s is not offered%s: %s", row.source, row.label, kept, faults)
        elif row.faults and row not in known:
            number = len(row.faults)
            log.warning("addon %s/%s has %d warnings; /admin/catalog shows them", row.source, row.label, number)
    if reading.changed:
        offered = sum(row.digest is not None for row in reading.listed)
        log.info("the catalog has changed", extra={"addons": offered})


def _sentence(reading: Reading) -> str:
    had = [each for each in reading.standings if each.reason is None]
    away = ", ".join(f"{each.name} ({each.reason})" for each in reading.standings if each.reason is not None)
    bad = ", ".join(f"{row.source}/{row.label}" for row in reading.listed if row.reason is not None)
    offered = sum(row.digest is not None for row in reading.listed)
    parts = [
        f"{len(had)} of {len(reading.standings)} sources read, {offered} addons offered",
        f"cannot be had: {away}" if away else "",
        f"not taken: {bad}" if bad else "",
        "the catalog has changed" if reading.changed else "nothing has changed",
    ]
    return "; ".join(filter(None, parts))
