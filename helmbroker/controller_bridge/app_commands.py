"""`apps missing` and `apps confirm-gone`: apps that their controller does not know any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from helmbroker import output as printing
from helmbroker.controller_bridge.settings import PREFIX, Settings, SetupError

if TYPE_CHECKING:  # heavy; the program that supervises does without
    from helmbroker.controller_bridge.drycc_store import WatchedApp, WatchedApps


def group(with_settings: Callable[..., Any]) -> click.Group:
    """The commands. with_settings: passes the program's settings; SetupError becomes a sentence and status 1."""

    @click.group("apps")
    def apps() -> None:
        """Apps under a Drycc controller: docs/how-to/run-under-drycc.md."""

    apps.command("missing")(printing.option(with_settings(missing)))
    apps.command("confirm-gone")(click.argument("app")(printing.option(with_settings(confirm_gone))))
    return apps


def missing(settings: Settings, *, output: str) -> None:
    """The apps that the controller does not know, and when their resources are removed.

    Of many that went at once nothing is removed: each is held until it is confirmed, or found again.

    \b
    Example:
      helmbroker-bridge apps missing
    """
    from helmbroker.controller_bridge.drycc_watch import removed_at  # noqa: PLC0415

    with _watched(settings) as watched:
        for app in watched.missing():
            _print(app, removed_at(app, settings.drycc_gone_grace_s), output)


def confirm_gone(settings: Settings, *, app: str, output: str) -> None:
    """APP is meant to be gone: unbind and deprovision its resources now, without waiting, however many are gone.

    \b
    Example:
      helmbroker-bridge apps confirm-gone shop
    """
    with _watched(settings) as watched:
        if not watched.confirm(app):
            raise SetupError(f"app {app} is not missing: `helmbroker-bridge apps missing` lists those that are")
    told = f"app {app} is gone: a worker looks once more, and removes its resources if it finds the same"
    printing.said({"confirmed": app}, told, output)


def _print(app: WatchedApp, removed_at: float | None, how: str) -> None:
    row = {
        "app": app.app,
        "missing_since": _time(app.missing_since),
        "confirmed": _time(app.confirmed),
        "removed_at": _time(removed_at),
        "held": app.held,
    }
    if app.confirmed is not None:
        what = "confirmed, being removed"
    elif removed_at is None:
        what = f"nothing is removed: {app.held} apps went missing at about the same time"
    else:
        what = f"its resources are removed at {_time(removed_at)}"
    printing.said(row, f"{app.app:<24}  missing since {_time(app.missing_since)}  {what}", how)


def _time(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def _watched(settings: Settings) -> Iterator[WatchedApps]:
    from helmbroker.controller_bridge import wiring  # noqa: PLC0415
    from helmbroker.controller_bridge.drycc_store import WatchedApps  # noqa: PLC0415

    if settings.platform != "drycc":
        raise SetupError(f"{PREFIX}PLATFORM is {settings.platform}: only a Drycc controller can lose apps")
    with wiring.opened_store(settings) as store:
        yield WatchedApps(store)
