"""What each command does, once its arguments are known."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from helmbroker.controller_bridge.plugin import output, waiting
from helmbroker.controller_bridge.plugin.call import Call, OnResource, Rollback, ask, follow, nothing, perform
from helmbroker.controller_bridge.plugin.client import Bridge, Json
from helmbroker.controller_bridge.plugin.options import env_mapping, options
from helmbroker.controller_bridge.plugin.settings import login, service
from helmbroker.controller_bridge.plugin.terminal import CommandError, Terminal


def services(call: Call) -> None:
    """The service classes."""
    _list(call, call.bridge.services(call.limit), ("id", "name", "updateable"), "Could not find any services")


def plans(call: Call) -> None:
    """The plans of a service class."""
    service = call.words[0]
    found = call.bridge.plans(service, call.limit)
    _list(call, found, ("id", "name", "description"), f"Could not find any plans in {service} service.")


def list_resources(call: Call) -> None:
    """The resources of the app."""
    app = call.app
    found = call.bridge.resources(app, call.limit)
    _list(call, found, ("name", "plan", "updated"), f"No resources found in {app} app.")


def releases(call: Call) -> None:
    """The app releases."""
    app = call.app
    found = call.bridge.releases(app, call.limit)
    _list(call, found, ("version", "state", "created", "summary"), f"No releases found in {app} app.")


def _list(call: Call, found: Sequence[Json], columns: Sequence[str], nothing: str) -> None:
    if call.json:
        call.terminal.print(output.json_text(found))
    elif not found:
        call.terminal.print(nothing)
    else:
        rows = [[output.cell(column, one.get(column)) for column in columns] for one in found]
        call.terminal.print(output.table(rows, [column.upper() for column in columns]))


def describe(call: Call) -> None:
    """One resource with its credentials."""
    found = call.bridge.resource(call.app, call.words[0])
    details = bool(call.given.details)
    call.terminal.print(output.json_text(found) if call.json else output.description(found, details=details))


def logs(call: Call) -> None:
    """What was done with a resource: the latest at the end."""
    name, app = call.words[0], call.app
    if call.given.follow:
        follow(call, f"Following {name}... ", OnResource(call.bridge, app, name, nothing, waiting.settled))
    found = call.bridge.operations(app, name, call.limit)[::-1]
    if call.json:
        call.terminal.print(output.json_text(found))
    elif not found:
        call.terminal.print(f"Nothing is kept of what was done with {name}.")
    else:
        call.terminal.print(output.table([output.operation(one) for one in found], output.OPERATION))


def create(call: Call) -> None:
    """Make a resource."""
    name, service, plan, *pairs = call.words
    chosen, app = options(pairs, call.given.values), call.app
    request = partial(call.bridge.create, app, name, f"{service}:{plan}", chosen)
    work = OnResource(call.bridge, app, name, request, waiting.provisioned, new=True)
    perform(call, f"Creating {name} to {app}... ", work)


def share(call: Call) -> None:
    """Make a resource with the instance of another one."""
    (name, source), app = call.words, call.app
    request = partial(call.bridge.share, app, name, source)
    work = OnResource(call.bridge, app, name, request, waiting.provisioned, new=True)
    perform(call, f"Sharing {source} as {name} with {app}... ", work)


def update(call: Call) -> None:
    """Change a resource."""
    name, service, plan, *pairs = call.words
    chosen, app = options(pairs, call.given.values), call.app
    request = partial(call.bridge.update, app, name, f"{service}:{plan}", chosen)
    work = OnResource(call.bridge, app, name, request, waiting.updated)
    perform(call, f"Updating {name} to {app}... ", work)


def bind(call: Call) -> None:
    """Give the app the resource's credentials."""
    name, app = call.words[0], call.app
    request = partial(call.bridge.binding, app, name, "bind", env_mapping(call.given))
    perform(call, "Binding resource... ", OnResource(call.bridge, app, name, request, waiting.bound))


def unbind(call: Call) -> None:
    """Take the credentials out of the app, and revoke them."""
    name, app = call.words[0], call.app
    request = partial(call.bridge.binding, app, name, "unbind")
    perform(call, "Unbinding resource... ", OnResource(call.bridge, app, name, request, waiting.unbound))


def rotate(call: Call) -> None:
    """Replace the credentials now, or have them replaced every so often; or the administrator's."""
    name, app, every = call.words[0], call.app, call.given.every
    if call.given.admin:
        if call.given.force or every is not None:
            raise CommandError("--admin is about the administrator's password, now: give it alone")
        request = partial(call.bridge.rotate_admin, app, name)
        work = OnResource(call.bridge, app, name, request, waiting.admin_rotated)
        perform(call, "Rotating the administrator's password... ", work)
        return
    if every is None:
        request = partial(call.bridge.rotate, app, name, force=call.given.force)
        perform(call, "Rotating credentials... ", OnResource(call.bridge, app, name, request, waiting.rotated))
        return
    if call.given.force:
        raise CommandError("--force rotates now and --every later: give one of them")
    answer = call.bridge.rotate_every(app, name, every or None)
    due = output.local_time(output.text_of(answer.get("rotate_at")))
    said = f"The credentials of {name} are replaced next at {due}." if due else f"{name} has no date for rotation."
    call.terminal.print(output.json_text(answer) if call.json else said)


def destroy(call: Call) -> None:
    """Remove a resource with all its data, after the user has typed its name."""
    name, app = call.words[0], call.app
    confirmed = call.given.confirm if call.given.confirm is not None else ask(call, f"resource: {name}", name)
    if confirmed != name:
        raise CommandError(f"resource {name} does not match confirm {confirmed}, aborting")
    request = partial(call.bridge.destroy, app, name)
    work = OnResource(call.bridge, app, name, request, waiting.destroyed)
    perform(call, f"Destroying {name}...\n", work)


def rollback(call: Call) -> None:
    """Go back to an app release, as a new one."""
    match = re.fullmatch(r"v?(\d{1,9})", call.words[0])
    if not match:
        raise CommandError(f"'{call.words[0]}' is no app release: give a version such as v2; see: releases")
    version = int(match[1])
    perform(call, f"Rolling back to v{version}... ", Rollback(call.bridge, call.app, version))


def apply(call: Call) -> None:
    """Make, bind and change what a file names."""
    from helmbroker.controller_bridge.plugin import apply as applying  # noqa: PLC0415 - it alone needs all that

    applying.apply(call)


HANDLERS = {
    "services": services,
    "plans": plans,
    "create": create,
    "share": share,
    "list": list_resources,
    "describe": describe,
    "logs": logs,
    "update": update,
    "bind": bind,
    "unbind": unbind,
    "rotate": rotate,
    "destroy": destroy,
    "releases": releases,
    "rollback": rollback,
    "apply": apply,
}


def execute(
    name: str,
    given: argparse.Namespace,
    words: list[str],
    env: Mapping[str, str],
    directory: Path,
    terminal: Terminal,
) -> None:
    """Log in and run the command of that name. Raises CommandError."""
    if name == "doctor":
        from helmbroker.controller_bridge.plugin.doctor import examine  # noqa: PLC0415 - it alone needs so much

        examine(given, env, directory, terminal)
        return
    found = login(given.config, env)
    bridge = Bridge(service(found, env), terminal.warn)
    HANDLERS[name](Call(given, words, bridge, terminal, found, env, directory))
