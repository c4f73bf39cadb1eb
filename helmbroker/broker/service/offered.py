"""The catalog as this process offers it: always the one that the database lists, without asking it in requests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace

from helmbroker.broker.domain.errors import BadRequest, Unavailable
from helmbroker.broker.domain.ports import AddonRevisions
from helmbroker.broker.domain.sources import Catalogs, Retired
from helmbroker.catalog.model import Addon, AddonFaults, Catalog, Fault, Plan
from helmbroker.catalog.sources.model import Listed

LOOK_S = 2.0
log = logging.getLogger("helmbroker.catalog")


class Offered:
    """Call it for the catalog. A database that is away changes nothing (B62)."""

    def __init__(self, catalogs: Catalogs, revisions: AddonRevisions) -> None:
        self._catalogs, self._revisions = catalogs, revisions
        self._seen: tuple[tuple[Listed, ...], frozenset[Retired]] = (), frozenset()
        self._catalog = self._whole = Catalog()

    def __call__(self) -> Catalog:
        return self._catalog

    @property
    def whole(self) -> Catalog:
        """What sources have, with what is retired."""
        return self._whole

    def look(self) -> bool:
        """Whether the database lists another catalog than before; it is offered from now on. Raises Unavailable."""
        seen = self._catalogs.listed(), self._catalogs.retired()
        if seen == self._seen:
            return False
        self._whole = self._read(seen[0])
        self._catalog = without(self._whole, seen[1])
        self._seen = seen
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


def without(whole: Catalog, retired: frozenset[Retired]) -> Catalog:
    """What is retired is offered no more: neither single plans nor services that have no other."""
    addons: list[Addon] = []
    for addon in whole.addons:
        plans = tuple(plan for plan in addon.plans if Retired(addon.id, plan.id) not in retired)
        if plans and Retired(addon.id) not in retired:
            addons.append(addon if plans == addon.plans else replace(addon, plans=plans))
    return replace(whole, addons=tuple(addons))


def chosen(catalog: Catalog, service: str | None, plan: str | None) -> tuple[Addon, Sequence[Plan]]:
    """The one offering that is meant by names or ids, and those of its plans. Raises BadRequest."""
    if service is None and plan is None:
        raise BadRequest("Name a service, or a plan, or both.")
    addons = [each for each in catalog.addons if service in (None, each.id, each.name)]
    if not addons:
        raise BadRequest(f"There is no service {service} in the catalog; there are {_names(catalog.addons)}.")
    found = [(addon, [each for each in addon.plans if plan in (None, each.id, each.name)]) for addon in addons]
    found = [(addon, plans) for addon, plans in found if plans]
    if not found:
        raise BadRequest(f"There is no plan {plan} of {_names(addons)} in the catalog.")
    if len(found) > 1:
        raise BadRequest(f"Several services have a plan {plan}: {_names([each for each, _ in found])}; name one.")
    return found[0]


def _names(addons: Sequence[Addon]) -> str:
    return ", ".join(each.name for each in addons) or "none"
