"""What the steps of the platform side share: their ports, patience with whoever does not answer, and undoing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from helmbroker.controller_bridge.apps.port import AppReleaseError, AppReleases, AppsUnavailable
from helmbroker.controller_bridge.beginning import usual_s
from helmbroker.controller_bridge.broker_port import (
    BindingRef,
    BrokerError,
    Caller,
    Credentials,
    InstanceRef,
    Status,
    Unreachable,
)
from helmbroker.controller_bridge.brokers import Brokers
from helmbroker.controller_bridge.model import Resource
from helmbroker.controller_bridge.sealing import Sealer
from helmbroker.controller_bridge.store import Store
from helmbroker.durable import JSON, Context, Done, Fail, Failed, Outcome, Step, Wait, run_steps
from helmbroker.sealing import KeysAway

FAILURE = "failure"  # the step name under which the reason of a failure is kept while it is undone
UNTIL = "until"  # in a step's result: when the plan's time is over for what it asked; in a late failure: its moment
AGAIN = "; trying again"  # what is told while somebody does not answer ends so
_AGAIN_S = 5.0
_AFTERWARDS_S = 300.0  # that an operation on an instance has left after such a moment: to undo, or to end


@dataclass(frozen=True)
class Pace:
    """Pauses between two looks at work that others do: a share of what it has taken so far, in bounds. Seconds."""

    first_s: float = 0.15
    longest_s: float = 5.0
    share: float = 0.05


@dataclass(frozen=True)
class Ports:
    """The world outside, and the rows."""

    store: Store
    broker: Brokers
    apps: AppReleases
    sealer: Sealer
    pace: Pace = Pace()
    grace_s: float = 30.0  # from a rotated app to the end of its old credentials


class Work:
    """One claim of one operation. The resource is read when it is needed, and again after a step has changed it."""

    def __init__(self, ctx: Context, ports: Ports) -> None:
        params = ctx.operation.params
        self.ctx, self.ports = ctx, ports
        self.app, self.user = str(params["app"]), str(params["user"])
        self.caller = Caller(self.user)
        self.credentials: Credentials | None = None  # of the binding it makes; only ever in memory
        self._resource: Resource | None = None
        self._began_s = ctx.operation.deadline - ctx.operation.created_at  # left of its time, then

    def go_on(self) -> None:
        """A step is finished: the next one begins."""
        self._began_s = self.ctx.remaining_s

    @property
    def pause_s(self) -> float:
        """Seconds until the next look: short work is noticed at once.

        The step's age counts; the operation's, where another claim has begun the step.
        """
        pace = self.ports.pace
        return min(pace.longest_s, max(pace.first_s, (self._began_s - self.ctx.remaining_s) * pace.share))

    @property
    def left_s(self) -> float:
        """Seconds until the operation is given up; negative after it.

        A plan that lets the broker take longer than usual prolongs it, where nobody else waits for its end; so does
        undoing that begins late.
        """
        operation, results = self.ctx.operation, self.ctx.results.values()
        untils = [each[UNTIL] for each in results if isinstance(each, Mapping) and UNTIL in each]
        longest = max((float(str(each)) + _AFTERWARDS_S for each in untils), default=0.0)
        ends_at = max(operation.created_at + usual_s(operation.kind), longest)
        return min(self.ctx.remaining_s, ends_at - self.now)

    @property
    def resource(self) -> Resource:
        """The row the operation is about, as read last."""
        return self._resource or self.reload()

    def reload(self) -> Resource:
        """Read the row again. Raises Failed when there is none: somebody has emptied the table."""
        with self.ports.store.reading() as conn:
            self._resource = self.ports.store.get(conn, str(self.ctx.operation.params["resource"]))
        if self._resource is None:
            raise Failed("the resource is not in the database any more")
        return self._resource

    @property
    def acting(self) -> Ports:
        """The ports, for a call that others see. Raises LeaseLost when another worker has the operation.

        Asks the database, as the clock of a machine that was asleep has not gone on; then the clock, as this
        thread may have been frozen since.
        """
        with self.ctx.transaction():
            pass
        self.ctx.check()
        return self.ports

    def instance(self) -> InstanceRef:
        """The instance at the broker. Raises Failed before its service and plan have been looked up."""
        return instance_of(self.resource)

    @property
    def successor(self) -> str | None:
        """The binding that a rotation makes; None: the operation is none."""
        return text(self.ctx.operation.params.get("successor"))

    def binding(self, binding_id: str | None = None) -> BindingRef:
        """A binding at the broker: by default the one that the operation makes, else that of the app."""
        found = binding_id or self.successor or self.resource.binding_id
        if found is None:
            raise Failed("the resource has no binding")
        return BindingRef(self.instance(), found)

    def instance_status(self, operation: str | None) -> Status:
        """Look at this operation of the broker on the instance."""
        return self.ports.broker.instance_status(self.instance(), operation)

    def binding_status(self, operation: str | None, binding_id: str | None = None) -> Status:
        """Look at this operation of the broker on a binding; which one as in `binding`."""
        return self.ports.broker.binding_status(self.binding(binding_id), operation)

    @property
    def now(self) -> float:
        """Seconds since the epoch, on the database's clock."""
        return self.ctx.operation.deadline - self.ctx.remaining_s


def instance_of(row: Resource) -> InstanceRef:
    """The instance of a resource at the broker. Raises Failed before its service and plan have been looked up."""
    if row.at_broker is None:
        raise Failed("the broker has never heard of this resource")
    return row.at_broker


def step(name: str, run: Callable[[Work], Outcome], *, reserve_s: float = 0.0, begins: bool = False) -> Step[Work]:
    """A row of a table of steps. Who does not answer is asked again; a refusal fails the operation.

    A wait ends when `reserve_s` seconds are left of the operation's time, however long others want to be left
    alone: they are for undoing. begins: something for others, which is not done when the time is over: they would
    go on with what is given up here.
    """

    def patient(work: Work) -> Outcome:
        try:
            return run(work)
        except (AppsUnavailable, Unreachable, KeysAway) as error:
            return again(error)
        except BrokerError as error:
            return Wait(_AGAIN_S, "the broker is busy with the same instance") if error.busy else Fail(str(error))
        except AppReleaseError as error:
            return Fail(str(error))

    def bounded(work: Work) -> Outcome:
        if begins and work.left_s < 0:
            return Fail("its time was over when its turn came: try again")
        outcome = patient(work)
        if isinstance(outcome, Done):
            work.go_on()
        if not isinstance(outcome, Wait):
            return outcome
        left_s = work.left_s - reserve_s
        if left_s < 0:
            return Fail(f"it took too long: {outcome.reason.removeprefix(undoing(work, ''))}")
        return Wait(min(outcome.after_s, left_s), outcome.reason)

    return Step(name, bounded)


def again(error: Exception) -> Wait:
    """Who did not answer is asked again: soon, or when he wants to be."""
    after_s = error.after_s if isinstance(error, AppsUnavailable | Unreachable) else 0.0
    return Wait(max(_AGAIN_S, after_s), f"{error}{AGAIN}")


def run_or_undo(work: Work, steps: Sequence[Step[Work]], undo: Sequence[Step[Work]]) -> None:
    """Run `steps`; when they fail, run `undo` and raise Failed with the first reason, also after a restart."""
    ctx = work.ctx
    if FAILURE not in ctx.results:
        try:
            run_steps(ctx, steps, work)
        except Failed as error:
            late = work.left_s < _AFTERWARDS_S
            ctx.save(FAILURE, {"reason": error.reason, UNTIL: work.now} if late else error.reason)
        else:
            return
    reason = failure(work)
    try:
        run_steps(ctx, undo, work)
    except Failed as other:
        raise Failed(f"{reason}; and undoing it failed: {other.reason}") from None
    raise Failed(reason)


def failure(work: Work) -> str:
    """Why the operation is being undone; empty when it is not."""
    kept = work.ctx.results.get(FAILURE, "")
    return str(kept["reason"] if isinstance(kept, Mapping) else kept)


def undoing(work: Work, doing: str) -> str:
    """What to tell while it is undone: the reason first."""
    return f"{failure(work)}; {doing}"


def result(work: Work, name: str) -> Mapping[str, JSON]:
    """The stored result of a step that gave an object; empty when it has none."""
    value = work.ctx.results.get(name)
    return value if isinstance(value, Mapping) else {}


def text(value: JSON) -> str | None:
    """A stored value that is text, or nothing."""
    return value if isinstance(value, str) else None
