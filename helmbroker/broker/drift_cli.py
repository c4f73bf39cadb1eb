"""`helmbroker doctor`, `adopt`, `purge`, `rebuild`: where records and cluster differ, and how they agree again."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import click

from helmbroker import output as printing
from helmbroker.broker import catalog_wiring, checkup_wiring, wiring
from helmbroker.broker.command import opened_store, with_settings_or
from helmbroker.broker.domain.drift import Finding, FindingKind
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.store_ports import Store
from helmbroker.broker.service.checkup import Symptom
from helmbroker.broker.service.purge import Purges
from helmbroker.broker.service.repair import REPAIRABLE, Repairs
from helmbroker.broker.service.restore import Restored
from helmbroker.broker.settings import Settings
from helmbroker.broker.store.store import SqlStore
from helmbroker.durable import State

_LOOK_S = 0.5
_yes = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command()
@printing.option
@click.option("--repair", is_flag=True, help="Make the cluster as it is recorded again.")
@click.option("--kind", type=click.Choice([kind.value for kind in FindingKind]), help="Only these findings.")
@click.option("--instance", help="Only those of this service instance.")
@_yes
@with_settings_or(2)
def doctor(
    settings: Settings, *, output: str, repair: bool, kind: str | None, instance: str | None, yes: bool
) -> None:
    """Tell what is wrong in the installation, and where records and cluster differ, each with its cure.

    Looked at are the database, workers, schedules, sources of addons, operations that are stuck, helm, the cluster
    and the broker's rights there. With --repair the workers carry out what helps where the cluster differs; --kind
    and --instance ask for differences alone. Exit status: 0 all is well, 1 something is wrong, 2 cannot look.

    \b
    Examples:
      helmbroker doctor
      helmbroker doctor -o json
      helmbroker doctor --repair --kind lost
    """
    with opened_store(settings, 2) as store:
        wrong = [] if kind or instance else checkup_wiring.symptoms(settings, store)
        _tell_symptoms(wrong, output)
        found = [
            each
            for each in wiring.make_drift_check(settings, store).check()
            if kind in (None, each.kind) and instance in (None, each.instance_id)
        ]
        _show(found, output)
        meant = [each for each in found if repair and each.kind in REPAIRABLE]
        if meant and not yes:
            click.confirm(f"Repair {len(meant)} of {len(found)}?", abort=True, err=True)
        repaired = _repair(settings, store, meant, output)
        sys.exit(0 if repaired and len(meant) == len(found) and not wrong else 1)


@click.command()
@click.argument("release")
@_yes
@printing.option
@with_settings_or(1)
def adopt(settings: Settings, *, release: str, yes: bool, output: str) -> None:
    """Record again what has the Helm release RELEASE, from what the cluster remembers of it.

    \b
    Example:
      helmbroker adopt hb-0123456789abcdef0123
    """
    ref = _ref(settings, release)
    with opened_store(settings, 1) as store:
        if not yes:
            click.confirm(f"Record what has {ref.name} in namespace {ref.namespace} again?", abort=True, err=True)
        _tell(wiring.make_restore(settings, store).adopt(ref), output)


@click.command()
@click.argument("release", required=False)
@click.option("--all-orphans", is_flag=True, help="All Helm releases of this broker without a record.")
@click.option("--with-data", is_flag=True, help="Their volumes, too. There is no way back.")
@_yes
@printing.option
@with_settings_or(1)
def purge(
    settings: Settings, *, release: str | None, all_orphans: bool, with_data: bool, yes: bool, output: str
) -> None:
    """Remove the Helm release RELEASE, which is this broker's but has no record. The workers carry it out.

    \b
    Examples:
      helmbroker purge hb-0123456789abcdef0123
      helmbroker purge --all-orphans --with-data
    """
    if (release is None) == (not all_orphans):
        raise click.UsageError("name one Helm release, or say --all-orphans")
    with opened_store(settings, 1) as store:
        refs = (
            [_ref(settings, release)] if release is not None else wiring.make_drift_check(settings, store).orphans()
        )
        purges = Purges(store, wiring.make_cluster(settings))
        for ref in refs:
            purges.check(ref)
        if not refs:
            if output == printing.Output.TEXT:
                click.echo("there are no orphans")
            return
        names, data = ", ".join(ref.name for ref in refs), " and their volumes" if with_data else ""
        if not yes:
            click.confirm(f"Remove {names}{data}?", abort=True, err=True)
        begun = [purges.begin(ref, with_data=with_data) for ref in refs]
        ended = follow(store, begun, output)
        sys.exit(0 if ended else 1)


@click.command()
@click.option("--broker-id", help="Whose records, when several brokers are remembered.")
@click.option("--namespace", "namespaces", multiple=True, help="Where to look, instead of INSTANCE_NAMESPACE.")
@printing.option
@with_settings_or(1)
def rebuild(settings: Settings, *, broker_id: str | None, namespaces: tuple[str, ...], output: str) -> None:
    """Restore all records from the cluster into an empty database, after it was lost.

    Needs the key ring of the lost database. Stop API and workers first.

    \b
    Example:
      helmbroker rebuild --namespace helmbroker-instances
    """
    with opened_store(settings, 1) as store:
        asked = namespaces or (settings.instance_namespace,)
        _tell(wiring.make_restore(settings, store).rebuild(asked, broker_id), output)
    if output == printing.Output.TEXT:
        click.echo("Start the broker, then run `helmbroker doctor`: it tells what does not fit the cluster.")


def _repair(settings: Settings, store: SqlStore, meant: Sequence[Finding], how: str) -> bool:
    """Whether all of it was repaired."""
    begun = Repairs(store, catalog_wiring.make_revisions(settings, store)).begin(meant)
    busy = [each.instance_id for each in begun if each.operation_id is None]
    for instance_id in busy:
        click.echo(f"instance {instance_id}: is being worked on; look again later", err=True)
    ended = follow(store, [each.operation_id for each in begun if each.operation_id is not None], how)
    return ended and not busy


COMMANDS = (doctor, adopt, purge, rebuild)


def _ref(settings: Settings, release: str) -> ReleaseRef:
    namespace, slash, name = release.rpartition("/")
    return ReleaseRef(namespace if slash else settings.instance_namespace, name)


def _tell_symptoms(wrong: Sequence[Symptom], how: str) -> None:
    for each in wrong:
        found = {"kind": each.area, "subject": each.subject, "detail": each.detail, "instance": each.instance_id}
        printing.said(found, f"{each.area:<13} {each.subject}\n              {each.detail}", how)


def _show(found: Sequence[Finding], how: str) -> None:
    for each in found:
        line = {"kind": each.kind, "subject": each.subject, "detail": each.detail, "instance": each.instance_id}
        printing.said(line, f"{each.kind:<13} {each.subject}\n              {each.detail}", how)
    if not found and how == printing.Output.TEXT:
        click.echo("records and cluster agree")


def _tell(restored: Restored, how: str) -> None:
    for each in restored.done:
        printing.said({"restored": each}, f"restored  {each}", how)
    for each in restored.left:
        if how == printing.Output.JSON:
            printing.said({"left_out": each}, "", how)
        else:
            click.echo(f"left out  {each}", err=True)


def follow(store: Store, operation_ids: Sequence[str], how: str) -> bool:
    """Wait until the workers have ended them, and tell how; whether all have succeeded."""
    succeeded = True
    for operation_id in operation_ids:
        began = time.monotonic()
        while True:
            with store.read() as records:
                operation = records.operation(operation_id)
            if operation is None or operation.state.finished:
                break
            if time.monotonic() - began > operation.deadline - operation.created_at + _LOOK_S:
                break
            time.sleep(_LOOK_S)
        state = "unknown" if operation is None else operation.state
        told = "" if operation is None else operation.description
        line = {"operation": operation_id, "state": state, "description": told}
        printing.said(line, f"{operation_id}: {state}: {told}", how)
        succeeded = succeeded and state == State.SUCCEEDED
    return succeeded
