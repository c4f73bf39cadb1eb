"""Every operation of the broker, as it waits for its worker: rows of the table that test_everywhere.py runs."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import cast

from helmbroker.broker.domain.cluster import NotReady, Ready
from helmbroker.broker.domain.helm_errors import ClusterRefused, ClusterUnavailable, HelmError, HelmFault
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.operation import TRIED, Kind, Phase
from helmbroker.broker.domain.ports import Cluster, HelmReleases
from helmbroker.broker.domain.requests import UpdateRequest
from helmbroker.broker.service import Accepted, Expiry
from helmbroker.broker.service.drift import DriftCheck
from helmbroker.broker.service.purge import Purges
from helmbroker.broker.service.repair import Repairs
from helmbroker.broker.store.schema import bindings
from helmbroker.broker.worker import handlers
from helmbroker.catalog.model import Addon
from helmbroker.durable import State
from tests.fakes.cluster import CLAIM
from tests.fakes.helm import Call
from tests.fakes.survey import FakeSurvey
from tests.operations.broker.test_update import newer
from tests.operations.broker.world import ADDON, BINDING_RELEASE, INSTANCE, KEYS, NAMESPACE, RELEASE, SHARING, World
from tests.operations.course import Context, Course, Memory, Moment, Place, Rows, Watched
from tests.operations.sweep import How, Trial

BROKEN = "echo broken; exit 1"


def _bound(world: World, plan: str = "small") -> None:
    world.succeed(world.provision(plan=plan, text="given", pin="c4n4ry"))
    world.succeed(world.bind(pin="c4n4ry"))


def provision(world: World) -> str:
    world.cluster.states[RELEASE] = [NotReady("pulling the image"), Ready()]
    return world.provision(text="given", pin="c4n4ry")


def provision_over_what_is_left(world: World) -> str:
    """An attempt before has begun, and its objects are still there."""
    world.fail(world.provision(plan="keeper", make=BROKEN))
    world.succeed(world.deprovision())
    return world.provision(plan="keeper")


def failing_provision(world: World) -> str:
    return world.provision(make=BROKEN)


def bind(world: World) -> str:
    world.succeed(world.provision(text="given"))
    return world.bind(pin="c4n4ry")


def failing_bind(world: World) -> str:
    world.succeed(world.provision(text="given"))
    return world.bind(make=BROKEN)


def unbind(world: World) -> str:
    _bound(world)
    return world.unbind()


def _sharing(world: World) -> None:
    """Of an addon without a binding chart."""
    world.offer(SHARING)
    world.succeed(world.provision(text="given", pin="c4n4ry"))


def bind_sharing(world: World) -> str:
    _sharing(world)
    return world.bind(pin="c4n4ry")


def unbind_sharing(world: World) -> str:
    world.succeed(bind_sharing(world))
    return world.unbind()


def deprovision_sharing(world: World) -> str:
    world.succeed(bind_sharing(world))
    return world.deprovision()


def revoke_expired(world: World) -> str:
    _bound(world, "brief")
    with world.store.engine.begin() as conn:
        conn.execute(bindings.update().values(expires_at=1.0, revoke_at=1.0))
    assert Expiry(world.store, world.revisions).revoke_due() == 1
    record = world.binding()
    assert record is not None
    return record.operation.id


def update(world: World) -> str:
    _bound(world)
    return world.update(plan="large", text="changed", pin="c4n4ry-2")


@cache
def _newer() -> Addon:
    """In a folder that is there as long as this process: workers read it."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return newer(Path(folder.name) / "newer")


def upgrade(world: World) -> str:
    _bound(world)
    world.offer(_newer())
    return world.update(version="2.0.0")


def upgrade_tried(world: World) -> str:
    """With a client of ours before and after, as runs over the fleet have it."""
    _bound(world)
    world.offer(_newer())
    request = UpdateRequest(INSTANCE, ADDON.id, None, None, None, "2.0.0", accepts_incomplete=True)
    with world.store.transaction() as tx:
        answer = world.service.update_in(tx, request, {TRIED: True})
    assert isinstance(answer, Accepted)
    return answer.operation_id


def failing_update(world: World) -> str:
    """The chart's own Job fails, when the release has been changed: there and back."""
    _bound(world)
    return world.update(plan="large", text="changed", make=BROKEN)


def refused_update(world: World) -> str:
    """Nothing is changed."""
    _bound(world)
    return world.update(refuse=True)


def deprovision(world: World) -> str:
    _bound(world)
    return world.deprovision()


def deprovision_keeping_data(world: World) -> str:
    _bound(world, "keeper")
    return world.deprovision()


def deprovision_after_failure(world: World) -> str:
    world.fail(world.provision(make=BROKEN))
    return world.deprovision()


def _uninstalled(world: World, *refs: ReleaseRef) -> None:
    """By hand, as `helm uninstall` does it: claims stay."""
    for ref in refs:
        del world.cluster.releases[ref]
        for thing in world.cluster.all():
            if thing.owner == ref.name or (thing.kind == "Pod" and thing.label == ref.name):
                world.cluster.remove(thing.kind, thing.namespace, thing.name)


def repair(world: World) -> str:
    _bound(world)
    _uninstalled(world, RELEASE, BINDING_RELEASE)
    found = DriftCheck(world.store, world.cluster, FakeSurvey(world.cluster), KEYS, NAMESPACE).look()
    (begun,) = Repairs(world.store, world.revisions).begin(found)
    assert begun.operation_id is not None
    return begun.operation_id


def purge(world: World) -> str:
    """Of a binding's release; the instance beside it is to be left as it is."""
    _bound(world)
    with world.store.engine.begin() as conn:
        conn.execute(bindings.delete())
    return _purge(world)


def _purge(world: World) -> str:
    return Purges(world.store, world.cluster).begin(BINDING_RELEASE, with_data=True)


def purge_again(world: World) -> None:
    """DELETE cannot know what has no record."""
    if BINDING_RELEASE in world.cluster.releases.keys() | world.cluster.kept.keys():
        world.succeed(_purge(world))


@dataclass(frozen=True)
class Row:
    """How the operation comes to wait, how it ends in peace, and what stops it."""

    kind: Kind
    begin: Callable[[World], str]
    state: State = State.SUCCEEDED
    stopped_by: Callable[[World], str] | None = World.deprovision
    before_delete: Callable[[World], None] | None = None


ROWS: dict[str, Row] = {
    "provision": Row(Kind.PROVISION, provision),
    "provision over what is left": Row(Kind.PROVISION, provision_over_what_is_left),
    "failing provision": Row(Kind.PROVISION, failing_provision, State.FAILED),
    "bind": Row(Kind.BIND, bind),
    "bind, unbound meanwhile": Row(Kind.BIND, bind, stopped_by=World.unbind),
    "failing bind": Row(Kind.BIND, failing_bind, State.FAILED, World.unbind),
    "unbind": Row(Kind.UNBIND, unbind),
    "bind, credentials shared": Row(Kind.BIND, bind_sharing, stopped_by=World.unbind),
    "unbind, credentials shared": Row(Kind.UNBIND, unbind_sharing),
    "deprovision, credentials shared": Row(Kind.DEPROVISION, deprovision_sharing, stopped_by=None),
    "revoke expired": Row(Kind.UNBIND, revoke_expired),
    "update": Row(Kind.UPDATE, update),
    "upgrade": Row(Kind.UPDATE, upgrade),
    "upgrade, tried": Row(Kind.UPDATE, upgrade_tried),
    "failing update": Row(Kind.UPDATE, failing_update, State.FAILED),
    "refused update": Row(Kind.UPDATE, refused_update, State.FAILED),
    "repair": Row(Kind.REPAIR, repair),
    "purge": Row(Kind.PURGE, purge, stopped_by=None, before_delete=purge_again),
    "deprovision": Row(Kind.DEPROVISION, deprovision, stopped_by=None),
    "deprovision, data kept": Row(Kind.DEPROVISION, deprovision_keeping_data, stopped_by=None),
    "deprovision after failure": Row(Kind.DEPROVISION, deprovision_after_failure, stopped_by=None),
}


# kinds that are proved elsewhere: where, and why not here
ELSEWHERE: dict[str, str] = {}


class BrokerTrial(Trial):
    """One row in one world."""

    def __init__(self, world: World, row: Row) -> None:
        self.world, self.hand, self.course = world, world.hand, Course()
        self.operation_id = row.begin(world)
        assert self.hand.operation(self.operation_id).kind == row.kind
        self.can_be_cancelled, self._stop = row.stopped_by is not None, row.stopped_by
        self._before_delete = row.before_delete
        self.hand.claims = Context
        watched = replace(
            world.tools,
            helm=cast("HelmReleases", Watched(world.helm, "helm", self.course)),
            cluster=cast("Cluster", Watched(world.cluster, "cluster", self.course)),
        )
        self.hand.worker.handlers = handlers(world.store, watched)
        self._rows = Rows(world.store.engine)
        self._memory = Memory(world.cluster, world.helm, keep=frozenset({"cluster"}))

    def put_back(self) -> None:
        self._rows.put_back()
        self._memory.put_back()
        self.world.tools.patience.renew(self.operation_id)

    def observe(self) -> object:
        """The numbers of revisions and Jobs that failed differ with the attempts; nothing else may."""
        releases, things, *rest = cast("tuple[object, ...]", self.world.observe())
        things = [thing for thing in cast("list[tuple[str, str]]", things) if thing[0] != "Job"]
        return releases, things, rest, self._in_force()

    def _in_force(self) -> object:
        release, record = self.world.cluster.releases.get(RELEASE), self.world.instance()
        texts = sorted(
            (t.kind, t.name, sorted(t.texts)) for t in self.world.cluster.all() if t.kind not in {"Job", "Secret"}
        )
        status = None if release is None else (release.status, dict(release.values))
        return status, texts, record.wanted, record.return_to

    def cancel(self) -> str | None:
        record = self.world.binding() if self._stop is World.unbind else self.world.instance()
        if self._stop is None or record is None or record.phase is Phase.GONE:
            return None
        return self._stop(self.world)

    def remove(self) -> object:
        if self._before_delete is not None:
            self._before_delete(self.world)
        if self.world.instance().phase is not Phase.GONE:
            self.world.succeed(self.world.deprovision())
        binding = self.world.binding()
        kept = self.world.instance().instance.plan_id.endswith("3")
        left = [t for t in self.world.cluster.all() if not (kept and t.kind == CLAIM)]
        phases = [each.phase for each in (self.world.instance(), binding) if each and each.phase is not Phase.GONE]
        return [*self.world.cluster.releases.values(), *left, *phases]

    def only_removable(self, place: Place, how: How) -> bool:
        """A record that was frozen on its way to the cluster and arrives late: the drift check finds it."""
        return (place.what, place.moment, how) == ("cluster.keep", Moment.BEFORE, How.TAKEN_OVER)

    def away(self, port: str) -> Exception | None:
        return HelmError(HelmFault.UNREACHABLE, "lost") if port == "helm" else ClusterUnavailable("lost")

    def refuses(self, port: str) -> Exception | None:
        return HelmError(HelmFault.FORBIDDEN, "no") if port == "helm" else ClusterRefused("no")

    def tear(self, place: Place) -> Exception:
        verb, given = place.what.partition(".")[2], place.arguments[0]
        call = Call(verb, given.ref, labels=given.labels) if verb == "deploy" else Call(verb, given)
        self.world.helm.leave_half_way(call)
        return HelmError(HelmFault.STOPPED, "it was ended by SIGKILL")
