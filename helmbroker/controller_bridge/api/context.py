"""What the views of the API work with, and whom they work for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from flask import current_app, g

from helmbroker.controller_bridge.access.port import Authority, Identity
from helmbroker.controller_bridge.apps.port import AppReleases
from helmbroker.controller_bridge.broker_port import Broker
from helmbroker.controller_bridge.catalog_cache import CachedCatalog
from helmbroker.controller_bridge.service import Service

if TYPE_CHECKING:
    from helmbroker.controller_bridge.api.deploy_hook import DeployHook

EXTENSION = "helmbroker_bridge"


@dataclass(frozen=True)
class Api:
    """The ports of the API. `apps` is a function because few requests need the cluster, and its client is big.

    `deploy_hook`: only under a Drycc controller that tells of releases.
    `leaving`: once set, the process is not ready any more, and serves what comes nevertheless.
    """

    service: Service
    broker: Broker
    catalog: CachedCatalog
    authority: Authority
    apps: Callable[[], AppReleases]
    leaving: Event
    deploy_hook: DeployHook | None = None


def api() -> Api:
    """The ports of the app that serves this request."""
    found = current_app.extensions[EXTENSION]
    if not isinstance(found, Api):
        raise TypeError("the app was not made by make_app")
    return found


def user() -> str:
    """The name of the authenticated user."""
    identity: Identity = g.identity
    return identity.user
