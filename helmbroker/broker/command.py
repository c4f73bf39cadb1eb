"""What all commands share: their settings, and what stops them as one sentence.

Exit status of what authors run: 0 all is well, 1 something is wrong with the addon, 2 that could not be found out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, NoReturn, ParamSpec

import click
from pydantic import ValidationError

from helmbroker.audit import acting, operator
from helmbroker.broker import wiring
from helmbroker.broker.api.auth.logins import LoginsError
from helmbroker.broker.domain.errors import OsbError
from helmbroker.broker.domain.helm_errors import ClusterRefused, ClusterUnavailable
from helmbroker.broker.operator_files import BadFile
from helmbroker.broker.service.restore import Refused
from helmbroker.broker.settings import CannotStart, Settings
from helmbroker.broker.store.store import SqlStore
from helmbroker.database import OUTAGE, UnusableDatabase
from helmbroker.kubeapi.errors import KubeError
from helmbroker.runtime import logs
from helmbroker.sealing import KeyRingError, KeysAway

P = ParamSpec("P")
WRONG, CANNOT = 1, 2


def stop(sentence: str, status: int = CANNOT) -> NoReturn:
    """Say it, and end with that status."""
    click.echo(f"helmbroker: {sentence}", err=True)
    sys.exit(status)


def with_settings(command: Callable[Concatenate[Settings, P], None]) -> Callable[P, None]:
    """Read the settings; turn what is wrong with the set-up into one sentence and exit status 1."""
    return with_settings_or(1)(command)


def with_settings_or(status: int) -> Callable[[Callable[Concatenate[Settings, P], None]], Callable[P, None]]:
    """As `with_settings`, with another exit status."""

    def decorate(command: Callable[Concatenate[Settings, P], None]) -> Callable[P, None]:
        return _run(command, status)

    return decorate


def _run(command: Callable[Concatenate[Settings, P], None], status: int) -> Callable[P, None]:

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            settings = Settings()
        except ValidationError as error:
            for each in error.errors():
                name = "".join(f"HELMBROKER_{part}: ".upper() for part in each["loc"])
                click.echo(f"helmbroker: {name}{each['msg']}", err=True)
            sys.exit(status)
        logs.configure(level=settings.log_level, service=f"helmbroker-{command.__name__}")
        try:
            command(settings, *args, **kwargs)
        except BrokenPipeError:
            raise  # whoever reads has enough, `list | head` for example: click ends in silence
        except OSError as error:
            click.echo(f"helmbroker: {error.filename or settings.data_dir}: {error.strerror}", err=True)
            sys.exit(status)
        except (BadFile, CannotStart, LoginsError, KeyRingError, KeysAway, UnusableDatabase, KubeError) as error:
            click.echo(f"helmbroker: {' '.join(str(error).split())}", err=True)
            sys.exit(status)

    return run


@contextmanager
def folders(settings: Settings) -> Iterator[None]:
    """What the file system refuses, said in a sentence."""
    try:
        yield
    except OSError as error:
        place = error.filename or settings.data_dir
        raise CannotStart(
            f"{place}: {error.strerror}; set HELMBROKER_DATA_DIR to a folder that can be written"
        ) from None


@contextmanager
def opened_store(settings: Settings, status: int) -> Iterator[SqlStore]:
    """The database; what cannot be done is said in a sentence, with this exit status."""
    with folders(settings):
        store = wiring.make_store(settings)
    try:
        with acting(operator()):
            yield store
    except OsbError as error:
        click.echo(f"helmbroker: {error.description}", err=True)
        sys.exit(status)
    except OUTAGE as error:
        click.echo(f"helmbroker: the database cannot be used: {getattr(error, 'orig', error)}", err=True)
        sys.exit(status)
    except (ClusterUnavailable, ClusterRefused) as error:
        click.echo(f"helmbroker: {error.reason}", err=True)
        sys.exit(status)
    except Refused as error:
        click.echo(f"helmbroker: {error}", err=True)
        sys.exit(status)
    finally:
        store.close()
