"""`doctor`: settings, service, login, clock and rights, one after the other; what is wrong, and its cure."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from helmbroker.controller_bridge.plugin import output, settings
from helmbroker.controller_bridge.plugin.arguments import MARK, PROGRAM, version
from helmbroker.controller_bridge.plugin.client import API_VERSION, ApiError, Bridge, Unreachable, compatible
from helmbroker.controller_bridge.plugin.terminal import CommandError, Terminal

TIMEOUT_S = 10.0
MOST_SKEW_S = 60.0  # beyond it certificates and times in tables begin to mislead


class Finding(NamedTuple):
    """One thing that was looked at. `cure`: what to do; empty when nothing is wrong."""

    check: str
    seen: str
    cure: str = ""


def examine(given: argparse.Namespace, env: Mapping[str, str], directory: Path, terminal: Terminal) -> None:
    """Show every finding. Raises CommandError when something is wrong."""
    found = []
    for finding in _findings(given, env, directory):
        found.append(finding)
        if given.output != "json":
            mark = "FAIL" if finding.cure else "ok"
            terminal.print(f"{mark:<6}{finding.check:<10}{finding.seen}")
            if finding.cure:
                terminal.print(f"{'':16}{finding.cure}")
    if given.output == "json":
        shown = [{"check": one.check, "ok": not one.cure, "seen": one.seen, "cure": one.cure} for one in found]
        terminal.print(output.json_text(shown))
    if wrong := [finding.check for finding in found if finding.cure]:
        raise CommandError(f"not in order: {', '.join(wrong)}")


def _findings(given: argparse.Namespace, env: Mapping[str, str], directory: Path) -> Iterator[Finding]:
    """Until one of them makes the next ones pointless."""
    yield _program(env)
    try:
        login = settings.login(given.config, env)
        service = settings.service(login, env)
    except CommandError as error:
        yield Finding(
            "login", str(error).split("\n", maxsplit=1)[0], "Log in with drycc login, or set DRYCC_TOKEN."
        )
        return
    yield _login(given.config, env)
    yield _address(service, env)
    bridge = Bridge(service, lambda _text: None, TIMEOUT_S)
    try:
        yield from _service(bridge)
        accepted = _accepted(bridge)
        yield accepted
        if not accepted.cure:
            yield _rights(bridge, settings.app_name(given.app, login, env, directory))
    except Unreachable as error:
        yield Finding("service", str(error), "Mend the address, the network or the service, whichever it is.")
    except ApiError as error:
        yield Finding("service", str(error), "Read the log of the resources service.")


def _program(env: Mapping[str, str]) -> Finding:
    """Whether `drycc resources` runs this program, or another one of its name."""
    places = (Path(folder) / PROGRAM for folder in env.get("PATH", "").split(os.pathsep) if folder)
    first = next((place for place in places if place.is_file() and os.access(place, os.X_OK)), None)
    if first is None:
        return Finding("program", f"{version()}; not on PATH, where drycc would look for it")
    said = _version_of(first, env)
    if not said.endswith(MARK):
        cure = f"It is another program of the name: remove it, or put this one ({sys.argv[0]}) before it on PATH."
        return Finding("program", f"PATH has {first} first", cure)
    return Finding("program", f"{first}: {said}")


def _version_of(program: Path, env: Mapping[str, str]) -> str:
    secretless = {name: value for name, value in env.items() if name != "DRYCC_TOKEN"}
    try:
        ran = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=secretless
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout.strip()


def _login(config: str | None, env: Mapping[str, str]) -> Finding:
    path = settings.login_file(config, env)
    if path is None:
        return Finding("login", "DRYCC_TOKEN of the environment")
    if path.stat().st_mode & 0o077:
        return Finding("login", f"{path} can be read by others", f"Run: chmod 600 {path}")
    return Finding("login", str(path))


def _address(service: settings.Service, env: Mapping[str, str]) -> Finding:
    origin = "DRYCC_RESOURCES_URL" if env.get("DRYCC_RESOURCES_URL") else "from the controller's address"
    seen = f"{service.url} ({origin})"
    if service.url.startswith("http:") and not _is_here(urlsplit(service.url).hostname or ""):
        return Finding("address", seen, "The token is sent without encryption: use https.")
    if service.url.startswith("https:") and not service.verify:
        return Finding("address", seen, "Its certificate is not verified: set ssl_verify to true.")
    return Finding("address", seen)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _service(bridge: Bridge) -> Iterator[Finding]:
    began = time.monotonic()
    healthy = bridge.hear("GET", "/healthz", login=False)
    took_ms = (time.monotonic() - began) * 1000
    if healthy.status != 200:
        yield Finding("service", f"/healthz answers {healthy.status}", "Set DRYCC_RESOURCES_URL to its address.")
        return
    ready = bridge.hear("GET", "/readyz", login=False)
    workers = _field(ready.content, "workers")
    if ready.status != 200:
        reason = _field(ready.content, "detail") or _field(ready.content, "status")
        yield Finding("service", f"it is not ready: {reason}", "Read the log of the resources service.")
    elif workers == "none":
        cure = "Start one: helmbroker-bridge worker. What is asked for waits until then."
        yield Finding("service", "no worker lives", cure)
    else:
        yield Finding("service", f"answers in {took_ms:.0f} ms, workers: {workers or 'unknown'}")
    version = healthy.headers.get("DRYCC_API_VERSION", "")
    wanted = f"version {version or 'unknown'} of the API, this client has {API_VERSION}"
    yield Finding("version", wanted, "" if compatible(version) else "Upgrade the older of both.")
    yield _clock(healthy.headers.get("Date", ""))


def _clock(date: str) -> Finding:
    try:
        skew_s = time.time() - parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return Finding("clock", "the service does not tell its time")
    if abs(skew_s) <= MOST_SKEW_S:
        return Finding("clock", f"within {MOST_SKEW_S:.0f} s of the service's")
    way = "ahead of" if skew_s > 0 else "behind"
    return Finding("clock", f"{abs(skew_s):.0f} s {way} the service's", "Set the clock that is wrong, by NTP.")


def _accepted(bridge: Bridge) -> Finding:
    try:
        offered = bridge.services(settings.DEFAULT_LIMIT)
    except ApiError as error:
        if error.status not in (401, 403):
            raise
        return Finding(
            "token", str(error), "Log in again: drycc login; or ask for a token of the resources service."
        )
    if not offered:
        return Finding("token", "accepted; no service is offered", "Ask the operator for services in the catalog.")
    return Finding("token", f"accepted; services offered: {len(offered)}")


def _rights(bridge: Bridge, app: str) -> Finding:
    try:
        access = bridge.access(app)
    except ApiError as error:
        cure = (
            f"Name the app with --app, or ask for rights in it; {app} was found by git, DRYCC_APP or the directory."
        )
        return Finding("rights", f"in the app {app}: {error}", cure)
    role, user = output.text_of(access.get("role")), output.text_of(access.get("user"))
    if role == "viewer":
        return Finding("rights", f"{user} may only look at {app}", "Ask an admin of the app to make you a member.")
    return Finding("rights", f"{user} is {role} of {app}")


def _field(content: bytes, name: str) -> str:
    try:
        parsed = json.loads(content)
    except ValueError:
        return ""
    return output.text_of(parsed.get(name)) if isinstance(parsed, dict) else ""
