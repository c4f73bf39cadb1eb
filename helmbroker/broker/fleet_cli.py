"""`helmbroker upgrade`: running instances are brought to what the catalog has, a few first, and then in waves."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

import click

from helmbroker import output as printing
from helmbroker.broker.api import shown
from helmbroker.broker.command import CANNOT, WRONG, opened_store, stop, with_settings_or
from helmbroker.broker.domain.fleet import Asked, Run, Target
from helmbroker.broker.operator_wiring import make_fleet
from helmbroker.broker.service.fleet import Fleet
from helmbroker.broker.settings import Settings
from helmbroker.durable import State

_LOOK_S = 1.0
_COLUMNS = ("instance_id", "outcome", "operation_id", "detail")
_LATEST = "latest"
_which: dict[str, Any] = {"is_flag": False, "flag_value": _LATEST, "metavar": "[RUN]"}


@click.command()
@click.option("--service", help="Instances of this service: its name or id.")
@click.option("--plan", help="Instances of this plan: its name or id.")
@click.option("--canary", default="1", show_default=True, help="How many first: a number, or percent (5%).")
@click.option("--wave", default="10%", show_default=True, help="How many at a time afterwards.")
@click.option(
    "--stop-on-failure", is_flag=True, help="Begin no other when one has failed, as a canary always does."
)
@click.option("--readiness-only", is_flag=True, help="Do not try the addon's contract with a client.")
@click.option("--dry-run", is_flag=True, help="Only tell which instances would be upgraded.")
@click.option("--no-wait", is_flag=True, help="Begin the run, and leave it to the workers.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--status", help="How a run stands; without RUN: the latest.", **_which)
@click.option("--resume", help="Go on with a run that has ended; what had failed is tried again.", **_which)
@click.option("--stop", "halt", help="Begin no other update in a run; those under way go on.", **_which)
@printing.option
@with_settings_or(CANNOT)
def upgrade(settings: Settings, /, **given: Any) -> None:
    """Bring running instances of a service or a plan to the version that the catalog has.

    A few of them first (the canary), and then the others in waves. Each is an ordinary update: it is cancelled when
    its instance is deleted, and goes back by itself when it fails. Before and after it a client of the broker's own
    logs in, and writes and reads in a place of its own, as the addon's contract says; what worked before and does
    not any more is a reason to go back. The run is carried out by the workers, and goes on without this command.

    Exit status, with --status too: 0 all were upgraded, or the run goes on; 1 it has ended and some were not; 2 it
    could not be begun or looked at.

    \b
    Examples:
      helmbroker upgrade --plan small --dry-run
      helmbroker upgrade --service postgresql --canary 2 --wave 10% --stop-on-failure
      helmbroker upgrade --status
      helmbroker upgrade --stop; helmbroker upgrade --resume
    """
    asked = [name for name in ("status", "resume", "halt") if given[name] is not None]
    if len(asked) > 1:
        raise click.UsageError("--status, --resume and --stop exclude each other")
    run_id = None if not asked or given[asked[0]] == _LATEST else str(given[asked[0]])
    how = str(given["output"])
    with opened_store(settings, CANNOT) as store:
        fleet = make_fleet(settings, store)
        match asked:
            case ["status"]:
                _end(fleet.run(run_id), how)
            case ["halt"]:
                _show(fleet.stop(run_id), how)
            case ["resume"]:
                _follow(fleet, fleet.resume(run_id), given)
            case _:
                _begin(fleet, given)


def _begin(fleet: Fleet, given: Mapping[str, Any]) -> None:
    asked = Asked(
        given["service"],
        given["plan"],
        given["canary"],
        given["wave"],
        given["stop_on_failure"],
        not given["readiness_only"],
    )
    target, how = fleet.target(asked), str(given["output"])
    if given["dry_run"]:
        _plan(target, how)
        return
    number = len(target.instance_ids)
    if number and not given["yes"]:
        click.confirm(f"Upgrade {number} instances of {target.service} to {target.version}?", abort=True, err=True)
    _follow(fleet, fleet.begin(asked), given)


def _plan(target: Target, how: str) -> None:
    """Nothing is done."""
    if not target.candidates and how == printing.Output.TEXT:
        click.echo(f"all instances of {target.service} run {target.version} or newer")
        return
    found = [shown.candidate(target, each) for each in target.candidates]
    printing.rows(found, ("instance_id", "plan", "version", "to", "phase", "left_out"), how)


def _follow(fleet: Fleet, run: Run, given: Mapping[str, Any]) -> None:
    """Tell what goes on, until the run has ended; whoever has enough of it presses ^C, and the run goes on."""
    how, told = str(given["output"]), ""
    click.echo(f"run {run.operation.id}", err=True)
    try:
        while not given["no_wait"] and not run.operation.state.finished:
            if run.operation.description != told:
                told = run.operation.description
                click.echo(f"{told}", err=True)
            time.sleep(_LOOK_S)
            run = fleet.run(run.operation.id)
    except KeyboardInterrupt:
        stop("the run goes on; `helmbroker upgrade --status` tells how it stands", WRONG)
    _end(run, how)


def _end(run: Run, how: str) -> None:
    """Show it, and end as it has."""
    _show(run, how)
    if run.operation.state.finished:
        succeeded = run.operation.state is State.SUCCEEDED
        whole = all(each.outcome in (None, "upgraded", "gone") for each in run.members)
        sys.exit(0 if succeeded and whole else WRONG)


def _show(run: Run, how: str) -> None:
    found = shown.run(run)
    if how == printing.Output.JSON:
        printing.row(found, how)
        return
    members = found.pop("instances")
    printing.row(found, how)
    if members:
        click.echo()
        printing.rows(members, _COLUMNS, how)


COMMANDS = (upgrade,)
