"""`helmbroker user|token|admin|watcher`: who may call the API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from helmbroker import output as printing
from helmbroker.broker.api.auth import logins
from helmbroker.broker.command import folders, with_settings
from helmbroker.broker.settings import Settings


def _logins(name: str, what: str, secret: str, file: Callable[[Settings], Path]) -> click.Group:
    """`helmbroker NAME add|list|remove`, over a file of logins. A broker that runs sees every change at once."""

    example = f"\n\n\b\nExample:\n  helmbroker {name} {{}}"

    @click.group(name, help=f"{what} that may call the API.")
    def group() -> None: ...

    @group.command(
        help=f"Make a {secret} for NAME and print it; only its digest is kept.{example.format('add alice')}"
    )
    @click.argument("name")
    @with_settings
    def add(settings: Settings, name: str) -> None:
        with folders(settings):
            click.echo(logins.add(file(settings), name))

    @group.command("list", help=f"The names, one per line.{example.format('list')}")
    @printing.option
    @with_settings
    def list_(settings: Settings, output: str) -> None:
        for each in logins.names(file(settings)):
            printing.said({"name": each}, each, output)

    @group.command(help=f"Take NAME out: its {secret} is refused from now on.{example.format('remove alice')}")
    @click.argument("name")
    @with_settings
    def remove(settings: Settings, name: str) -> None:
        logins.remove(file(settings), name)

    return group


COMMANDS = (
    _logins("user", "Users (basic authentication)", "password", lambda settings: settings.users_file),
    _logins("token", "Bearer tokens", "token", lambda settings: settings.tokens_file),
    _logins(
        "admin",
        "Operators (bearer tokens, for /admin and /metrics)",
        "token",
        lambda settings: settings.admins_file,
    ),
    _logins(
        "watcher",
        "Watchers, such as Prometheus (bearer tokens, for GETs of /admin and for /metrics),",
        "token",
        lambda settings: settings.watchers_file,
    ),
)
