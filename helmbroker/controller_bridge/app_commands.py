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
    from helmbroker.controller_bridge.drycc_store import WatchedApps
    from helmbroker.controller_bridge.drycc_watch import Missed


def group(with_settings: Callable[..., Any]) -> click.Group:
    """The commands. with_settings: passes the program's settings; SetupError becomes a sentence and status 1."""

    @click.group("apps")
    def apps() -> None:
        """Apps under a Drycc controller: docs/how-to/run-under-drycc.md."""

    apps.command("missing")(printing.option(with_settings(missing)))
    apps.command("confirm-gone")(click.argument("app")(with_settings(confirm_gone)))
    return apps


def missing(settings: Settings, *, output: str) -> None:
    """The apps that the controller does not know, and when their resources are removed."""
    from helmbroker.controller_bridge.drycc_watch import missed  # noqa: PLC0415

    with _watched(settings) as watched:
        for app in watched.missing():
            _print(missed(watched, app, settings.drycc_gone_grace_s, settings.drycc_poll_s), output)


def confirm_gone(settings: Settings, *, app: str) -> None:
    """APP is meant to be gone: unbind and deprovision its resources now, without waiting, however many are gone."""
    with _watched(settings) as watched:
        if not watched.confirm(app):
            raise SetupError(f"app {app} is not missing: `helmbroker-bridge apps missing` lists those that are")
        click.echo(f"app {app} is gone: a worker looks once more, and removes its resources if it finds the same")


def _print(found: Missed, how: str) -> None:
    row = {
        "app": found.app.app,
        "missing_since": _time(found.since),
        "confirmed": None if found.app.confirmed is None else _time(found.app.confirmed),
        "removed_at": None if found.held else _time(found.removed_at),
        "together": found.together,
        "known": found.known,
    }
    if found.app.confirmed is not None:
        what = "confirmed, being removed"
    elif found.held:
        what = f"nothing is removed: {found.together} of {found.known} apps went missing at about the same time"
    else:
        what = f"its resources are removed at {_time(found.removed_at)}"
    printing.said(row, f"{found.app.app:<24}  missing since {_time(found.since)}  {what}", how)


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def _watched(settings: Settings) -> Iterator[WatchedApps]:
    from helmbroker.controller_bridge import wiring  # noqa: PLC0415
    from helmbroker.controller_bridge.drycc_store import WatchedApps  # noqa: PLC0415

    if settings.platform != "drycc":
        raise SetupError(f"{PREFIX}PLATFORM is {settings.platform}: only a Drycc controller can lose apps")
    with wiring.opened_store(settings) as store:
        yield WatchedApps(store)
