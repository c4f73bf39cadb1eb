"""The one place where real drivers are chosen and joined."""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

from helmbroker.broker.api.app import create_app
from helmbroker.broker.api.headers import BasicUser
from helmbroker.broker.domain.errors import Unavailable
from helmbroker.broker.service import Service
from helmbroker.broker.settings import Settings
from helmbroker.broker.store.revisions import UnpackedRevisions
from helmbroker.broker.store.store import SqlStore
from helmbroker.broker.worker import handlers
from helmbroker.catalog import load, offerings
from helmbroker.catalog.documents import Unreadable, read
from helmbroker.catalog.model import Catalog, Object
from helmbroker.durable import Worker
from helmbroker.sealing import KeyRing

if TYPE_CHECKING:
    from flask import Flask

_LOG = logging.getLogger("helmbroker")
_HEARTBEAT_S = 2.0  # also how soon a running operation learns that it is cancelled


class CannotStart(Exception):
    """A sentence for the operator: what is wrong with the set-up, and the cure."""


def initialise(settings: Settings) -> list[str]:
    """Make the data directory, its key ring and the platform's login where they are missing; what was made."""
    made = []
    if not settings.data_dir.is_dir():
        settings.data_dir.mkdir(mode=0o700, parents=True)
        made.append(str(settings.data_dir))
    if not settings.keys_file.exists():
        KeyRing.create(settings.keys_file)
        made.append(str(settings.keys_file))
    if not settings.users_file.exists():
        content = f"platform:{secrets.token_urlsafe(32)}\n"
        with os.fdopen(os.open(settings.users_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(content)
        made.append(str(settings.users_file))
    return made


def make_store(settings: Settings) -> SqlStore:
    """The database, its tables in place. Raises CannotStart, KeyRingError, StoreError."""
    store = SqlStore(settings.url, KeyRing.load(settings.keys_file))
    try:
        store.prepare()
    except sa.exc.OperationalError as error:
        raise CannotStart(f"the database cannot be opened: {error.orig}") from None
    return store


def make_app(settings: Settings) -> Flask:
    """The API. It reads addons and the database; it knows neither helm nor the cluster."""
    user = read_user(settings)
    catalog = read_catalog(settings)
    store = make_store(settings)
    store.keep(catalog)
    service = Service(store, catalog, _revisions(settings, store), settings.instance_namespace)

    def ready() -> str | None:
        try:
            with store.read() as records:
                records.operation("none")  # any query that goes to the database
        except Unavailable as error:
            return error.description
        return None

    return create_app(
        service,
        offerings.document(catalog),
        user,
        ready,
        missing_version_status=int(settings.missing_version_status),
    )


def run_worker(settings: Settings, stop: threading.Event) -> None:
    """Work until `stop` is set. Helm and the cluster client are loaded here alone."""
    from helmbroker.broker.helm.releases import HelmCli  # noqa: PLC0415  # heavy, and the API does without
    from helmbroker.broker.kube.cluster import KubeCluster  # noqa: PLC0415
    from helmbroker.broker.operations.work import Patience, Tools  # noqa: PLC0415
    from helmbroker.kubeapi.client import KubeClient  # noqa: PLC0415

    store = make_store(settings)
    helm = HelmCli(settings.helm, settings.data_dir / "helm", kubeconfig=settings.kubeconfig)
    tools = Tools(
        helm=helm,
        cluster=KubeCluster(KubeClient.from_environment(settings.kubeconfig)),
        revisions=_revisions(settings, store),
        broker_id=store.broker_id,
        overrides=read_overrides(settings),
        patience=Patience(settings.stuck_after_s),
    )
    helm.warn_if_unusable()
    worker = Worker(
        store.queue,
        handlers(store, tools),
        concurrency=settings.concurrency,
        lease_s=settings.lease_s,
        heartbeat_s=min(_HEARTBEAT_S, settings.lease_s / 5),
        transient=(Unavailable,),
    )
    try:
        worker.run(stop)
    finally:
        store.close()


def read_user(settings: Settings) -> BasicUser:
    """The platform's login. Raises CannotStart."""
    try:
        name, _, password = settings.users_file.read_text("utf-8").strip().partition(":")
    except OSError as error:
        raise CannotStart(f"{settings.users_file}: {error.strerror}; `helmbroker init` makes it") from None
    except UnicodeDecodeError:
        raise CannotStart(f"{settings.users_file} is not UTF-8 text") from None
    if not name or not password:
        raise CannotStart(f"{settings.users_file} must hold one line user:password")
    return BasicUser(name, password)


def read_catalog(settings: Settings) -> Catalog:
    """The addons; faulty ones are logged and left out. Raises CannotStart when the folder is not there."""
    if not settings.addons_dir.is_dir():
        raise CannotStart(f"there is no folder {settings.addons_dir}; set HELMBROKER_ADDONS_DIR")
    catalog = load.load([settings.addons_dir])
    for folder, faults in catalog.quarantined.items():
        _LOG.error("addon %s is not offered: %s", folder, "; ".join(map(str, faults)))
    return catalog


def read_overrides(settings: Settings) -> Mapping[str, Object]:
    """The operator's Helm values by addon name. Raises CannotStart."""
    if settings.overrides_file is None:
        return {}
    try:
        data = read(settings.overrides_file, str(settings.overrides_file)).data
    except Unreadable as error:
        raise CannotStart(str(error)) from None
    if data is None:
        return {}
    if not isinstance(data, Mapping) or not all(isinstance(values, Mapping) for values in data.values()):
        raise CannotStart(f"{settings.overrides_file} must map addon names to Helm values")
    return {name: values for name, values in data.items() if isinstance(values, Mapping)}


def _revisions(settings: Settings, store: SqlStore) -> UnpackedRevisions:
    return UnpackedRevisions(settings.data_dir / "addon-revisions", store.packed)
