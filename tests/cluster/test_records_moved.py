"""Records that are older than the cluster, and records that move: adopt, purge, export, import."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from helmbroker.broker.domain import naming
from helmbroker.kubeapi.port import Kube
from tests.cluster.broker import Broker
from tests.cluster.customers import apps, customers, running
from tests.cluster.inventory import await_nothing
from tests.cluster.operating import operate, started_again, stop
from tests.postgresql import empty_database, postgresql_url

__all__ = ["apps", "postgresql_url", "running"]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]


def test_an_old_backup_is_put_back(kube: Kube, running: Broker, apps: str) -> None:
    """What was made after it is adopted, or purged with its data."""
    database, backup = running.data_dir / "helmbroker.db", running.data_dir.parent / "backup.db"
    with closing(sqlite3.connect(database)) as now, closing(sqlite3.connect(backup)) as then:
        now.backup(then)
    made = customers(kube, running, apps)
    delivered = made.bindings[2].credentials()
    instances = [running.release(each.id) for each in (made.postgresql, made.redis)]
    bindings = [
        naming.binding_release(instances[each.instance is made.redis], each.instance.id, each.id)
        for each in made.bindings
    ]
    stop(running)
    for file in running.data_dir.glob("helmbroker.db*"):
        file.unlink()
    backup.rename(database)
    with started_again(running):
        orphans = [("orphan", f"release {ref.namespace}/{ref.name}") for ref in (*instances, *bindings)]
        said = operate(running, "doctor", "--output", "json")
        assert (said.status, said.findings) == (1, sorted(orphans)), said.output
        too_early = operate(running, "adopt", bindings[2].name, "--yes")
        assert (too_early.status, "its instance" in too_early.errors) == (1, True), too_early
        adopted = operate(running, "adopt", instances[1].name, "--yes")
        assert (adopted.status, adopted.output.count("restored ")) == (0, 2), adopted
        assert made.bindings[2].credentials() == delivered
        assert made.log_in(2) == 0
        purged = operate(running, "purge", "--all-orphans", "--with-data", "--yes")
        assert (purged.status, purged.output.count("is removed")) == (0, 3), purged
        await_nothing(running.namespace, instances[0].name)
        assert operate(running, "doctor").status == 0
        assert made.log_in(2) == 0, "what was adopted is none of the orphans"
        assert made.bindings[2].unbind().state == "succeeded"
        assert made.log_in(2) != 0
        assert made.redis.delete().state == "succeeded"
        await_nothing(running.namespace)


@pytest.mark.night
@pytest.mark.postgresql
def test_all_records_move_to_another_database(
    kube: Kube, running: Broker, apps: str, postgresql_url: str, tmp_path: Path
) -> None:
    """From SQLite to PostgreSQL, beside the same cluster."""
    made = customers(kube, running, apps)
    delivered = [binding.credentials() for binding in made.bindings]
    stop(running)
    document = tmp_path / "all.json"
    exported = operate(running, "export", str(document))
    assert (exported.status, document.stat().st_mode & 0o777) == (0, 0o600), exported
    text = document.read_text()
    assert not [each for each in delivered if each["password"] in text]
    for file in running.data_dir.glob("helmbroker.db*"):
        file.unlink()
    url = empty_database(postgresql_url).replace("postgresql+psycopg:", "postgresql:")
    imported = operate(running, "import", str(document), DATABASE_URL=url)
    assert (imported.status, imported.output.count("imported ")) == (0, 5), imported
    again = operate(running, "import", str(document), DATABASE_URL=url)
    assert (again.status, "has records already" in again.errors) == (1, True), again
    with started_again(running, DATABASE_URL=url):
        assert operate(running, "doctor", DATABASE_URL=url).status == 0
        assert [binding.credentials() for binding in made.bindings] == delivered
        assert [made.log_in(number) for number in range(3)] == [0, 0, 0]
        assert made.redis.binding().bind().state == "succeeded"
        assert made.bindings[0].unbind().state == "succeeded"
        assert [made.log_in(number) != 0 for number in range(3)] == [True, False, False]
        update = made.redis.update(parameters={"settings": {"maxmemory_policy": "allkeys-lru"}})
        assert update.state == "succeeded", update
        assert [instance.delete().state for instance in (made.postgresql, made.redis)] == ["succeeded"] * 2
        await_nothing(running.namespace)
