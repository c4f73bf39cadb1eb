"""`helmbroker-bridge check`: whether the service brokers can be used, and what to mend where one cannot."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from helmbroker import output as printing
from helmbroker.controller_bridge.settings import Settings

if TYPE_CHECKING:  # heavy; the program that supervises does without
    from helmbroker.controller_bridge.broker_addresses import Address


def command(with_settings: Callable[..., Any]) -> click.Command:
    """with_settings: passes the program's settings; SetupError becomes a sentence and status 1."""
    made: click.Command = click.command("check")(printing.option(with_settings(check)))
    return made


def check(settings: Settings, *, output: str) -> None:
    """Check each service broker: the files for TLS and login, its answer, its catalog. Changes nothing.

    Exit status: 0 all is well, 1 something is wrong.

    \b
    Examples:
      helmbroker-bridge check
      helmbroker-bridge check -o json | jq 'select(.ok | not)'
    """
    from helmbroker.controller_bridge.broker_addresses import addresses  # noqa: PLC0415

    well = True
    for name, address in addresses(settings).items():
        fault, detail = _looked_at(address, settings.cluster_id)
        well = well and not fault
        row = {"subject": f"broker {name}", "ok": not fault, "detail": detail}
        printing.said(row, f"{'FAIL' if fault else 'ok':<6}{row['subject']}: {detail}", output)
    sys.exit(0 if well else 1)


def _looked_at(address: Address, cluster_id: str) -> tuple[bool, str]:
    """Whether something is wrong, and what was seen."""
    from helmbroker.controller_bridge.broker_port import BrokerError, Unreachable  # noqa: PLC0415
    from helmbroker.controller_bridge.wiring import make_broker, make_login, make_tls  # noqa: PLC0415

    login = make_login(address)
    if fault := make_tls(address).fault() or (login and login.fault()):
        return True, fault
    try:
        offered = make_broker(address, cluster_id).catalog()
    except (BrokerError, Unreachable) as error:
        return True, f"{error} ({address.url})"
    return False, f"{address.url}, services offered: {len(offered)}"
