"""What a measured broker has: five addons with twenty plans, and a number of instances in its database."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import sqlalchemy as sa

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.instance import ServiceInstance
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.store.schema import bindings, instances, operations
from helmbroker.broker.store.store import SqlStore
from helmbroker.catalog.load import load
from helmbroker.catalog.model import Catalog, Object
from helmbroker.durable import State
from helmbroker.sealing import Keys

ADDONS, PLANS = 5, 4  # of each
NAMESPACE = "instances"
PARAMETERS: Object = {"settings": {"maxclients": 100, "appendfsync": "everysec"}}
_PATIENCE_S = 5.0
PASSING = "passing-"
"""How the ids of instances begin that only a measurement makes."""
_MODEL = Path(__file__).parents[2] / "addons" / "redis"


def shelf(folder: Path) -> Path:
    """Addons of the size of a real one, which `folder` gets."""
    for number in range(ADDONS):
        addon = folder / f"store-{number}"
        shutil.copytree(_MODEL, addon)
        _rename(addon / "addon.yaml", "redis", addon.name)
        for plan in sorted((addon / "plans").iterdir()):
            for copy in range(1, PLANS // 2):
                twin = shutil.copy(plan, plan.with_stem(f"{plan.stem}-{copy}"))
                _rename(Path(twin), plan.stem, Path(twin).stem)
            _rename(plan, plan.stem, plan.stem)
    return folder


def _rename(file: Path, old: str, new: str) -> None:
    """Another name and id for an addon or plan."""
    lines = file.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.startswith("id: "):
            lines[number] = f"id: {uuid5(NAMESPACE_OID, str(file))}"
        elif line == f"name: {old}":
            lines[number] = f"name: {new}"
    file.write_text("\n".join(lines) + "\n", "utf-8")


class Stock:
    """The database of a measured broker."""

    def __init__(self, url: str, keys_file: Path, catalog: Catalog) -> None:
        self._store = SqlStore(url, Keys.load(keys_file))
        self._addon = catalog.addons[0]
        self._store.prepare()
        self._store.keep(catalog)
        self._broker_id = self._store.broker_id

    def fill(self, count: int) -> None:
        """Add so many instances `i0`, `i1`, ..., all provisioned."""
        with self._store.transaction() as tx:
            for number in range(count):
                instance = self._instance(f"i{number}")
                tx.save_instance(instance, tx.start(Kind.PROVISION, instance.id, None, timeout_s=600))
        done = {"state": str(State.SUCCEEDED), "description": "ready", "finished_at": operations.c.created_at}
        with self._store.engine.begin() as conn:
            conn.execute(operations.update().values(**done))

    def live(self) -> None:
        """A binding of each instance, and three more operations of it that have ended."""
        first = [column for column in operations.c if column.name not in {"seq", "id", "kind"}]
        columns = ["id", "kind", *(column.name for column in first)]
        with self._store.engine.begin() as conn:
            for number, kind in enumerate((Kind.BIND, Kind.UPDATE, Kind.UPDATE)):
                made = sa.literal(f"{kind}-{number}:") + operations.c.id
                done = sa.select(made, sa.literal(str(kind)), *first).where(operations.c.kind == Kind.PROVISION)
                conn.execute(operations.insert().from_select(columns, done))
            own: dict[str, Any] = {
                "instance_id": instances.c.id,
                "id": sa.literal("b"),
                "endpoints": sa.literal("[]"),
            }
            own["operation_id"] = sa.literal(f"{Kind.BIND}-0:") + instances.c.operation_id
            own["sealed_credentials"] = instances.c.sealed_parameters
            same = ("service_id", "plan_id", "sealed_parameters", "context", "namespace", "release")
            bound = sa.select(*own.values(), *(instances.c[name] for name in same))
            conn.execute(bindings.insert().from_select([*own, *same], bound))

    def clear(self) -> None:
        """Take away what a measurement has made."""
        made = operations.c.subject.startswith(PASSING) | (operations.c.kind != Kind.PROVISION)
        with self._store.engine.begin() as conn:
            conn.execute(bindings.delete())
            conn.execute(instances.delete().where(instances.c.id.startswith(PASSING)))
            conn.execute(operations.delete().where(made))

    def await_operations(self, count: int) -> None:
        """Return when so many operations have begun and not ended. Raises TimeoutError."""
        query = sa.select(sa.func.count()).select_from(operations).where(operations.c.finished_at.is_(None))
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            with self._store.engine.connect() as conn:
                if conn.scalar(query) == count:
                    return
            time.sleep(0.05)
        raise TimeoutError(f"there are no {count} operations")

    def settle(self) -> None:
        """Statistics for the planner, a short log: a database that was filled this moment is not one that runs."""
        with self._store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            if self._store.engine.dialect.name == "postgresql":
                conn.execute(sa.text("VACUUM ANALYZE"))

    def close(self) -> None:
        """Give the connections back."""
        self._store.close()

    def _instance(self, instance_id: str) -> ServiceInstance:
        return ServiceInstance(
            id=instance_id,
            service_id=self._addon.id,
            plan_id=self._addon.plans[0].id,
            organization_guid="org",
            space_guid="space",
            parameters=Parameters(PARAMETERS),
            context={"platform": "kubernetes", "namespace": "apps"},
            release=naming.instance_release(NAMESPACE, self._broker_id, instance_id),
            addon_digest=self._addon.digest,
        )


def catalog(folder: Path) -> Catalog:
    """The addons of `shelf`."""
    made = load([folder])
    if made.quarantined or sum(len(addon.plans) for addon in made.addons) != ADDONS * PLANS:
        raise ValueError(f"the addons of the measurement are faulty: {made.quarantined}")
    return made
