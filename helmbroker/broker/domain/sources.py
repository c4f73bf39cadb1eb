"""Where the catalog comes from, as the database knows it for all processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from helmbroker.catalog.sources.model import Listed, Standing
from helmbroker.catalog.sources.reading import Reading


@dataclass(frozen=True)
class SourceSeen:
    """asked_at, had_at: seconds since the epoch, on the database's clock; had_at: None: it was never had."""

    standing: Standing
    asked_at: float
    had_at: float | None


@dataclass(frozen=True, order=True)
class Retired:
    """A plan of a service that is not offered any more; plan_id None: none of its plans is."""

    service_id: str
    plan_id: str | None = None


@dataclass(frozen=True)
class Provenance:
    """Where the catalog comes from, and what it lists, in the operator's order."""

    sources: Sequence[SourceSeen]
    listed: Sequence[Listed]


class Catalogs(Protocol):
    """The catalog in the database. All raise Unavailable."""

    def listed(self) -> tuple[Listed, ...]:
        """What is offered, in its order: the same list is the same catalog, down to the last byte of a chart."""
        ...

    def retired(self) -> frozenset[Retired]:
        """What operators have taken out of it."""
        ...

    def provenance(self) -> Provenance:
        """How the sources were found, and what is offered of them, at one moment."""
        ...

    def replace(self, before: Sequence[Listed], names: Sequence[str], reading: Reading) -> bool:
        """Keep the revisions of a reading and offer what it has listed, all at once.

        names: of all sources. False: what is offered is not `before` any more, and nothing was written.
        """
        ...

    def packed(self, digest: str) -> bytes | None:
        """An addon revision as it was packed."""
        ...
