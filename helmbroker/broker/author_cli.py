"""`helmbroker addon` and `helmbroker catalog`: tools for authors of addons."""

from __future__ import annotations

import json
import sys
import tempfile
import uuid
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from helmbroker import output as printing
from helmbroker.broker import catalog_wiring, gate, publish_cli, wiring
from helmbroker.broker.author import findings, skeleton
from helmbroker.broker.author.findings import Finding, Format, Rule
from helmbroker.broker.command import CANNOT, WRONG, stop, with_settings_or
from helmbroker.broker.domain.helm_errors import HelmError
from helmbroker.broker.settings import Settings
from helmbroker.catalog import contract, documents, overrides, parameters
from helmbroker.catalog.documents import Unreadable
from helmbroker.catalog.model import NOTHING, Addon, AddonFaults, Fault, Object, Plan, Severity
from helmbroker.catalog.sources.model import Standing

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_how = printing.choice("how", "--format", forms=Format)


@click.group()
def addon() -> None:
    """Begin, check, render, try, pack, push and sign an addon."""


@click.group()
def catalog() -> None:
    """What the broker would offer."""


@addon.command()
@click.argument("name")
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder of the new one."
)
def init(*, name: str, into: Path) -> None:
    """Write a new addon NAME that works; change it piece by piece.

    \b
    Example:
      helmbroker addon init notes --into addons
    """
    folder = into / name
    try:
        made = skeleton.begin(name, folder)
    except skeleton.CannotBegin as error:
        stop(f"{error}.")
    except OSError as error:
        stop(f"{error.filename}: {error.strerror}")
    click.echo(f"made {folder} ({len(made)} files). Next:\n  helmbroker addon lint {folder}")


@addon.command()
@click.argument("path", type=_FOLDER)
@_how
@with_settings_or(CANNOT)
def lint(settings: Settings, *, path: Path, how: str) -> None:
    """Tell all faults of an addon at once: its files, and what its charts would make for every plan.

    \b
    Examples:
      helmbroker addon lint addons/notes
      helmbroker addon lint addons/notes -o sarif >lint.sarif
    """
    from helmbroker.broker.author import lint as looking  # noqa: PLC0415  # heavy

    operator = looking.Operator(
        wiring.read_overrides(settings), wiring.read_grants(settings), catalog_wiring.repositories(settings)
    )
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = looking.lint(path, wiring.make_helm(settings, Path(folder)), operator)
        except HelmError as error:
            stop(f"{error}: {error.detail}.")
    _tell(found, how, str(path))


@addon.command()
@click.argument("path", type=_FOLDER)
@click.option("--plan", required=True, help="The plan's name.")
@click.option(
    "--set-file", "given", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Parameters."
)
@with_settings_or(CANNOT)
def render(settings: Settings, *, path: Path, plan: str, given: Path | None) -> None:
    """Print what an instance of a plan would be made of, as on a cluster where nothing is yet.

    \b
    Example:
      helmbroker addon render addons/notes --plan small
    """
    from helmbroker.broker.author.rendering import INSTANCE, Rendering  # noqa: PLC0415  # heavy

    with tempfile.TemporaryDirectory() as folder:
        loaded = _kept(settings, path, Path(folder, "addon"))
        chosen = _plan(loaded, plan)
        asked = _parameters(chosen, given)
        operators = overrides.of(loaded, wiring.read_overrides(settings))
        rendering = Rendering(loaded, wiring.make_helm(settings, Path(folder, "helm")), operators)
        try:
            manifest = rendering.instance(chosen, asked)
            found = gate.objects(manifest)
        except HelmError as error:
            stop(f"{error}: {error.detail}", WRONG)
        except gate.BadManifest as error:
            stop(f"{error}.", WRONG)
    click.echo(manifest)
    grants = wiring.read_grants(settings).get(loaded.name, gate.NO_GRANTS)
    broken = gate.violations(found, gate.Scope(INSTANCE.namespace, INSTANCE.name, chosen.pod_security, grants))
    for violation in broken:
        click.echo(f"the gate refuses {violation}", err=True)
    sys.exit(WRONG if broken else 0)


@addon.command("test")
@click.argument("path", type=_FOLDER)
@click.option("--plan", "names", multiple=True, help="Try this plan alone; may be given several times.")
@printing.choice("output", "--format")
@with_settings_or(CANNOT)
def test_(settings: Settings, *, path: Path, names: tuple[str, ...], output: str) -> None:
    """Try the addon's contract on the cluster, in a namespace that is removed afterwards.

    \b
    Example:
      helmbroker addon test addons/notes --plan small
    """
    from helmbroker.broker.author import stage, tried  # noqa: PLC0415  # heavy

    try:
        agreed = contract.load(path)
    except AddonFaults as error:
        stop(f"{error}; run `helmbroker addon lint {path}`", WRONG)
    if agreed is None:
        stop(f"{path} has no {contract.FILE}, so there is nothing to try", WRONG)
    with tempfile.TemporaryDirectory() as folder:
        loaded = _kept(settings, path, Path(folder, "addon"))
        plans = [_plan(loaded, name) for name in names] or loaded.plans
        own = {"data_dir": Path(folder, "data"), "instance_namespace": f"addon-test-{uuid.uuid4().hex[:10]}"}
        alone = settings.model_copy(
            update={**own, "database_url": None, "database_url_file": None, "worker_listen": None}
        )
        later = stage.newer(loaded, Path(folder, "newer"))
        with tried.on_the_cluster(alone, loaded, agreed, later, tell=partial(click.echo, err=True)) as trial:
            for plan in plans:
                trial.run(plan)
    checks = trial.checks
    if output == printing.Output.JSON:
        click.echo(
            json.dumps([{"check": each.name, "took_s": each.took_s, "failure": each.failure} for each in checks])
        )
    else:
        for each in checks:
            click.echo(f"{'FAILED' if each.failure else 'ok':<7}{each.took_s:6.1f} s  {each.name}")
            if each.failure:
                click.echo(f"{'':<17}{each.failure}")
    sys.exit(WRONG if any(each.failure for each in checks) else 0)


@catalog.command()
@_how
@with_settings_or(CANNOT)
def check(settings: Settings, *, how: str) -> None:
    """Read all addons as the broker would, and tell which it would not offer, and why.

    A source that cannot be had is told, too. Exit status: 0 all is well, 1 something is wrong with a source or an
    addon, 2 it cannot be looked at.

    \b
    Example:
      helmbroker catalog check
    """
    read = catalog_wiring.read_catalog(settings)
    folders = catalog_wiring.folders(settings)
    found = [Finding(Rule.SOURCE, _of_a_source(each)) for each in read.standings if each.message]
    found += [
        Finding(Rule.FORMAT, replace(fault, file=f"{folders.get(row.source, row.source)}/{row.label}/{fault.file}"))
        for row in read.listed
        for fault in row.faults
    ]
    refused = sum(row.reason is not None for row in read.listed)
    click.echo(f"{len(read.catalog.addons)} offered, {refused} quarantined", err=True)
    _tell(found, how, "")


def _of_a_source(standing: Standing) -> Fault:
    """What is wrong with it; a warning where it could be read."""
    how, severity = (" cannot be had", Severity.ERROR) if standing.reason else ("", Severity.WARNING)
    return Fault(standing.location, 0, f"source {standing.name}{how}: {standing.message}", severity)


def _tell(found: list[Finding], how: str, folder: str) -> None:
    if found or how != Format.TEXT:
        click.echo(findings.written(found, Format(how), folder))
    sys.exit(WRONG if any(each.fault.severity is Severity.ERROR for each in found) else 0)


def _kept(settings: Settings, path: Path, place: Path) -> Addon:
    """The addon as the broker would keep it, below `place`."""
    from helmbroker.broker.author.revised import revised  # noqa: PLC0415  # heavy

    try:
        return revised(path, place, catalog_wiring.repositories(settings))
    except AddonFaults as error:
        stop(f"{error}; run `helmbroker addon lint {path}`", WRONG)


def _plan(loaded: Addon, name: str) -> Plan:
    found = next((plan for plan in loaded.plans if plan.name == name), None)
    if found is None:
        stop(f"there is no plan {name}; there are {', '.join(plan.name for plan in loaded.plans)}")
    return found


def _parameters(plan: Plan, path: Path | None) -> Object:
    """What a user would give, checked as the broker does."""
    if path is None:
        return NOTHING
    try:
        data = documents.read(path, str(path)).data
    except Unreadable as error:
        stop(str(error))
    if not isinstance(data, dict):
        stop(f"{path}: parameters are a map")
    if problems := parameters.problems(plan.parameters.create, data):
        stop("; ".join(problems), WRONG)
    return data


for _command in publish_cli.COMMANDS:
    addon.add_command(_command)
COMMANDS = (addon, catalog)
