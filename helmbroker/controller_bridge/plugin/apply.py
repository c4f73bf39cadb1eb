"""`apply`: an app's resources made, bound and changed until they are as a file says; again, it does nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from helmbroker.controller_bridge.plugin import output, waiting
from helmbroker.controller_bridge.plugin.call import Call, OnResource, ask, carry_out, nothing
from helmbroker.controller_bridge.plugin.client import Json
from helmbroker.controller_bridge.plugin.difference import Change, Step, change, unnamed, working
from helmbroker.controller_bridge.plugin.manifest import Faulty, Manifest, Wanted, read
from helmbroker.controller_bridge.plugin.terminal import CommandError, StillWorking, WorkFailed

MOST = 1000  # resources of an app, and plans of a service
_BEGUN_FIRST = frozenset({Step.CREATE, Step.UPDATE})  # of all resources, before one of them is waited for
_TITLES = {
    Step.CREATE: "Creating",
    Step.UPDATE: "Updating",
    Step.UNBIND: "Unbinding",
    Step.BIND: "Binding",
    Step.SCHEDULE: "Scheduling rotations of",
    Step.DESTROY: "Destroying",
}
_JUDGES = {
    Step.CREATE: waiting.provisioned,
    Step.UPDATE: waiting.updated,
    Step.UNBIND: waiting.unbound,
    Step.BIND: waiting.bound,
    Step.SCHEDULE: waiting.settled,
    Step.DESTROY: waiting.destroyed,
}


def apply(call: Call) -> None:
    """See the module. Raises CommandError before anything is begun, WorkFailed or StillWorking afterwards."""
    if call.given.file is None:
        raise CommandError("it needs a file: apply -f FILE")
    manifest = read(call.directory / Path(call.given.file))
    applying = Applying(call, manifest, call.given.app or manifest.app or call.app)
    changes = applying.changes()
    applying.show(changes)
    problems = [f"{applying.place(one)}: {one.problem}" for one in changes if one.problem]
    if problems:
        raise Faulty("\n".join(["nothing was begun:", *problems]))
    if call.given.dry_run:
        return
    if going := [one.name for one in changes if Step.DESTROY in one.steps]:
        applying.confirm(going)
    applying.carry_out(changes)


class Applying:
    """One file, for one app."""

    def __init__(self, call: Call, manifest: Manifest, app: str) -> None:
        self._call, self._bridge, self._manifest, self._app = call, call.bridge, manifest, app

    def place(self, one: Change) -> str:
        """Where in the file it stands."""
        return self._manifest.place(one.wanted) if one.wanted else one.name

    def changes(self) -> list[Change]:
        """What every resource needs, in the file's order; then those it does not name. Waits for what goes on."""
        there = {output.text_of(one.get("name")): one for one in self._bridge.resources(self._app, MOST)}
        named = [self._change(one, there.get(one.name)) for one in self._manifest.resources]
        names = {one.name for one in self._manifest.resources}
        prune = bool(self._call.given.prune)
        return self._offered(named) + [
            unnamed(one, prune=prune) for name, one in sorted(there.items()) if name not in names
        ]

    def _change(self, wanted: Wanted, listed: Json | None) -> Change:
        found = None if listed is None else waiting.found(partial(self._bridge.resource, self._app, wanted.name))
        if working(found) and self._call.given.wait and not self._call.given.dry_run:
            found = self._follow(f"Waiting for {wanted.name}... ", wanted.name, waiting.settled)
        return change(wanted, found, rebind=bool(self._call.given.rebind))

    def _offered(self, changes: Sequence[Change]) -> list[Change]:
        """With the plans that there are not as problems."""
        asked = {one.wanted.service for one in changes if one.wanted and one.new_plan}
        plans = {
            service: {output.text_of(plan.get("name")) for plan in self._bridge.plans(service, MOST)}
            for service in sorted(asked)
        }
        return [self._check(one, plans) for one in changes]

    @staticmethod
    def _check(one: Change, plans: dict[str, set[str]]) -> Change:
        wanted = one.wanted
        if wanted is None or not one.new_plan or wanted.plan in plans[wanted.service]:
            return one
        there, why = ", ".join(sorted(plans[wanted.service])), f"there is no service {wanted.service!r}"
        if there:
            why = f"{wanted.service} has no plan {wanted.plan!r}, only {there}"
        return Change(one.name, wanted, problem=f"{why}; see: services, plans")

    def show(self, changes: Sequence[Change]) -> None:
        """A line for each."""
        if self._call.json:
            if self._call.given.dry_run:
                self._call.terminal.print(output.json_text([_plain(one) for one in changes]))
            return
        if not changes:
            self._call.terminal.print(f"No resources found in {self._app} app, and none in the file.")
        columns = max((len(one.name) for one in changes), default=0)
        for one in changes:
            self._call.terminal.print(f"{one.mark} {one.name:<{columns}}  {one}")

    def confirm(self, names: Sequence[str]) -> None:
        """Data is about to go. Raises CommandError when the user does not mean it."""
        given = self._call.given.confirm
        confirmed = given if given is not None else ask(self._call, f"resources: {', '.join(names)}", self._app)
        if confirmed != self._app:
            raise CommandError(f"app {self._app} does not match confirm {confirmed}, aborting")

    def carry_out(self, changes: Sequence[Change]) -> None:
        """Begin all that is made or updated, then bring each to its end. Raises when all was tried."""
        failures: dict[str, CommandError] = {}
        for one in changes:
            for step in _BEGUN_FIRST & one.steps.keys():
                self._try(failures, one, self._requests(one)[step])
        for one in changes:
            if one.name not in failures:
                self._try(failures, one, partial(self._finish, one))
        if self._call.json:
            ends = [_plain(one) | {"failed": str(failures.get(one.name, "")) or None} for one in changes]
            self._call.terminal.print(output.json_text(ends))
        if failures:
            raise _kind(failures.values())("\n".join(f"{name}: {error}" for name, error in failures.items()))

    def _try(self, failures: dict[str, CommandError], one: Change, run: Callable[[], object]) -> None:
        try:
            run()
        except CommandError as error:
            failures[one.name] = error

    def _finish(self, one: Change) -> None:
        """Its steps in their order; who does not wait gets the first of them."""
        requests = self._requests(one)
        for number, step in enumerate(one.steps):
            if number and not self._call.given.wait:
                self._call.terminal.warn(f"{one.name}: accepted; apply again for the rest: {one}")
                return
            request = nothing if step in _BEGUN_FIRST else requests[step]
            self._follow(f"{_TITLES[step]} {one.name}... ", one.name, _JUDGES[step], request)

    def _follow(
        self, title: str, name: str, judge: waiting.Judge, request: Callable[[], object] = nothing
    ) -> Json | None:
        work = OnResource(self._bridge, self._app, name, request, judge)
        carry_out(self._call, title, work)
        return work.outcome()

    def _requests(self, one: Change) -> dict[Step, Callable[[], object]]:
        bridge, app, name, wanted = self._bridge, self._app, one.name, one.wanted or Wanted(one.name, 0)
        return {
            Step.CREATE: partial(bridge.share, app, name, wanted.source)
            if wanted.source
            else partial(bridge.create, app, name, wanted.plan_name, one.options),
            Step.UPDATE: partial(bridge.update, app, name, wanted.plan_name, one.options),
            Step.UNBIND: partial(bridge.binding, app, name, "unbind"),
            Step.BIND: partial(bridge.binding, app, name, "bind", wanted.env),
            Step.SCHEDULE: partial(bridge.rotate_every, app, name, wanted.rotate_every_s or None),
            Step.DESTROY: partial(bridge.destroy, app, name),
        }


def _plain(one: Change) -> dict[str, object]:
    return {
        "name": one.name,
        "steps": [str(step) for step in one.steps],
        "notes": list(one.notes),
        "said": str(one),
    }


def _kind(errors: Iterable[CommandError]) -> type[CommandError]:
    """Of several errors: that of work that failed first, and that of unfinished work only when it is all."""
    kinds = {type(error) for error in errors}
    if WorkFailed in kinds:
        return WorkFailed
    return StillWorking if kinds == {StillWorking} else CommandError
