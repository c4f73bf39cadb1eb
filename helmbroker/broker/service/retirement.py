"""Services and plans that are not offered any more, though their source has them; their instances go on."""

from __future__ import annotations

from collections.abc import Callable

from helmbroker.broker.domain.sources import Catalogs, Retired
from helmbroker.broker.domain.store_ports import Store
from helmbroker.broker.service.offered import chosen
from helmbroker.catalog.model import Catalog


class Retirement:
    """`whole`: the catalog with what is retired, so that it can be named. API processes see a change in seconds."""

    def __init__(self, store: Store, catalogs: Catalogs, whole: Callable[[], Catalog]) -> None:
        self._store, self._catalogs, self._whole = store, catalogs, whole

    def change(self, service: str | None, plan: str | None, undo: bool = False) -> list[Retired]:
        """Retire a service, or one of its plans, or offer it again. Raises BadRequest, Unavailable."""
        addon, plans = chosen(self._whole(), service, plan)
        which = Retired(addon.id, None if plan is None else plans[0].id)
        with self._store.transaction() as tx:
            tx.retire(which, undo=undo)
        return self.all()

    def all(self) -> list[Retired]:
        """What is retired. Raises Unavailable."""
        return sorted(self._catalogs.retired(), key=lambda each: (each.service_id, each.plan_id or ""))

    def named(self, which: Retired) -> dict[str, str | None]:
        """With names, as far as a source has it still."""
        addon = self._whole().addon(which.service_id)
        plan = None if addon is None or which.plan_id is None else addon.plan(which.plan_id)
        return {
            "service_id": which.service_id,
            "service": None if addon is None else addon.name,
            "plan_id": which.plan_id,
            "plan": None if plan is None else plan.name,
        }
