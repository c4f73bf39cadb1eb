"""Several instances of one addon, a newer version of which is offered: what runs over the fleet are tried on."""

from __future__ import annotations

from collections.abc import Sequence

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.fleet import Asked, Run, word
from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.requests import DeprovisionRequest, ProvisionRequest
from helmbroker.broker.service import Accepted, Service
from helmbroker.broker.service.fleet import Fleet
from helmbroker.broker.store.schema import operations
from helmbroker.broker.worker import handlers, upgraded
from helmbroker.catalog.model import Addon, Catalog
from tests.fakes.helm import Call
from tests.fakes.waiting_room import FakeWaitingRoom
from tests.operations.broker.world import ADDON, BROKER, NAMESPACE, World
from tests.operations.harness import Hand


def release(instance_id: str) -> ReleaseRef:
    return naming.instance_release(NAMESPACE, BROKER, instance_id)


def client(instance_id: str) -> ReleaseRef:
    """Where a client of ours tries the instance."""
    return naming.client_release(naming.binding_release(release(instance_id), instance_id, naming.CONTRACT))


class FairHand(Hand):
    """Pauses are over, but who has waited longer goes first: else a run that looks again would always do so."""

    def pass_time(self) -> None:
        with self.engine.begin() as conn:
            run_at = 1.0 + self.table.c.run_at * 1e-12
            conn.execute(self.table.update().values(run_at=run_at, lease_until=0.0))


class Harbour:
    """A world with instances, and operators who have them upgraded."""

    def __init__(self, world: World, instances: Sequence[str], newer: Addon) -> None:
        self.world, self.newer = world, newer
        for instance_id in instances:
            self.provision(instance_id)
        self.offer(newer)
        catalog = lambda: Catalog((self.offered,))  # noqa: E731
        world.service = Service(world.store, catalog, world.revisions, NAMESPACE, FakeWaitingRoom(world.store))
        self.fleet = Fleet(world.store, catalog, world.revisions)
        every = handlers(world.store, world.tools) | upgraded(world.store, lambda: None, world.service)
        world.hand = FairHand(world.store.engine, operations, every, on_finish=world.store.ended)

    def offer(self, addon: Addon) -> None:
        """From now on this is in the catalog."""
        self.world.offer(addon)
        self.offered = addon

    def provision(self, instance_id: str, **parameters: str) -> None:
        chosen = next(each for each in ADDON.plans if each.name == "small")
        request = ProvisionRequest(
            instance_id, ADDON.id, chosen.id, "org", "space", Parameters(parameters), {}, None, True
        )
        answer = self.world.service.provision(request)
        assert isinstance(answer, Accepted)
        self.world.succeed(answer.operation_id)

    def deprovision(self, instance_id: str) -> str:
        answer = self.world.service.deprovision(DeprovisionRequest(instance_id, accepts_incomplete=True))
        return answer.operation_id

    def clear(self) -> None:
        """All are deleted, and the addon of before is offered."""
        with self.world.store.read() as records:
            left = [each.instance_id for each in records.running(ADDON.id)]
        for each in left:
            self.world.succeed(self.deprovision(each))
        self.offer(ADDON)

    def begin(self, canary: str = "1", wave: str = "50%", *, stop: bool = False, tried: bool = True) -> str:
        asked = Asked("ledger", None, canary, wave, stop, tried)
        return self.fleet.begin(asked).operation.id

    def turn(self) -> bool:
        """Whatever is due, and one thing alone."""
        self.world.hand.pass_time()
        return self.world.hand.turn()

    def run(self, run_id: str) -> Run:
        """Until it has ended."""
        self.world.run(run_id)
        return self.fleet.run(run_id)

    def outcomes(self, run_id: str | None = None) -> dict[str, str]:
        return {each.instance_id: word(each) for each in self.fleet.run(run_id).members}

    def versions(self, *instance_ids: str) -> list[str]:
        with self.world.store.read() as records:
            found = [records.instance(each) for each in instance_ids]
        return [self.world.revisions.addon(each.instance.addon_digest).version for each in found if each]

    def refuse(self, *instance_ids: str, newer_alone: bool = False) -> None:
        """Clients cannot use these instances; or not with the newer revision of the addon."""
        owners = {client(each): release(each) for each in instance_ids}
        cluster = self.world.cluster

        def fail(call: Call) -> None:
            if call.verb != "deploy" or call.ref not in owners:
                return
            if not newer_alone or cluster.releases[owners[call.ref]].values["text"] == "of the new plan":
                cluster.failed_jobs[call.ref] = "psql: no such host"
                raise HelmError(HelmFault.HOOK, "failed post-install")

        self.world.helm.before = fail

    def left(self) -> list[str]:
        """Of clients, and of what they have logged in with."""
        tails = {f"{release(i).name}-" for i in self.outcomes()}
        things = {thing.name for thing in self.world.cluster.all() if thing.kind != "PersistentVolumeClaim"}
        names = things | {ref.name for ref in self.world.cluster.releases}
        return sorted(name for name in names if any(name.startswith(tail) and name[-2:] != "-0" for tail in tails))
