"""`helmbroker list`, `show`, `events`, `operations`, `workers`, `cancel`, `retry`, `retire`: /admin as commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click

from helmbroker import output as printing
from helmbroker.broker.api import shown
from helmbroker.broker.command import WRONG, opened_store, stop, with_settings
from helmbroker.broker.domain.operation import Schedule
from helmbroker.broker.domain.overview import Wanted
from helmbroker.broker.operator_wiring import make_operate, make_retirement
from helmbroker.broker.service.inventory import inventory, lines
from helmbroker.broker.settings import Settings
from helmbroker.durable import State

_OPERATIONS = ("id", "instance_id", "state", "queued_at", "description")
_WORKERS = ("owner", "started_at", "seen_s_ago", "lives")
_RECORDS = ("instance", "binding", "phase", "release", "description")
_EVENTS = ("at", "action", "outcome", "binding_id", "actor", "origin", "detail")
_limit = click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many.")


@click.command("list")
@click.option("--service", "service_id", help="Of this service: its id.")
@click.option("--plan", "plan_id", help="Of this plan: its id.")
@click.option("--phase", help="In this phase: ready, making, 'make failed', updating, 'update failed', ...")
@click.option("--gone", is_flag=True, help="Also what is deleted and only remembered.")
@printing.option
@with_settings
def list_records(
    settings: Settings, *, service_id: str | None, plan_id: str | None, phase: str | None, gone: bool, output: str
) -> None:
    """What the broker has: every service instance, and below it its bindings; to compare with the platform's.

    \b
    Examples:
      helmbroker list
      helmbroker list --phase 'update failed'
      helmbroker list -o json | jq -r .release
    """
    wanted = {"service_id": service_id, "plan_id": plan_id, "phase": phase}
    asked = {name: value for name, value in wanted.items() if value is not None}
    with opened_store(settings, WRONG) as store, store.read() as records:
        found = (line for line in inventory(records, gone=gone) if asked.items() <= line.items())
        printing.rows(found if output == "json" else list(found), _RECORDS, output)


@click.command()
@click.argument("instance_id", metavar="INSTANCE")
@printing.option
@with_settings
def show(settings: Settings, *, instance_id: str, output: str) -> None:
    """One service instance: its bindings, and its latest 100 operations.

    \b
    Example:
      helmbroker show 3f6c1f0e-...
    """
    with opened_store(settings, WRONG) as store:
        with store.read() as records:
            found = list(lines(records, instance_id))
        with store.overview() as overview:
            history = overview.operations(Wanted(instance_id=instance_id))
    if not found:
        stop(f"there is no record of the service instance {instance_id}", WRONG)
    operations = [shown.operation(each) for each in history]
    if output == "json":
        printing.row({**found[0], "bindings": found[1:], "operations": operations}, output)
        return
    printing.row(found[0], output)
    for rows, columns in ((found[1:], ("binding", "phase", "release")), (operations, _OPERATIONS)):
        if rows:
            click.echo()
            printing.rows(rows, columns, output)


@click.command()
@click.argument("instance_id", metavar="[INSTANCE]", required=False)
@_limit
@printing.option
@with_settings
def events(settings: Settings, *, instance_id: str | None, limit: int, output: str) -> None:
    """What happened, and who had it done: the newest entries of the audit, the last one at the end.

    \b
    Examples:
      helmbroker events
      helmbroker events 3f6c1f0e-... --limit 20
    """
    with opened_store(settings, WRONG) as store:
        rows = [shown.entry(each) for each in store.entries(instance_id=instance_id, newest=limit)]
    printing.rows(rows, ("instance_id", *_EVENTS) if instance_id is None else _EVENTS, output)


@click.command()
@click.argument("operation_id", metavar="OPERATION")
@printing.option
@with_settings
def cancel(settings: Settings, *, operation_id: str, output: str) -> None:
    """Stop an operation that waits or runs. Its instance or binding has failed then, and can be deleted or retried.

    Updates and deletions cannot be cancelled: a deletion of the instance stops an update.

    \b
    Example:
      helmbroker cancel provision:6f0c...
    """
    with opened_store(settings, WRONG) as store:
        make_operate(settings, store).cancel(operation_id)
    printing.said({"cancelled": operation_id}, f"{operation_id} is being cancelled", output)


@click.command()
@click.argument("instance_id", metavar="INSTANCE")
@click.argument("binding_id", metavar="[BINDING]", required=False)
@printing.option
@with_settings
def retry(settings: Settings, *, instance_id: str, binding_id: str | None, output: str) -> None:
    """Begin again what has failed of an instance or a binding: to make it, to repair it, or to delete it.

    \b
    Examples:
      helmbroker retry 3f6c1f0e-...
      helmbroker retry 3f6c1f0e-... 0b1d...
    """
    with opened_store(settings, WRONG) as store:
        operation_id = make_operate(settings, store).retry(instance_id, binding_id)
    printing.said({"operation": operation_id}, f"begun: {operation_id}", output)


@click.command()
@click.option("--service", help="Its name or id.")
@click.option("--plan", help="One of its plans alone: its name or id.")
@click.option("--undo", is_flag=True, help="Offer it again.")
@printing.option
@with_settings
def retire(settings: Settings, *, service: str | None, plan: str | None, undo: bool, output: str) -> None:
    """Offer a service, or a plan, no more. Its instances go on, and can be bound, updated and deleted.

    Without options: what is retired.

    \b
    Examples:
      helmbroker retire --service redis --plan small
      helmbroker retire --service redis --plan small --undo
      helmbroker retire
    """
    with opened_store(settings, WRONG) as store:
        retirement = make_retirement(settings, store)
        asked = service is not None or plan is not None
        found = retirement.change(service, plan, undo) if asked or undo else retirement.all()
        rows = [retirement.named(each) for each in found]
    printing.rows(rows, ("service", "plan", "service_id", "plan_id"), output)


@click.group()
def operations() -> None:
    """What is done, waits, and was done."""


@operations.command("list")
@click.option(
    "--state", "states", multiple=True, type=click.Choice([str(state) for state in State]), help="In these states."
)
@click.option("--kind", "kinds", multiple=True, help="provision, update, bind, ...; or a schedule: drift, ...")
@click.option("--instance", "instance_id", help="Of this service instance and its bindings.")
@_limit
@printing.option
@with_settings
def list_operations(
    settings: Settings,
    *,
    states: Sequence[str],
    kinds: Sequence[str],
    instance_id: str | None,
    limit: int,
    output: str,
) -> None:
    """Operations, the newest first. What workers do by themselves, again and again, is listed where --kind says so.

    \b
    Examples:
      helmbroker operations list --state running --state queued
      helmbroker operations list --kind drift
    """
    wanted = Wanted([State(each) for each in states], kinds, instance_id, limit)
    with opened_store(settings, WRONG) as store, store.overview() as overview:
        rows = [shown.operation(each) for each in overview.operations(wanted)]
        left_out = replace(wanted, kinds=tuple(Schedule), limit=len(Schedule))
        schedules = [each.operation.kind for each in overview.operations(left_out)]
    printing.rows(rows, _OPERATIONS, output)
    if schedules and not kinds and output == printing.Output.TEXT:
        named = " ".join(f"--kind {each}" for each in sorted(schedules))
        click.echo(f"schedules that are not listed: {len(schedules)}; {named} shows them", err=True)


@operations.command("show")
@click.argument("operation_id", metavar="OPERATION")
@printing.option
@with_settings
def show_operation(settings: Settings, *, operation_id: str, output: str) -> None:
    """One operation: its step and attempt, who has it, and until when.

    \b
    Example:
      helmbroker operations show update:6f0c...
    """
    with opened_store(settings, WRONG) as store, store.overview() as overview:
        found = overview.operation(operation_id)
    if found is None:
        stop(f"there is no operation {operation_id}", WRONG)
    printing.row(shown.operation(found), output)


@click.command()
@printing.option
@with_settings
def workers(settings: Settings, *, output: str) -> None:
    """Which workers live, and which have not told of themselves for 30 s.

    \b
    Example:
      helmbroker workers
    """
    with opened_store(settings, WRONG) as store, store.overview() as overview:
        rows = [shown.worker(each) for each in overview.workers()]
    printing.rows(rows, _WORKERS, output)


COMMANDS = (list_records, show, events, operations, workers, cancel, retry, retire)
