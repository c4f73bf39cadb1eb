"""What a platform brings: its users, and under Drycc also its apps. Chosen by the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from helmbroker.controller_bridge.access.port import Authority
from helmbroker.controller_bridge.apps.drycc.budget import Turns
from helmbroker.controller_bridge.apps.drycc.calls import Calls
from helmbroker.controller_bridge.apps.drycc.client import ControllerClient, TokenFile
from helmbroker.controller_bridge.apps.port import AppReleases
from helmbroker.controller_bridge.drycc_store import SqlBudget, SqlNotes, WatchedApps
from helmbroker.controller_bridge.drycc_watch import Watch
from helmbroker.controller_bridge.service import Service
from helmbroker.controller_bridge.settings import Settings, SetupError
from helmbroker.controller_bridge.store import Store
from helmbroker.controller_bridge.tokens import Tokens
from helmbroker.kubeapi.port import Kube

if TYPE_CHECKING:
    from helmbroker.controller_bridge.api.deploy_hook import DeployHook


def make_drycc_apps(settings: Settings, store: Store) -> AppReleases:
    """Releases of apps at a controller."""
    from helmbroker.controller_bridge.apps.drycc.releases import DryccAppReleases  # noqa: PLC0415

    return DryccAppReleases(make_calls(settings, store), SqlNotes(store))


def make_authority(settings: Settings, kube: Callable[[], Kube]) -> Authority:
    """Whoever knows the users."""
    if settings.platform == "drycc":
        from helmbroker.controller_bridge.access.drycc import DryccAuthority  # noqa: PLC0415

        return DryccAuthority(_client(settings))
    if settings.platform == "kubernetes":
        from helmbroker.controller_bridge.access.kubernetes import KubeAuthority  # noqa: PLC0415

        return KubeAuthority(kube())
    return Tokens(settings.tokens_file)


def make_calls(settings: Settings, store: Store, *, idle: bool = False) -> Calls:
    """The bridge's own requests to the controller. idle: those that can wait."""
    if settings.drycc_token_file is None:
        raise SetupError("there is no token file for the controller")
    token = TokenFile(settings.drycc_token_file, "the token of a staff user of the controller")
    turns = Turns(SqlBudget(store, settings.drycc_requests_per_minute), idle=idle)
    return Calls(_client(settings), token, turns)


def make_watch(settings: Settings, store: Store, service: Service) -> Watch:
    """What looks at the apps of a controller."""
    calls, clock = make_calls(settings, store, idle=True), WatchedApps(store).clock
    return Watch(store, service, calls, settings.drycc_poll_s, settings.drycc_gone_grace_s, clock)


def make_deploy_hook(settings: Settings, store: Store) -> DeployHook | None:
    """The receiver of the controller's news, when it tells them."""
    if settings.drycc_hook_url is None or settings.drycc_hook_key_file is None:
        return None
    from helmbroker.controller_bridge.api.deploy_hook import DeployHook  # noqa: PLC0415  # for the API alone

    key = TokenFile(settings.drycc_hook_key_file, "the secret key of the controller's deploy hook")
    watched = WatchedApps(store)
    return DeployHook(settings.drycc_hook_url, key, lambda app: watched.hurry(app, watched.clock()))


def _client(settings: Settings) -> ControllerClient:
    if settings.drycc_controller_url is None:
        raise SetupError("there is no URL of the controller")
    return ControllerClient(settings.drycc_controller_url, ca_file=settings.drycc_ca_file)
