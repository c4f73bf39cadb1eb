"""`helmbroker-bridge`: the command line of the platform side."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import click
from pydantic import ValidationError

from helmbroker import key_commands, program, rights_commands
from helmbroker.audit import commands as audit_commands
from helmbroker.controller_bridge import app_commands, check_command, transfer_commands
from helmbroker.controller_bridge.settings import PREFIX, Settings, SetupError
from helmbroker.kubeapi.errors import KubeError
from helmbroker.runtime import logs, signals

P = ParamSpec("P")
_GRACE_S = 20
_MODULE = "helmbroker.controller_bridge"
_PROGRAM = "helmbroker-bridge"


def _settings_table() -> str:
    rows = ["\b", "Settings come from environment variables:"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f" [{field.default}]"
        rows.append(f"  {PREFIX}{name.upper()}{default}: {field.description}")
    return "\n".join(rows)


def _with_settings(command: Callable[Concatenate[Settings, P], None]) -> Callable[P, None]:
    """Read the settings; what is wrong with the set-up becomes one sentence and exit status 1."""
    return _with_settings_or(1)(command)


def _with_settings_or(status: int) -> Callable[[Callable[Concatenate[Settings, P], None]], Callable[P, None]]:
    """As `_with_settings`, with another exit status."""

    def decorate(command: Callable[Concatenate[Settings, P], None]) -> Callable[P, None]:
        return _run(command, status)

    return decorate


def _run(command: Callable[Concatenate[Settings, P], None], status: int) -> Callable[P, None]:
    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            settings = Settings()
            logs.configure(level=settings.log_level, service=f"helmbroker-bridge-{command.__name__}")
            command(settings, *args, **kwargs)
        except ValidationError as error:
            for each in error.errors():
                name = "_".join(map(str, each["loc"])).upper()
                click.echo(f"helmbroker-bridge: {PREFIX}{name}: {each['msg']}", err=True)
            sys.exit(status)
        except (SetupError, KubeError) as error:
            click.echo(f"helmbroker-bridge: {error}", err=True)
            sys.exit(status)

    return run


@click.group(epilog=_settings_table())
@click.version_option(package_name="helmbroker")
def main() -> None:
    """Resources of apps: provision at a service broker, bind, put the credentials into the app.

    \b
    First run:
      helmbroker-bridge init
      HELMBROKER_BRIDGE_BROKER_URL=http://127.0.0.1:8080 KUBECONFIG=... helmbroker-bridge run
      curl -H @<(echo "Authorization: token $(cat helmbroker-bridge-data/admin-token)") \\
        http://127.0.0.1:8081/v2/resources/services/
    """


@main.command()
@_with_settings
def init(settings: Settings) -> None:
    """Make the data directory, the keys and a first token. What is there already is kept.

    \b
    Example:
      helmbroker-bridge init
    """
    from helmbroker.controller_bridge import wiring  # noqa: PLC0415  # heavy, as below

    for path in wiring.initialise(settings):
        click.echo(f"made {path}")
    if settings.own_users:
        click.echo(f"The first token is in {settings.admin_token_file}; for the command line of users:")
        click.echo(f"  export DRYCC_RESOURCES_URL=http://{settings.listen}")
        click.echo(f'  export DRYCC_TOKEN="$(cat {settings.admin_token_file})"')


@main.command(hidden=True)
@_with_settings
def check_kubeconfig(settings: Settings) -> None:
    """For `run`, before it starts anything: in a process of its own, as it loads what a supervisor does without."""
    from helmbroker.kubeapi.client import KubeClient  # noqa: PLC0415

    KubeClient.from_environment(
        settings.kubeconfig
    )  # sends nothing; a cluster that is away for a while is no fault


@main.command()
@_with_settings
def run(settings: Settings) -> None:
    """API and worker together, for one machine.

    \b
    Example:
      HELMBROKER_BRIDGE_BROKER_URL=http://127.0.0.1:8080 helmbroker-bridge run
    """
    from helmbroker.runtime.supervise import supervise  # noqa: PLC0415

    _check_initialised(settings)
    if settings.platform != "drycc":
        _check_kubeconfig()
    children = {name: [sys.executable, "-m", _MODULE, name] for name in ("api", "worker")}
    sys.exit(supervise(children, grace_s=_GRACE_S + settings.drain_s + 10))


def _check_kubeconfig() -> None:
    checked = subprocess.run([sys.executable, "-m", _MODULE, "check-kubeconfig"], check=False)
    if checked.returncode:
        sys.exit(checked.returncode)


@main.command()
@_with_settings
def api(settings: Settings) -> None:
    """Serve the REST API.

    \b
    Example:
      helmbroker-bridge api
    """
    from helmbroker.controller_bridge import wiring  # noqa: PLC0415
    from helmbroker.runtime.serve import Drain, serve  # noqa: PLC0415

    _check_initialised(settings)
    host, port = settings.address
    leaving = threading.Event()
    serve(
        lambda: wiring.make_app(settings, leaving),
        host=host,
        port=port,
        grace_s=_GRACE_S,
        tls=settings.tls,
        on_stop=leaving.set,
        drain=Drain(settings.drain_s, leaving.set),
    )


@main.command()
@_with_settings
def worker(settings: Settings) -> None:
    """Carry out operations: speak with the broker, release apps, watch them.

    \b
    Example:
      helmbroker-bridge worker
    """
    stop = signals.stopped()
    from helmbroker.controller_bridge import wiring  # noqa: PLC0415

    _check_initialised(settings)
    wiring.run_worker(settings, stop, grace_s=_GRACE_S)


@main.command()
@_with_settings
def watch(settings: Settings) -> None:
    """Look after bindings of service-catalog and servicebinding.io. Needs the cluster; no database, no `init`.

    \b
    Example:
      helmbroker-bridge watch
    """
    stop = signals.stopped()
    from helmbroker.controller_bridge import wiring  # noqa: PLC0415

    wiring.run_watch(settings, stop)


@main.command("rights")
@click.option("--watch", is_flag=True, help="Those of `helmbroker-bridge watch`.")
@rights_commands.options
@_with_settings
def show_rights(settings: Settings, /, *, watch: bool, **asked: Any) -> None:
    """Print the rights that the bridge needs in the cluster: exactly the verbs that it uses.

    \b
    Example, for the namespaces of apps:
      helmbroker-bridge rights --namespace shop --account helmbroker/bridge | kubectl apply -f -
    """
    from helmbroker.controller_bridge.rights import ROLE, WATCH_ROLE, rights, watch_rights  # noqa: PLC0415

    if watch:
        usual = settings.watch_namespaces.split(",") if settings.watch_namespaces else ()
        rights_commands.show(WATCH_ROLE, watch_rights(), usual, **asked)
    else:
        rights_commands.show(ROLE, rights(settings.platform), (), **asked)


@main.group()
def token() -> None:
    """Tokens of the REST API."""


@token.command("add")
@click.argument("user")
@click.option("--app", "apps", multiple=True, help="id of an app; may be repeated; '*' means every app")
@click.option("--role", "role_name", default="member", show_default=True, help="viewer, member or admin")
@_with_settings
def token_add(settings: Settings, user: str, apps: tuple[str, ...], role_name: str) -> None:
    """Make a token for USER and print it; only its digest is kept.

    \b
    Examples:
      helmbroker-bridge token add alice --app shop --role member
      helmbroker-bridge token add ci --app '*' --role admin
    """
    if not apps:
        raise click.UsageError("name at least one --app, or --app '*'")
    if not settings.own_users:
        raise SetupError(f"{PREFIX}PLATFORM is {settings.platform}: users, tokens and roles are made there")
    from helmbroker.controller_bridge.tokens import Tokens, role  # noqa: PLC0415

    _check_initialised(settings)
    click.echo(Tokens(settings.tokens_file).add(user, apps, role(role_name)))


@contextmanager
def _safe(settings: Settings) -> Iterator[key_commands.Safe]:
    from helmbroker.controller_bridge import wiring  # noqa: PLC0415
    from helmbroker.sealing import KeyRingError, KeysAway  # noqa: PLC0415

    try:
        with wiring.opened_safe(settings) as safe:
            yield safe
    except (KeyRingError, KeysAway) as error:
        raise SetupError(str(error)) from None


@contextmanager
def _audit(settings: Settings) -> Iterator[audit_commands.Log]:
    from helmbroker.controller_bridge import wiring  # noqa: PLC0415

    with wiring.opened_store(settings) as store:
        yield store.audit


_THINGS = audit_commands.Things(("app", "resource"), "--app", "Of this app and its resources.")
main.add_command(key_commands.group(_PROGRAM, _with_settings, _safe))
main.add_command(check_command.command(_with_settings))
main.add_command(app_commands.group(_with_settings))
main.add_command(audit_commands.group(_PROGRAM, _THINGS, _with_settings_or(audit_commands.CANNOT), _audit))
transfer_commands.add_to(main, _with_settings)
main.add_command(program.completion(_PROGRAM))


def _check_initialised(settings: Settings) -> None:
    """Said before anything heavy is loaded. Raises SetupError."""
    needed = [settings.data_dir, settings.keys_file, *([settings.tokens_file] if settings.own_users else [])]
    for path in needed:
        if not path.exists():
            raise SetupError(f"there is no {path}; run `helmbroker-bridge init` first")
