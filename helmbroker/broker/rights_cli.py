"""`helmbroker rights`: what the worker has to be allowed in the cluster, for the addons that are offered."""

from __future__ import annotations

import tarfile
from typing import Any

import click

from helmbroker import rights_commands
from helmbroker.broker import catalog_wiring, wiring
from helmbroker.broker.command import stop, with_settings
from helmbroker.broker.rights import KIND, ROLE, TENANT_ROLE, rights, tenant_rights
from helmbroker.broker.settings import Settings
from helmbroker.catalog.made import made


def _kinds(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    for each in given:
        if KIND.fullmatch(each) is None:
            raise click.BadParameter(f"{each} is no GROUP/KIND, nor a KIND of the group without a name")
    return given


@click.command("rights")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="[GROUP/]KIND",
    callback=_kinds,
    help="What charts make besides, such as those of addons that are not offered any more; may be repeated.",
)
@click.option("--tenant", is_flag=True, help="Those of an account in whose name all addons may be applied.")
@rights_commands.options
@with_settings
def show(settings: Settings, /, *, kinds: tuple[str, ...], tenant: bool, **asked: Any) -> None:
    """Print the rights that the worker needs: exactly the verbs that it uses. The API needs none.

    \b
    Examples (in the namespace of the instances; for the chart, with addons of your own):
      helmbroker rights --account helmbroker/worker | kubectl apply -f -
      helmbroker rights -o rules
    """
    with catalog_wiring.reading(settings) as found:
        catalog = found.catalog
        away = [each.name for each in found.standings if each.reason is not None]
        bad = [f"{each.source}/{each.label}" for each in found.listed if each.reason is not None]
        try:
            charts = {addon.name: made(addon) for addon in (*catalog.addons, *catalog.archived)}
        except tarfile.TarError as error:
            stop(f"a chart's dependency cannot be read: {error}", 1)
    if away:
        stop(f"what addons need cannot be told, as these sources cannot be had: {', '.join(away)}", 1)
    for name in bad:
        click.echo(f"helmbroker: {name} is not offered, and left out", err=True)
    grants, usual = wiring.read_grants(settings), [settings.instance_namespace]
    if tenant:
        rights_commands.show(TENANT_ROLE, tenant_rights(charts, grants, kinds), usual, home=True, **asked)
    else:
        accounts = {each.account for each in wiring.read_tenants(settings)}
        rights_commands.show(ROLE, rights(charts, grants, kinds, accounts), usual, home=True, **asked)
