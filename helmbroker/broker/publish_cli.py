"""`helmbroker addon package`, `push` and `sign`: addons given to others."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from helmbroker.broker import catalog_wiring
from helmbroker.broker.command import CANNOT, WRONG, stop, with_settings_or
from helmbroker.broker.settings import Settings
from helmbroker.catalog import archive
from helmbroker.catalog.model import Addon, AddonFaults
from helmbroker.catalog.sources import folders
from helmbroker.catalog.sources.model import Access, SourceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

T = TypeVar("T")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PASSWORD = "COSIGN_PASSWORD"  # noqa: S105  # the variable's name
_OCI = "oci://"


def _with_access(command: Callable[..., T]) -> Callable[..., T]:
    """How a registry is spoken to: options as helm has them, and the command gets them as one."""

    @click.option("--username", help="For the registry; its password is read from standard input.")
    @click.option("--password-stdin", is_flag=True, help="Read the password, one line, from standard input.")
    @click.option("--registry-config", type=_FILE, help="A config.json of docker with the login, instead.")
    @click.option("--ca-file", type=_FILE, help="PEM: authorities to believe, instead of the usual ones.")
    @click.option("--plain-http", is_flag=True, help="HTTP without TLS, which is for loopback alone otherwise.")
    @wraps(command)
    def run(
        *args: Any,
        username: str | None,
        password_stdin: bool,
        registry_config: Path | None,
        ca_file: Path | None,
        plain_http: bool,
        **kwargs: Any,
    ) -> T:
        if (username is None) == password_stdin or (username is not None and registry_config is not None):
            stop("a login is --username with --password-stdin, or --registry-config, or none of them")
        password = sys.stdin.readline().rstrip("\r\n") if password_stdin else ""
        login = None if username is None else f"{username}:{password}"
        access = Access(login=login, pull_secret_file=registry_config, ca_file=ca_file, insecure=plain_http or None)
        return command(*args, access=access, **kwargs)

    return run


@click.command()
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Where the archive goes."
)
@with_settings_or(CANNOT)
def package(settings: Settings, *, path: Path, into: Path) -> None:
    """Make NAME-VERSION.tgz with all that the charts depend on, and tell its digests.

    The same files become the same bytes.

    \b
    Example:
      helmbroker addon package addons/notes --into dist
    """
    with _whole(settings, path) as addon:
        packed = archive.pack(addon.folder)
        target = into / f"{addon.name}-{addon.version}.tgz"
        into.mkdir(parents=True, exist_ok=True)
        target.write_bytes(packed)
    _tell(file=str(target), sha256=hashlib.sha256(packed).hexdigest(), revision=addon.digest)


@click.command()
@click.argument("what", type=click.Path(exists=True, path_type=Path))
@click.argument("target")
@click.option("--sign-key", "key", type=_FILE, help="Private key in PEM to sign it with.")
@_with_access
@with_settings_or(CANNOT)
def push(settings: Settings, *, what: Path, target: str, key: Path | None, access: Access) -> None:
    """Push an addon, a folder or an archive, to TARGET, oci://host/repository:tag, and tell its digest.

    The password of a key is read from COSIGN_PASSWORD.

    \b
    Example:
      helmbroker addon push addons/notes oci://registry.example/addons/notes:1.0.0
    """
    from helmbroker.catalog.sources import artifacts, references  # noqa: PLC0415  # heavy

    signer = None if key is None else _private_key(key)
    with _stopped_by_sources(), _whole(settings, what) as addon:
        name = references.reference(target)
        if name.tag is None or name.digest is not None:
            stop(f"{target} must end with a tag, and have no digest: {_OCI}{name.host}/{name.repository}:TAG")
        digest = artifacts.push(addon.folder, name, access)
        told = {} if signer is None else {"signature": artifacts.push_signature(name, digest, signer, access)}
    artifact = f"{_OCI}{name.host}/{name.repository}@{digest}"
    _tell(artifact=artifact, digest=digest, revision=addon.digest, **told)


@click.command()
@click.argument("what")
@click.option("--key", type=_FILE, required=True, help="Private key in PEM.")
@_with_access
def sign(*, what: str, key: Path, access: Access) -> None:
    """Sign WHAT: a file, beside which FILE.sig is made, or oci://host/repository@sha256:...

    The password of the key is read from COSIGN_PASSWORD.

    \b
    Example:
      helmbroker addon sign dist/notes-1.0.0.tgz --key cosign.key
    """
    signer = _private_key(key)
    with _stopped_by_sources():
        where = _sign_artifact(what, signer, access) if what.startswith(_OCI) else _sign_file(Path(what), signer)
    _tell(signature=where)


def _sign_artifact(target: str, signer: EllipticCurvePrivateKey, access: Access) -> str:
    from helmbroker.catalog.sources import artifacts, references  # noqa: PLC0415  # heavy

    name = references.reference(target)
    if name.digest is None:
        stop(f"{target} names no digest, and a tag may be moved; name what `helmbroker addon push` told")
    return artifacts.push_signature(name, name.digest, signer, access)


def _sign_file(path: Path, signer: EllipticCurvePrivateKey) -> str:
    from helmbroker.catalog.sources import signatures  # noqa: PLC0415  # heavy

    beside = path.with_name(f"{path.name}.sig")
    beside.write_text(signatures.sign(path.read_bytes(), signer), "ascii")
    return str(beside)


def _private_key(path: Path) -> EllipticCurvePrivateKey:
    from helmbroker.catalog.sources import signatures  # noqa: PLC0415  # heavy

    try:
        return signatures.private_key(path, os.environ.get(_PASSWORD))
    except signatures.BadKey as error:
        stop(f"{error}; its password is what {_PASSWORD} says")


@contextmanager
def _whole(settings: Settings, path: Path) -> Iterator[Addon]:
    """The addon of a folder or an archive as others get it."""
    from helmbroker.broker.author.revised import whole  # noqa: PLC0415  # heavy

    with tempfile.TemporaryDirectory() as place:
        try:
            folder = path
            if not path.is_dir():
                folders.unpacked(path.read_bytes(), Path(place, "archive"))
                folder = folders.only(Path(place, "archive"))
            addon = whole(folder, Path(place, "addon"), catalog_wiring.repositories(settings))
        except SourceError as error:
            stop(f"{path}: {error.message}", WRONG)
        except AddonFaults as error:
            stop(f"{error}; run `helmbroker addon lint {path}`", WRONG)
        yield addon


@contextmanager
def _stopped_by_sources() -> Iterator[None]:
    try:
        yield
    except SourceError as error:
        stop(f"{error.message}.")
    except OSError as error:
        stop(f"{error.filename}: {error.strerror}.")


def _tell(**facts: str) -> None:
    click.echo(json.dumps(facts))


COMMANDS = (package, push, sign)
