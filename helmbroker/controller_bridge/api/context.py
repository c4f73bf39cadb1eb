"""What the views of the API work with, and whom they work for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from flask import current_app, g

from helmbroker.controller_bridge.api.errors import NotFound
from helmbroker.controller_bridge.apps.manager import ReleaseManager
from helmbroker.controller_bridge.apps.port import AppReleases
from helmbroker.controller_bridge.broker_port import Broker
from helmbroker.controller_bridge.catalog_cache import CachedCatalog
from helmbroker.controller_bridge.service import Service
from helmbroker.controller_bridge.tokens import Identity, Tokens

EXTENSION = "helmbroker_bridge"


@dataclass(frozen=True)
class Api:
    """The ports of the API. `apps` is a function because few requests need the cluster, and its client is big.

    `leaving`: once set, the process is not ready any more, and serves what comes nevertheless.
    """

    service: Service
    broker: Broker
    catalog: CachedCatalog
    tokens: Tokens
    apps: Callable[[], AppReleases]
    leaving: Event


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


def user() -> str:
    """The name of the authenticated user."""
    identity = g.identity
    if not isinstance(identity, Identity):
        raise TypeError("the request was not authenticated")
    return identity.user
