"""What the views of the API work with, and whom they work for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from flask import current_app, g

from helmbroker.controller_bridge.access.port import Authority, Identity
from helmbroker.controller_bridge.api.errors import Forbidden, NotFound
from helmbroker.controller_bridge.apps.manager import ReleaseManager
from helmbroker.controller_bridge.apps.port import AppReleases
from helmbroker.controller_bridge.brokers import Brokers
from helmbroker.controller_bridge.catalog_cache import CachedCatalog
from helmbroker.controller_bridge.model import Role
from helmbroker.controller_bridge.service import Service
from helmbroker.controller_bridge.sharing import Sharing

if TYPE_CHECKING:
    from helmbroker.controller_bridge.api.deploy_hook import DeployHook
    from helmbroker.controller_bridge.api.metrics import Metrics
    from helmbroker.telemetry.requests import Requests

EXTENSION = "helmbroker_bridge"


@dataclass(frozen=True)
class Api:
    """The ports of the API. `apps` is a function because few requests need the cluster, and its client is big.

    `deploy_hook`: only under a Drycc controller that tells of releases. `metrics`: only where somebody may read
    them. `requests`: what learns of each.
    `leaving`: once set, the process is not ready any more, and serves what comes nevertheless.
    """

    service: Service
    sharing: Sharing
    broker: Brokers
    catalog: CachedCatalog
    authority: Authority
    apps: Callable[[], AppReleases]
    leaving: Event
    deploy_hook: DeployHook | None = None
    metrics: Metrics | None = None
    requests: Requests | None = None


def api() -> Api:
    """The ports of the app that serves this request."""
    found = current_app.extensions[EXTENSION]
    if not isinstance(found, Api):
        raise TypeError("the app was not made by make_app")
    return found


def manager() -> ReleaseManager:
    """What keeps builds and config of apps. Raises NotFound where their controller does."""
    found = api().apps()
    if not isinstance(found, ReleaseManager):
        raise NotFound("Builds and config of this app are with its controller.")
    return found


def role() -> Role:
    """What the authenticated user may do with the app of the path."""
    found = g.role
    if not isinstance(found, Role):
        raise TypeError("the path has no app")
    return found


def user() -> str:
    """The name of the authenticated user."""
    return _identity().user


def workspace(app: str) -> str | None:
    """The workspace of that app; None: see Identity.workspace_of."""
    return _identity().workspace_of(app)


def require(app: str, role: Role) -> Role:
    """The role of the authenticated user in that app. Raises Forbidden when it is not `role` or a higher one."""
    held = _identity().role_in(app)
    if held is None or held < role:
        raise Forbidden
    return held


def _identity() -> Identity:
    identity: Identity = g.identity
    return identity
