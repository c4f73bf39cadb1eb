"""Which service, with which token, and for which app: from flags, environment, the login's file and git."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from helmbroker.controller_bridge.plugin.terminal import CommandError

DEFAULT_LIMIT = 100
GIT_TIMEOUT_S = 10.0
PROFILE_IS_PATH = re.compile(r".*[/\\].+\.json")


class Login(NamedTuple):
    """What `drycc login` left: the controller's address, a token, whether TLS is verified, the list limit."""

    controller: str
    token: str
    verify: bool
    limit: int

    def __repr__(self) -> str:
        return f"Login({self.controller})"


class Service(NamedTuple):
    """Where the resources service is, and how to speak to it."""

    url: str
    token: str
    verify: bool

    def __repr__(self) -> str:
        return f"Service({self.url})"


def login(config: str | None, env: Mapping[str, str]) -> Login:
    """The login to use: the file given with `-c`, else the environment, else the profile's file.

    The environment counts when it has a token and an address: the dispatcher gives the controller's; without a
    controller the address of the resources service will do. Raises CommandError when nobody is logged in.
    """
    path = login_file(config, env)
    if path is None:
        return Login(
            controller=with_scheme(env.get("DRYCC_CONTROLLER_URL") or env["DRYCC_RESOURCES_URL"]),
            token=_token(env["DRYCC_TOKEN"], "DRYCC_TOKEN"),
            verify=env.get("DRYCC_SSL_VERIFY", "true").lower() not in ("false", "0"),
            limit=_limit(env.get("DRYCC_RESPONSE_LIMIT")),
        )
    return _read(path)


def login_file(config: str | None, env: Mapping[str, str]) -> Path | None:
    """The file that the login is read from; None: the environment has it."""
    address = env.get("DRYCC_CONTROLLER_URL") or env.get("DRYCC_RESOURCES_URL")
    if config is None and address and env.get("DRYCC_TOKEN"):
        return None
    return profile_path(config if config is not None else env.get("DRYCC_PROFILE", ""), env)


def profile_path(value: str, env: Mapping[str, str]) -> Path:
    """The login's file. As in `drycc`, only a path that ends in .json is one; anything else is the default."""
    home = Path(env.get("HOME") or Path.home())
    expanded = re.sub(r"\$(\w+)|\$\{(\w+)\}", lambda found: env.get(found[1] or found[2], ""), value)
    if expanded == "~" or expanded.startswith("~/"):
        expanded = f"{home}{expanded[1:]}"
    if PROFILE_IS_PATH.fullmatch(expanded):
        return Path(expanded)
    return home / ".drycc" / "client.json"


def _read(path: Path) -> Login:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise CommandError(
            f"client configuration file not found at: {path}\n"
            "Are you logged in? Use 'drycc login' or 'drycc register' to get started"
        ) from error
    except OSError as error:
        raise CommandError(f"cannot read the client configuration {path}: {error.strerror}") from error
    except ValueError as error:
        raise CommandError(f"the client configuration {path} is not JSON; log in again: drycc login") from error
    if not isinstance(content, dict) or not content.get("controller") or not content.get("token"):
        raise CommandError(f"the client configuration {path} has no controller or no token; log in: drycc login")
    return Login(
        controller=with_scheme(str(content["controller"])),
        token=_token(str(content["token"]), str(path)),
        verify=content.get("ssl_verify") is not False,
        limit=_limit(content.get("response_limit")),
    )


def _token(text: str, where: str) -> str:
    token = text.strip()
    if not re.fullmatch(r"[!-~]+", token):  # a line break in it would end up in an error text
        raise CommandError(f"the token of {where} has characters that no token has; log in again: drycc login")
    return token


def _limit(value: object) -> int:
    try:
        limit = int(str(value))
    except ValueError:
        return DEFAULT_LIMIT
    return limit if limit > 0 else DEFAULT_LIMIT


def with_scheme(address: str) -> str:
    """`address` as a URL of http (when no scheme is given) or https, without path. Raises CommandError."""
    url = address.strip() if "://" in address else f"http://{address.strip()}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number
        usable = False
    if not usable:
        raise CommandError(f"{address!r} is no address of a service: give http://HOST[:PORT] or https://...")
    return url.rstrip("/")


def service(found: Login, env: Mapping[str, str]) -> Service:
    """The resources service: DRYCC_RESOURCES_URL, else beside the controller, else the controller's own address.

    Beside means: the first label of the host is `drycc-resources`. An IP address or a single label has no such
    neighbour; there the controller's address has to lead to the service.
    """
    if env.get("DRYCC_RESOURCES_URL"):
        return Service(with_scheme(env["DRYCC_RESOURCES_URL"]), found.token, found.verify)
    parts = urlsplit(found.controller)
    host = parts.hostname or ""
    rest = host.partition(".")[2]
    port = f":{parts.port}" if parts.port else ""
    place = f"drycc-resources.{rest}{port}" if rest and not _is_ip(host) else parts.netloc.rpartition("@")[2]
    return Service(urlunsplit((parts.scheme, place, "", "", "")), found.token, found.verify)


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def app_name(flag: str | None, found: Login, env: Mapping[str, str], directory: Path) -> str:
    """The app: `-a`, else the git remote of the platform, else DRYCC_APP, else the directory's name."""
    return flag or _app_of_git(found.controller, env, directory) or env.get("DRYCC_APP") or directory.name.lower()


def _app_of_git(controller: str, env: Mapping[str, str], directory: Path) -> str:
    """The app that a git remote pushes to: one whose address has the builder's host, HOST-builder.DOMAIN."""
    first, dot, rest = (urlsplit(controller).hostname or "").partition(".")
    builder = f"{first}-builder{dot}{rest}"
    for remote in _git_remotes(env, directory):
        if builder in remote:
            return remote.rstrip("/").rpartition("/")[2].rpartition(":")[2].partition(".")[0]
    return ""


def _git_remotes(env: Mapping[str, str], directory: Path) -> list[str]:
    git = shutil.which("git", path=env.get("PATH"))
    if not git or not any((folder / ".git").exists() for folder in (directory, *directory.parents)):
        return []
    import subprocess  # noqa: PLC0415 - most invocations need no git

    try:
        ran = subprocess.run(
            [git, "remote", "-v"],
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
            env={name: value for name, value in env.items() if name != "DRYCC_TOKEN"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = [line.split() for line in ran.stdout.splitlines() if line.endswith("(push)")]
    return [fields[1] for fields in lines if len(fields) > 1]
