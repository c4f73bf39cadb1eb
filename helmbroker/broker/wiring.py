"""The one place where real drivers are chosen and joined."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from helmbroker.broker import operator_files
from helmbroker.broker.catalog_wiring import make_refresh, make_revisions, refresh_folders, sources
from helmbroker.broker.domain.errors import Unavailable
from helmbroker.broker.domain.operation import Schedule
from helmbroker.broker.domain.operator_ports import Takeover
from helmbroker.broker.domain.ports import Cluster
from helmbroker.broker.domain.store_ports import Store
from helmbroker.broker.domain.tenants import Tenant
from helmbroker.broker.gate import Grants
from helmbroker.broker.service import Expiry, Service, WaitingRoom, refresh
from helmbroker.broker.service.drift import DriftCheck
from helmbroker.broker.service.offered import Offered
from helmbroker.broker.service.restore import Restore
from helmbroker.broker.settings import CannotStart, Settings
from helmbroker.broker.store.retention import Retention
from helmbroker.broker.store.store import SqlStore
from helmbroker.catalog.model import Catalog, Object
from helmbroker.database import UnusableDatabase
from helmbroker.database.pulse import Pulse
from helmbroker.durable import Worker
from helmbroker.runtime.files import write_private
from helmbroker.runtime.probes import METRICS, probes
from helmbroker.sealing import KeyRingError, Keys, KeysAway, RingFile
from helmbroker.status import health
from helmbroker.status.workers import living

if TYPE_CHECKING:
    from flask import Flask

    from helmbroker.broker.helm.releases import Around, HelmCli
    from helmbroker.broker.operations.work import Tools
    from helmbroker.broker.store.revisions import UnpackedRevisions
    from helmbroker.broker.telemetry_wiring import ToldByWorker
    from helmbroker.kubeapi.port import Kube

_LOG = logging.getLogger("helmbroker")
_HEARTBEAT_S = 2.0  # also how soon a running operation learns that it is cancelled


def initialise(settings: Settings) -> list[str]:
    """Make the data directory, its key ring and the platform's login where they are missing; what was made."""
    made = []
    if not settings.data_dir.is_dir():
        settings.data_dir.mkdir(mode=0o700, parents=True)
        made.append(str(settings.data_dir))
    if not settings.keys_file.exists():
        RingFile.create(settings.keys_file)
        made.append(str(settings.keys_file))
    if not settings.platform_file.exists():
        write_private(settings.platform_file, f"platform:{secrets.token_urlsafe(32)}\n")
        made.append(str(settings.platform_file))
    return made


def make_store(settings: Settings) -> SqlStore:
    """The database, its tables in place. Raises CannotStart, KeyRingError, UnusableDatabase."""
    store = SqlStore(settings.url, Keys.load(settings.keys_file))
    try:
        store.prepare()
    except sa.exc.OperationalError as error:
        raise CannotStart(f"the database cannot be opened: {error.orig}") from None
    return store


def make_app(settings: Settings, stopping: threading.Event, draining: threading.Event | None = None) -> Flask:
    """The API. It reads folders of addons and the database; it knows neither helm nor the cluster.

    stopping: once set, requests that wait for an operation are answered at once. draining: once set, it is not
    ready any more, and serves what comes nevertheless.
    """
    from helmbroker.broker.api.app import create_app  # noqa: PLC0415  # Flask, which a worker does without
    from helmbroker.broker.login_wiring import admins, authentication  # noqa: PLC0415
    from helmbroker.broker.operator_wiring import make_admin  # noqa: PLC0415
    from helmbroker.broker.telemetry_wiring import requests_of_api  # noqa: PLC0415

    authenticate, requests = authentication(settings), requests_of_api()
    store = make_store(settings)
    refresh_folders(settings, store)
    revisions = make_revisions(settings, store)
    catalog = Offered(store, revisions)
    catalog.look()
    threading.Thread(target=catalog.watch, args=(stopping,), name="catalog", daemon=True).start()
    room = WaitingRoom(store.watch, stopping, most=settings.max_waiting, wait_s=settings.bind_wait_s)
    service = Service(store, catalog, revisions, settings.instance_namespace, room)
    return create_app(
        service,
        catalog,
        authenticate,
        _readiness(store, bool(sources(settings).sources), stopping, draining),
        missing_version_status=int(settings.missing_version_status),
        facts=lambda: _facts(store, catalog()),
        admin=make_admin(
            store,
            admins(settings, authenticate),
            service,
            lambda: catalog.whole,
            revisions,
            requests.text,
        ),
        requests=requests,
    )


def _readiness(
    store: SqlStore, sources_wanted: bool, stopping: threading.Event, draining: threading.Event | None
) -> Callable[[], str | None]:
    """Says why the API cannot serve now, or None."""

    def ready() -> str | None:
        if stopping.is_set() or (draining is not None and draining.is_set()):
            return health.LEAVING
        try:
            with store.read() as records:
                records.operation("none")  # any query that goes to the database
            read = not sources_wanted or store.provenance().sources
        except Unavailable as error:
            return error.description
        return None if read else "The catalog has not been read yet; a worker does that."

    return ready


def _facts(store: SqlStore, catalog: Catalog) -> dict[str, str]:
    """What readiness tells, and does not depend on: an API without workers answers, and accepts what waits."""
    try:
        with store.overview() as overview:
            seen = overview.workers()
    except Unavailable:  # gone since it was looked at
        return {}
    addons = f"{len(catalog.addons)} offered, {len(catalog.quarantined)} quarantined"
    return {"addons": addons, "workers": living(seen)}


def run_worker(settings: Settings, stop: threading.Event) -> None:
    """Work until `stop` is set. Helm and the cluster client are loaded for this alone."""
    from helmbroker.broker.telemetry_wiring import told_by_worker  # noqa: PLC0415  # heavy, and the API does without
    from helmbroker.kubeapi.client import KubeClient  # noqa: PLC0415

    store = make_store(settings)
    revisions = make_revisions(settings, store)
    told = told_by_worker(store, revisions)
    helm = make_helm(settings, settings.data_dir / "helm", told.helm)
    kube = KubeClient.from_environment(settings.kubeconfig)
    worker = _make_worker(settings, store, _make_tools(settings, store, revisions, helm, kube), told)
    helm.warn_if_unusable()
    answers = health.worker_probes(Pulse(store.engine), helm.unusable, health.cluster(kube))
    try:
        with probes(settings.worker_listen, answers, {METRICS: told.text}):
            worker.run(stop)
    finally:
        store.close()


def _make_tools(
    settings: Settings, store: SqlStore, revisions: UnpackedRevisions, helm: HelmCli, kube: Kube
) -> Tools:
    """What the steps of operations work with."""
    from helmbroker.broker.kube.cluster import KubeCluster  # noqa: PLC0415  # heavy, and the API does without
    from helmbroker.broker.operations.work import Patience, Tools  # noqa: PLC0415

    return Tools(
        helm=helm,
        cluster=KubeCluster(kube, Path(settings.helm).name),
        revisions=revisions,
        broker_id=store.broker_id,
        overrides=read_overrides(settings),
        grants=read_grants(settings),
        patience=Patience(settings.stuck_after_s),
        keys=Keys.load(settings.keys_file),
        tenants=read_tenants(settings),
    )


def _make_worker(settings: Settings, store: SqlStore, tools: Tools, told: ToldByWorker) -> Worker:
    """What claims operations and carries them out, and what is due by schedule."""
    from helmbroker.broker.operator_wiring import upgrades  # noqa: PLC0415  # heavy, and the API does without
    from helmbroker.broker.worker import PERIODS_S, checked, handlers, refreshed, scheduled  # noqa: PLC0415

    return Worker(
        store.queue,
        handlers(store, tools)
        | scheduled(Expiry(store, tools.revisions), Retention(store.engine, settings.keep_operations_s).forget_old)
        | checked(make_drift_check(settings, store))
        | (refreshed(make_refresh(settings, store)) | upgrades(settings, store)),
        concurrency=settings.concurrency,
        lease_s=settings.lease_s,
        heartbeat_s=min(_HEARTBEAT_S, settings.lease_s / 5),
        transient=(Unavailable, KeysAway),
        limit=settings.concurrency_total,
        on_finish=store.ended,
        observed=told.work,
        schedules={
            **PERIODS_S,
            Schedule.DRIFT: settings.drift_check_s,
            Schedule.CATALOG: settings.catalog_refresh_s,
        },
    )


def make_helm(settings: Settings, folder: Path, around: Around = nullcontext) -> HelmCli:
    """Helm, which keeps its own files in `folder`; `around`: what each of its runs is done in."""
    from helmbroker.broker.helm import releases  # noqa: PLC0415  # heavy

    return releases.HelmCli(
        settings.helm, folder, kubeconfig=settings.kubeconfig, lease_s=settings.lease_s, around=around
    )


def ask_for_refresh(settings: Settings) -> None:
    """Have the workers look at all sources of addons; what hinders that is logged."""
    try:
        with closing(make_store(settings)) as store:
            _LOG.info("the catalog will be refreshed", extra={"operation": refresh.begin(store).id})
    except (CannotStart, Unavailable, UnusableDatabase, KeyRingError, KeysAway) as error:
        _LOG.error("the catalog will not be refreshed: %s", error)


def make_cluster(settings: Settings) -> Cluster:
    """The cluster. Raises KubeError; nothing is sent yet."""
    from helmbroker.broker.kube.cluster import KubeCluster  # noqa: PLC0415  # heavy
    from helmbroker.kubeapi.client import KubeClient  # noqa: PLC0415

    return KubeCluster(KubeClient.from_environment(settings.kubeconfig), Path(settings.helm).name)


def make_drift_check(settings: Settings, store: Store) -> DriftCheck:
    """What compares records and cluster. Raises KubeError."""
    from helmbroker.broker.kube.survey import KubeSurvey  # noqa: PLC0415  # heavy
    from helmbroker.kubeapi.client import KubeClient  # noqa: PLC0415

    survey = KubeSurvey(KubeClient.from_environment(settings.kubeconfig), Path(settings.helm).name)
    keys = Keys.load(settings.keys_file)
    return DriftCheck(store, make_cluster(settings), survey, keys, settings.instance_namespace)


def make_takeover(settings: Settings) -> Takeover:
    """What makes Helm releases of another broker ours. Raises KubeError."""
    from helmbroker.broker.kube.takeover import KubeTakeover  # noqa: PLC0415  # heavy
    from helmbroker.kubeapi.client import KubeClient  # noqa: PLC0415

    return KubeTakeover(KubeClient.from_environment(settings.kubeconfig))


def make_restore(settings: Settings, store: SqlStore) -> Restore:
    """What brings records back. Raises CannotStart, KubeError, KeyRingError."""
    cluster = make_cluster(settings)
    refresh_folders(settings, store)  # revisions that are too large to be remembered may be offered still
    return Restore(store, cluster, Keys.load(settings.keys_file))


def read_overrides(settings: Settings) -> Mapping[str, Object]:
    """By addon name; see operator_files. Raises BadFile."""
    return operator_files.read_overrides(settings.overrides_file)


def read_grants(settings: Settings) -> Mapping[str, Grants]:
    """As read_overrides."""
    return operator_files.read_grants(settings.grants_file)


def read_tenants(settings: Settings) -> Sequence[Tenant]:
    """As read_overrides, but in the order of the file."""
    return operator_files.read_tenants(settings.tenants_file)
