"""`helmbroker`: the command line of the operator."""

from __future__ import annotations

import subprocess
import sys
import threading

import click

from helmbroker import output as printing
from helmbroker import program
from helmbroker.broker import catalog_wiring, wiring
from helmbroker.broker.command import folders, with_settings
from helmbroker.broker.domain.helm_errors import HelmError
from helmbroker.broker.settings import Settings
from helmbroker.catalog.sources.reading import Reading
from helmbroker.runtime import signals

_GRACE_S = 20
_WIDTH = 11  # of the first column of `check`
_THREADS = 8  # of the web server, beside those that wait for bindings


def _settings_table() -> str:
    rows = ["\b", "Settings come from environment variables:"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f" [{field.default}]"
        rows.append(f"  HELMBROKER_{name.upper()}{default}: {field.description}")
    return "\n".join(rows)


def _check_start(settings: Settings) -> None:
    """Say what is wrong with the set-up before any process starts, which would only say it again and again."""
    from helmbroker.broker import login_wiring  # noqa: PLC0415  # heavy, as below: a worker does without

    with folders(settings):
        wiring.make_store(settings).close()
    login_wiring.authentication(settings)
    wiring.read_overrides(settings)
    wiring.read_grants(settings)
    wiring.read_tenants(settings)
    catalog_wiring.check_sources(settings)


class _Commands(click.Group):
    """Commands of operators are loaded when one is asked for, or all are listed: servers stay small."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands:
            self._load()
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load()
        return super().list_commands(ctx)

    def _load(self) -> None:
        from helmbroker.broker.operator_commands import COMMANDS  # noqa: PLC0415

        for each in COMMANDS:
            self.add_command(each)


@click.group(cls=_Commands, epilog=_settings_table())
@click.version_option(package_name="helmbroker")
def main() -> None:
    """Open Service Broker for Kubernetes: Helm-chart addons as service classes.

    \b
    First run:
      helmbroker init
      KUBECONFIG=... HELMBROKER_ADDONS_DIR=addons helmbroker run
      curl -K <(echo user = "$(cat helmbroker-data/platform-credentials)") \\
        -H 'X-Broker-API-Version: 2.17' http://127.0.0.1:8080/v2/catalog
    """


@main.command()
@with_settings
def init(settings: Settings) -> None:
    """Make the data directory: key ring and the platform's login. What is there already is kept.

    \b
    Example:
      helmbroker init
    """
    with folders(settings):
        made = wiring.initialise(settings)
    for path in made:
        click.echo(f"made {path}")
    click.echo(f"The platform logs in with the user and password in {settings.platform_file}; show them with:")
    click.echo(f"  cat {settings.platform_file}")
    click.echo(f"Back up {settings.keys_file}: without it the stored credentials cannot be read.")


@main.command()
@with_settings
def api(settings: Settings) -> None:
    """Serve the Open Service Broker API.

    \b
    Example:
      helmbroker api
    """
    from helmbroker.runtime.serve import Drain, serve  # noqa: PLC0415

    _check_start(settings)
    host, port = settings.address
    stopping, draining = threading.Event(), threading.Event()
    serve(
        lambda: wiring.make_app(settings, stopping, draining),
        host=host,
        port=port,
        threads=settings.max_waiting + _THREADS,
        grace_s=_GRACE_S,
        tls=settings.tls,
        on_stop=stopping.set,
        on_hangup=lambda: wiring.ask_for_refresh(settings),
        drain=Drain(settings.drain_s, draining.set),
    )


@main.command()
@with_settings
def worker(settings: Settings) -> None:
    """Carry out operations: run helm, wait for pods, make credentials.

    \b
    Example:
      helmbroker worker
    """
    stop = signals.stopped()
    signals.after_hangup(lambda: wiring.ask_for_refresh(settings))
    wiring.run_worker(settings, stop)


@main.command(hidden=True)
@with_settings
def check_kubeconfig(settings: Settings) -> None:
    """For `run`, before it starts anything: in a process of its own, as it loads what a supervisor does without."""
    from helmbroker.kubeapi.client import KubeClient  # noqa: PLC0415  # heavy

    KubeClient.from_environment(
        settings.kubeconfig
    )  # sends nothing; a cluster that is away for a while is no fault


@main.command()
@with_settings
def run(settings: Settings) -> None:
    """API and worker together, for one machine.

    \b
    Example:
      helmbroker run
    """
    from helmbroker.runtime.supervise import supervise  # noqa: PLC0415

    _check_start(settings)
    checked = subprocess.run([sys.executable, "-m", "helmbroker.broker", "check-kubeconfig"], check=False)
    if checked.returncode:
        sys.exit(checked.returncode)
    children = {name: [sys.executable, "-m", "helmbroker.broker", name] for name in ("api", "worker")}
    sys.exit(supervise(children, grace_s=_GRACE_S + settings.drain_s + 10))


@main.command()
@printing.option
@with_settings
def check(settings: Settings, *, output: str) -> None:
    """Check the set-up: settings, database, addons, helm and the cluster. Changes nothing in the cluster.

    Exit status: 0 all is well, 1 something is wrong.

    \b
    Examples:
      helmbroker check
      helmbroker check -o json | jq 'select(.ok | not)'
    """
    from helmbroker.kubeapi.client import KubeClient  # noqa: PLC0415  # heavy

    with folders(settings):
        store = wiring.make_store(settings)
    _tell(output, "database", store.describe(), text=f"ok ({store.describe()})")
    store.close()
    reading = catalog_wiring.read_catalog(settings)
    well = _tell_addons(output, reading)
    wiring.read_overrides(settings)
    wiring.read_tenants(settings)
    unknown = sorted(set(wiring.read_grants(settings)) - {addon.name for addon in reading.catalog.addons})
    if unknown:
        _tell(output, "grants", f"grants for addons that are not offered: {', '.join(unknown)}", label="")
    helm = wiring.make_helm(settings, settings.data_dir / "helm")
    try:
        reason = helm.unusable()
        _tell(output, "helm", reason or helm.version(), ok=not reason)
    except HelmError as error:
        reason = error.detail
        _tell(output, "helm", reason, ok=False)
    version = KubeClient.from_environment(settings.kubeconfig).server_version()
    _tell(output, "cluster", f"Kubernetes {version}")
    sys.exit(0 if well and not reason else 1)


def _tell_addons(how: str, reading: Reading) -> bool:
    """What is offered, and what is wrong with the rest; whether all is well."""
    _tell(how, "addons", ", ".join(addon.name for addon in reading.catalog.addons) or "none")
    away = [each for each in reading.standings if each.reason is not None]
    for source in away:
        text = f"source {source.name} cannot be had: {source.message}"
        _tell(how, f"source {source.name}", source.message, ok=False, label="", text=text)
    for row in (each for each in reading.listed if each.faults):
        name, offered = f"{row.source}/{row.label}", row.reason is None
        faults = [f"{fault.severity}: {fault}" for fault in row.faults]
        text = f"\n{'':{_WIDTH}}  ".join([f"{name}{'' if offered else ' is not offered'}:", *faults])
        _tell(how, f"addon {name}", "; ".join(faults), ok=offered, label="", text=text)
    return not away and all(row.reason is None for row in reading.listed)


def _tell(
    how: str, subject: str, detail: str, *, ok: bool = True, label: str | None = None, text: str | None = None
) -> None:
    """A line of `check`. label, text: what people read instead of subject and detail."""
    words = f"{subject if label is None else label:<{_WIDTH}}{detail if text is None else text}"
    printing.said({"subject": subject, "ok": ok, "detail": detail}, words, how)


main.add_command(program.completion("helmbroker"))
