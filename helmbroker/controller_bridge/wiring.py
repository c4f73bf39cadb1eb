"""The one place where real drivers are chosen and joined."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from helmbroker.audit import Outcome, acting, operator
from helmbroker.controller_bridge import sealing
from helmbroker.controller_bridge.apps.port import AppReleases
from helmbroker.controller_bridge.audited import Event
from helmbroker.controller_bridge.broker_addresses import Address, addresses
from helmbroker.controller_bridge.broker_port import EXTERNAL, Broker
from helmbroker.controller_bridge.brokers import Brokers
from helmbroker.controller_bridge.model import Role, Schedule
from helmbroker.controller_bridge.settings import Settings, SetupError
from helmbroker.controller_bridge.store import Store
from helmbroker.controller_bridge.tokens import EVERY_APP, Tokens
from helmbroker.database import OUTAGE, UnusableDatabase, connect
from helmbroker.database.pulse import Pulse
from helmbroker.key_commands import Safe
from helmbroker.kubeapi.port import Kube
from helmbroker.runtime.files import write_private
from helmbroker.runtime.probes import METRICS, probes
from helmbroker.sealing import KeyRingError, Keys, KeysAway, RingFile
from helmbroker.status import health

if TYPE_CHECKING:
    from flask import Flask

    from helmbroker.controller_bridge.osb_login import CredentialsFile
    from helmbroker.controller_bridge.osb_tls import ClientTls
    from helmbroker.durable import Handler

_LOG = logging.getLogger("helmbroker.bridge")
_ADMIN = "admin"
_RETENTION_S = 3600.0
_ROTATION_S = 60.0


def initialise(settings: Settings) -> list[str]:
    """Make the data directory, the key ring and a first token where they are missing; what was made."""
    made = []
    if not settings.data_dir.is_dir():
        settings.data_dir.mkdir(mode=0o700, parents=True)
        made.append(str(settings.data_dir))
    if not settings.keys_file.exists():
        RingFile.create(settings.keys_file)
        made.append(str(settings.keys_file))
    if settings.own_users and not settings.tokens_file.exists():
        token = Tokens(settings.tokens_file).add(_ADMIN, [EVERY_APP], Role.ADMIN)
        write_private(settings.admin_token_file, f"{token}\n")
        made += [str(settings.tokens_file), str(settings.admin_token_file)]
    return made


def make_store(settings: Settings, keys: Keys) -> Store:
    """The database, its tables in place. Raises SetupError."""
    if settings.own_database and not settings.data_dir.is_dir():
        raise SetupError(f"there is no {settings.data_dir}; run `helmbroker-bridge init` first")
    try:
        store = Store(connect(settings.url))
        store.prepare(keys)
    except OUTAGE as error:
        raise SetupError(f"the database cannot be opened: {getattr(error, 'orig', error)}") from None
    except (ValueError, OSError, UnusableDatabase) as error:
        raise SetupError(f"the database cannot be opened: {error}") from None
    except (KeyRingError, KeysAway) as error:
        raise SetupError(str(error)) from None
    return store


@contextmanager
def opened_store(settings: Settings) -> Iterator[Store]:
    """The database, for a command of the operator. Raises SetupError, KeyRingError."""
    store = make_store(settings, sealing.load(settings.keys_file).keys)
    try:
        with acting(operator()):
            yield store
    except OUTAGE as error:
        raise SetupError(f"the database cannot be used: {getattr(error, 'orig', error)}") from None
    finally:
        store.engine.dispose()


@contextmanager
def opened_safe(settings: Settings) -> Iterator[Safe]:
    """The key ring and what is sealed under it. Raises SetupError, KeyRingError."""
    with opened_store(settings) as store:

        def note(action: str, key_id: str) -> None:
            with store.writing() as conn:
                store.audit.tell(conn, Event(f"keys {action}", Outcome.DONE, detail={"key": key_id}))

        yield Safe(RingFile(settings.keys_file), store.sealed(), note)


def make_app(settings: Settings, leaving: threading.Event) -> Flask:
    """The API, not ready once `leaving` is set.

    The cluster's client is loaded when the first request needs it: it is the biggest part.
    """
    from helmbroker.controller_bridge import platforms, telemetry_wiring  # noqa: PLC0415
    from helmbroker.controller_bridge.api.app import make_app as make_flask  # noqa: PLC0415  # heavy
    from helmbroker.controller_bridge.api.context import Api  # noqa: PLC0415
    from helmbroker.controller_bridge.catalog_cache import CachedCatalog  # noqa: PLC0415
    from helmbroker.controller_bridge.service import Service  # noqa: PLC0415
    from helmbroker.controller_bridge.sharing import Sharing  # noqa: PLC0415

    sealer, requests = sealing.load(settings.keys_file), telemetry_wiring.requests_of_api()
    store, kube = make_store(settings, sealer.keys), cache(lambda: make_kube(settings))
    brokers = make_brokers(settings, store, sealer, kube)
    return make_flask(
        Api(
            service=Service(store, sealer),
            sharing=Sharing(store),
            broker=brokers,
            catalog=CachedCatalog(brokers),
            authority=platforms.make_authority(settings, kube),
            apps=cache(lambda: _apps(settings, store, kube)),
            leaving=leaving,
            deploy_hook=platforms.make_deploy_hook(settings, store),
            metrics=telemetry_wiring.metrics_of_api(settings, store, requests),
            requests=requests,
        )
    )


def run_worker(settings: Settings, stop: threading.Event, *, grace_s: float) -> None:
    """Carry out operations until `stop` is set."""
    from helmbroker.controller_bridge import telemetry_wiring  # noqa: PLC0415  # heavy
    from helmbroker.controller_bridge.operations.finish import on_finish  # noqa: PLC0415
    from helmbroker.controller_bridge.operations.handlers import handlers  # noqa: PLC0415
    from helmbroker.controller_bridge.operations.work import Ports  # noqa: PLC0415
    from helmbroker.durable import Worker  # noqa: PLC0415

    sealer = sealing.load(settings.keys_file)
    store, kube = make_store(settings, sealer.keys), cache(lambda: make_kube(settings))
    ports = Ports(
        store=store,
        broker=make_brokers(settings, store, sealer, kube),
        apps=_apps(settings, store, kube),
        sealer=sealer,
        grace_s=settings.rotation_grace_s,
    )
    schedules, periods_s = _schedules(settings, store, sealer)
    needs = [service_brokers(ports.broker)]
    if settings.platform != "drycc":  # the controller is not asked whether it lives: it allows few requests
        needs.append(health.cluster(kube()))
    answers, told = health.worker_probes(Pulse(store.engine), *needs), telemetry_wiring.told_by_worker()
    worker = Worker(
        store.queue,
        handlers(ports) | schedules,
        concurrency=settings.concurrency,
        lease_s=settings.lease_s,
        on_finish=on_finish(store),
        schedules=periods_s,
        observed=told.work,
    )
    _LOG.info("working", extra={"concurrency": settings.concurrency})
    with probes(settings.worker_listen, answers, {METRICS: told.text}):
        worker.run(stop, grace_s)


def _schedules(
    settings: Settings, store: Store, sealer: sealing.Sealer
) -> tuple[dict[str, Handler], dict[str, float]]:
    """What workers do again and again, and how often, in seconds."""
    from helmbroker.controller_bridge import platforms  # noqa: PLC0415  # heavy
    from helmbroker.controller_bridge.retention import forget_old  # noqa: PLC0415
    from helmbroker.controller_bridge.rotation import rotate_due  # noqa: PLC0415
    from helmbroker.controller_bridge.service import Service  # noqa: PLC0415

    service = Service(store, sealer)
    schedules: dict[str, Handler] = {
        Schedule.RETENTION: forget_old(store.engine, settings.keep_operations_s),
        Schedule.ROTATION: rotate_due(service, store, settings.rotations_at_once),
    }
    periods_s: dict[str, float] = {Schedule.RETENTION: _RETENTION_S, Schedule.ROTATION: _ROTATION_S}
    if settings.platform == "drycc":
        from helmbroker.controller_bridge.drycc_watch import EVERY_S  # noqa: PLC0415  # heavy

        schedules[Schedule.WATCH] = platforms.make_watch(settings, store, service).run
        periods_s[Schedule.WATCH] = EVERY_S
    return schedules, periods_s


def run_watch(settings: Settings, stop: threading.Event) -> None:
    """Look after bindings that others make until `stop` is set. Needs the cluster and nothing else."""
    from helmbroker.controller_bridge.telemetry_wiring import told_by_watch  # noqa: PLC0415  # heavy
    from helmbroker.controller_bridge.watch.catalog_bindings import CatalogBindings  # noqa: PLC0415  # heavy
    from helmbroker.controller_bridge.watch.loop import Loop  # noqa: PLC0415
    from helmbroker.controller_bridge.watch.service_bindings import ServiceBindings  # noqa: PLC0415

    kube = make_kube(settings)
    namespaces = settings.watch_namespaces.split(",") if settings.watch_namespaces else None
    reconcilers = (ServiceBindings(kube), CatalogBindings(kube, make_apps(kube, settings)))
    loop = Loop(kube, reconcilers, namespaces=namespaces, resync_s=settings.watch_resync_s)
    _LOG.info("watching", extra={"namespaces": settings.watch_namespaces or "all"})
    answers = {"/healthz": lambda: None, "/readyz": health.cluster(kube)}
    with probes(settings.worker_listen, answers, {METRICS: told_by_watch(loop)}):
        loop.run(stop)


def make_brokers(settings: Settings, store: Store, sealer: sealing.Sealer, kube: Callable[[], Kube]) -> Brokers:
    """The clients of all service brokers, and the bridge's own for what lives elsewhere. Raises SetupError."""
    from helmbroker.controller_bridge.apps.given import GivenSecrets  # noqa: PLC0415  # heavy
    from helmbroker.controller_bridge.external import ExternalBroker  # noqa: PLC0415

    found: dict[str, Broker] = {
        name: make_broker(one, settings.cluster_id) for name, one in addresses(settings).items()
    }
    return Brokers(found | {EXTERNAL: ExternalBroker(store, sealer, GivenSecrets(kube))})


def make_tls(one: Address) -> ClientTls:
    """The files for TLS with a broker."""
    from helmbroker.controller_bridge.osb_tls import ClientTls  # noqa: PLC0415  # heavy

    return ClientTls(one.ca_file, one.client_certificate_file, one.client_key_file)


def make_login(one: Address) -> CredentialsFile | None:
    """The file with the login at a broker, if it has one."""
    from helmbroker.controller_bridge.osb_login import CredentialsFile  # noqa: PLC0415  # heavy

    return None if one.credentials_file is None else CredentialsFile(one.credentials_file)


def make_broker(one: Address, cluster_id: str) -> Broker:
    """The client of one service broker."""
    from helmbroker.controller_bridge.osb import OsbBroker  # noqa: PLC0415  # heavy

    return OsbBroker(one.url, make_login(one), cluster_id=cluster_id, tls=make_tls(one), read_s=one.timeout_s)


def service_brokers(brokers: Brokers) -> health.Check:
    """Whether a service broker answers, and takes our login; one that does not is told when none does."""

    def check() -> str | None:
        away = brokers.catalog().away
        if away and set(away) >= brokers.names - {EXTERNAL}:
            return f"the service broker cannot be used: {'; '.join(away.values())}"
        return None

    return health.Remembered(check)


def make_kube(settings: Settings) -> Kube:
    """A client of the cluster. Raises NoCluster; nothing is sent yet."""
    from helmbroker.kubeapi.client import KubeClient  # noqa: PLC0415  # heavy

    return KubeClient.from_environment(settings.kubeconfig)


def make_apps(kube: Kube, settings: Settings) -> AppReleases:
    """Releases of apps on the cluster."""
    from helmbroker.controller_bridge.apps.kubernetes import KubernetesAppReleases  # noqa: PLC0415  # heavy

    return KubernetesAppReleases(kube, history=settings.keep_app_releases)


def _apps(settings: Settings, store: Store, kube: Callable[[], Kube]) -> AppReleases:
    """Releases of apps, where they run."""
    from helmbroker.controller_bridge.platforms import make_drycc_apps  # noqa: PLC0415

    return make_drycc_apps(settings, store) if settings.platform == "drycc" else make_apps(kube(), settings)
