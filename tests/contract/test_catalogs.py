"""The catalog in the database, the same on SQLite and on PostgreSQL: refreshed by one, offered by all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from helmbroker.broker.domain.errors import Unavailable
from helmbroker.broker.domain.operation import Kind
from helmbroker.broker.domain.sources import Catalogs, Provenance, Retired
from helmbroker.broker.service import refresh
from helmbroker.broker.service.offered import Offered
from helmbroker.broker.service.refresh import Refresh
from helmbroker.broker.service.retirement import Retirement
from helmbroker.broker.store.revisions import UnpackedRevisions
from helmbroker.broker.store.store import SqlStore
from helmbroker.catalog.model import AddonFaults, Catalog, Fault, Severity
from helmbroker.catalog.sources.model import AddonState, Listed, Reason, Source, SourceKind, Sources, Standing
from helmbroker.catalog.sources.reading import Reading
from helmbroker.sealing import KeyRing, Keys
from tests.fakes.broker_records import service_instance
from tests.postgresql import empty_database
from tests.unit.catalog import foreign_folders
from tests.unit.catalog.folders import write
from tests.unit.catalog.sources.places import addon

KEYS = Keys(KeyRing({"1": bytes(32)}, "1"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/store.db" if sqlite else empty_database(request.getfixturevalue("postgresql_url"))
    made = SqlStore(url, KEYS)
    made.prepare()
    yield made
    made.close()


class Broker:
    """A folder as source, a worker that refreshes, and replicas that offer."""

    def __init__(self, store: SqlStore, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.shelf = folder / "shelf"
        write(self.shelf / "demo")
        self.sources = Sources((Source("shelf", SourceKind.DIRECTORY, str(self.shelf)),))
        self.refresh = Refresh(store, lambda: self.sources, folder / "place")
        self.replicas = [
            Offered(store, UnpackedRevisions(folder / name, store.packed)) for name in ("replica-1", "replica-2")
        ]

    def names(self) -> list[list[str]]:
        """What each replica offers."""
        for each in self.replicas:
            each.look()
        return [[addon.name for addon in each().addons] for each in self.replicas]


@pytest.fixture
def broker(store: SqlStore, tmp_path: Path) -> Broker:
    return Broker(store, tmp_path)


def test_all_replicas_come_to_the_same_catalog(broker: Broker) -> None:
    assert broker.names() == [[], []]
    assert broker.refresh.run() == "1 of 1 sources read, 1 addons offered; the catalog has changed"
    assert broker.names() == [["demo"], ["demo"]]
    write(broker.shelf / "other", addon("other", number="bbbbbbbb"))
    broker.refresh.run()
    assert broker.names() == [["demo", "other"], ["demo", "other"]]
    assert [each().addons[0].digest for each in broker.replicas] == [broker.store.listed()[0].digest] * 2
    assert broker.refresh.run() == "1 of 1 sources read, 2 addons offered; nothing has changed"
    assert [each.look() for each in broker.replicas] == [False, False]
    assert list((broker.folder / "place").iterdir()) == []


def test_what_is_retired_is_offered_by_no_replica(broker: Broker) -> None:
    """A plan, then the rest of its service; the revision that instances have pinned has all of them still."""
    broker.refresh.run()
    broker.names()
    (demo,) = broker.replicas[0]().addons
    (small,) = (plan for plan in demo.plans if plan.name == "small")
    retirement = Retirement(broker.store, broker.store, lambda: broker.replicas[0].whole)
    assert retirement.change("demo", "small") == [Retired(demo.id, small.id)]
    broker.names()
    assert [[plan.name for plan in each().addons[0].plans] for each in broker.replicas] == [["large"]] * 2
    retirement.change(demo.id, None)
    assert broker.names() == [[], []]
    assert broker.refresh.run().endswith("nothing has changed")
    assert [each["plan"] for each in map(retirement.named, retirement.all())] == [None, "small"]
    retirement.change("demo", None, True)
    retirement.change("demo", "small", True)
    retirement.change("demo", "small", True)
    assert broker.names() == [["demo"], ["demo"]]
    assert broker.replicas[0]().addons[0].plans == demo.plans
    assert retirement.all() == []


@pytest.mark.bug(76)
def test_the_last_good_catalog_survives_a_restart_and_a_source_that_is_away(broker: Broker) -> None:
    broker.refresh.run()
    shutil.rmtree(broker.shelf)
    told = broker.refresh.run()
    assert (
        told == "0 of 1 sources read, 1 addons offered; cannot be had: shelf (FetchingError); nothing has changed"
    )
    anew = Offered(broker.store, UnpackedRevisions(broker.folder / "replica-3", broker.store.packed))
    assert anew.look()
    assert [each.name for each in anew().addons] == ["demo"]
    (seen,) = broker.store.provenance().sources
    assert (seen.standing.reason, seen.had_at is not None) == (Reason.FETCHING, True)
    assert seen.had_at is not None
    assert seen.asked_at >= seen.had_at


@pytest.mark.bug(68)
def test_what_leaves_the_catalog_stays_for_its_instances(broker: Broker) -> None:
    broker.refresh.run()
    revisions = UnpackedRevisions(broker.folder / "worker", broker.store.packed)
    (row,) = broker.store.listed()
    assert row.digest is not None
    with broker.store.transaction() as tx:
        instance = service_instance(revisions.addon(row.digest))
        tx.save_instance(instance, tx.start(Kind.PROVISION, instance.id, None, timeout_s=60))
    shutil.rmtree(broker.shelf / "demo")
    broker.refresh.run()
    assert broker.names() == [[], []]
    shutil.rmtree(broker.folder / "worker")
    assert UnpackedRevisions(broker.folder / "worker", broker.store.packed).addon(row.digest).name == "demo"


def test_what_is_not_taken_is_told(broker: Broker) -> None:
    broker.refresh.run()
    write(broker.shelf / "demo", {"plans/small.yaml": "{"})
    told = broker.refresh.run()
    assert told == "1 of 1 sources read, 1 addons offered; not taken: shelf/demo; the catalog has changed"
    (row,) = broker.store.listed()
    assert (row.state, row.faults[0].file, row.faults[0].line) == (AddonState.OUTDATED, "plans/small.yaml", 2)
    assert broker.names() == [["demo"], ["demo"]]
    assert list(broker.replicas[0]().quarantined) == ["shelf/demo"]


def test_what_is_doubtful_is_told_and_offered(broker: Broker) -> None:
    foreign_folders.write(broker.shelf / "redis", foreign_folders.KYMA)
    broker.refresh.run()
    (row,) = [each for each in broker.store.listed() if each.label == "redis"]
    assert {each.severity for each in row.faults} == {Severity.WARNING}
    assert broker.names() == [["demo", "redis"], ["demo", "redis"]]
    assert (broker.replicas[0]().quarantined, broker.replicas[0]().warnings) == ({}, {"shelf/redis": row.faults})


def test_what_is_mended_is_kept_so(broker: Broker) -> None:
    foreign_folders.write(broker.shelf / "mysql", foreign_folders.DRYCC)
    broker.refresh.run()
    assert broker.names() == [["demo", "mysql-8.0"], ["demo", "mysql-8.0"]]
    (made,) = [each for each in broker.replicas[0]().addons if each.name == "mysql-8.0"]
    assert "engine" not in (made.chart / "Chart.yaml").read_text()


def test_who_has_looked_at_an_older_list_changes_nothing(store: SqlStore) -> None:
    """Two workers at once: the second one looks again."""
    row = Listed("one", "bad", None, None, None, Reason.ARCHIVE, (Fault("bad", 0, "is a link"),))
    standing = Standing("one", SourceKind.GIT, "https://git.example/x.git", "abc", None, "a warning")
    assert store.replace((), ["one"], Reading((standing,), (row,), Catalog(), changed=True))
    other = replace(row, label="other")
    assert not store.replace((), ["one"], Reading((standing,), (other,), Catalog(), changed=True))
    assert store.listed() == (row,)
    (seen,) = store.provenance().sources
    assert seen.standing == standing
    assert store.replace((row,), ["two"], Reading((), (other,), Catalog(), changed=True))
    assert (store.listed(), store.provenance().sources) == ((other,), [])


def test_a_folder_is_refreshed_without_asking_the_others(broker: Broker) -> None:
    """As an API does when it starts."""
    gone = Source("gone", SourceKind.DIRECTORY, "/nowhere")
    broker.sources = Sources((*broker.sources.sources, gone))
    broker.refresh.run(lambda source: source.name != "gone")
    assert [each.standing.name for each in broker.store.provenance().sources] == ["shelf"]
    broker.refresh.run()
    assert [each.standing.name for each in broker.store.provenance().sources] == ["shelf", "gone"]


def test_a_refresh_is_asked_for_as_an_operation(store: SqlStore) -> None:
    begun = refresh.begin(store)
    assert (begun.kind, begun.subject) == (Kind.REFRESH, "catalog")
    with store.read() as records:
        assert records.operation(begun.id) == begun


class Unlucky:
    """A database in which somebody else is always faster."""

    def listed(self) -> tuple[Listed, ...]:
        return ()

    def retired(self) -> frozenset[Retired]:
        return frozenset()

    def provenance(self) -> Provenance:
        return Provenance([], [])

    def replace(self, *_asked: object) -> bool:
        return False

    def packed(self, _digest: str) -> bytes | None:
        return None


def test_who_is_never_first_gives_up_for_now(tmp_path: Path) -> None:
    catalogs: Catalogs = Unlucky()
    with pytest.raises(Unavailable, match="refreshed by others"):
        Refresh(catalogs, lambda: Sources(()), tmp_path / "place").run()


def test_a_disk_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot read addons into its data directory"):
        Refresh(Unlucky(), lambda: Sources(()), tmp_path / "file/place").run()


def test_a_revision_of_a_newer_broker_hides_no_other(broker: Broker) -> None:
    broker.refresh.run()

    class Old:
        def addon(self, digest: str) -> object:
            raise AddonFaults([Fault("addon.yaml", 1, "unknown 'colour'")])

    offered = Offered(broker.store, Old())  # type: ignore[arg-type]  # it never returns
    assert offered.look()
    assert list(offered().quarantined) == ["shelf/demo"]
