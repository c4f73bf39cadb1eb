"""An app on a FakeKube whose controllers are played, and the adapter that may die at any request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from helmbroker.controller_bridge.apps.kubernetes import KubernetesAppReleases
from helmbroker.controller_bridge.apps.port import (
    ConfigChange,
    Healthy,
    Rolling,
    Rollout,
)
from helmbroker.kubeapi.port import Obj
from tests.cluster.shop import process
from tests.fakes.kube import FakeKube
from tests.fakes.kube_controllers import PlayController

APP = "shop"
DATABASE = {"DATABASE_URL": "postgres://shop:canary-pw@db/shop"}
CACHE = {"CACHE_URL": "redis://canary-cache"}


class Crashed(Exception):
    """The process died here."""


class Shop:
    """An app on a FakeKube, its controllers, and the adapter."""

    def __init__(self, kube: FakeKube) -> None:
        self.kube = kube
        self.play = PlayController(kube)
        self.apps = KubernetesAppReleases(kube, now=lambda: self.play.now)

    @classmethod
    def running(cls) -> Shop:
        """With process types web and worker, two pods each, that the bridge knows nothing about."""
        shop = cls(FakeKube(APP))
        for kind in ("web", "worker"):
            shop.kube.create(process(APP, kind, replicas=2))
        shop.pass_time()
        return shop

    def fork(self) -> Shop:
        """The same shop, to try from here what may happen."""
        return Shop(self.kube.fork())

    def pass_time(self, steps: int = 12) -> None:
        for _ in range(steps):
            self.play.step(APP)

    def change(self, key: str, **groups: dict[str, str] | None) -> int | None:
        return self.apps.change_config(APP, ConfigChange(groups), author="ann", summary="why", key=key)

    def verdict(self, version: int) -> Rollout:
        for _ in range(60):
            seen = self.apps.rollout(APP, version)
            if not isinstance(seen, Rolling):
                return seen
            self.play.step(APP)
        raise AssertionError(seen)

    def out(self, key: str, **groups: dict[str, str] | None) -> int:
        number = self.change(key, **groups)
        assert number is not None
        assert self.verdict(number) == Healthy()
        self.apps.settle(APP, number)
        return number

    def secrets(self, prefix: str) -> list[str]:
        names = [str(secret["metadata"]["name"]) for secret in self.kube.list("Secret", APP)]
        return sorted(name for name in names if name.startswith(prefix))

    def web(self) -> Obj:
        found = self.kube.get("Deployment", APP, "shop-web")
        assert found is not None
        return found

    def replica_sets(self) -> int:
        return len(self.kube.list("ReplicaSet", APP))

    @contextmanager
    def dying_at(self, call: int, *, after: bool) -> Iterator[None]:
        """The process dies at its n-th request; `after` it took effect, or before."""
        count = 0

        def die(*_: object) -> None:
            nonlocal count
            count += 1
            if count == call:
                raise Crashed

        self.kube.after, self.kube.before = (die, None) if after else (None, die)
        try:
            yield
        finally:
            self.kube.after = self.kube.before = None


def interrupted(prepared: Shop, act: Callable[[Shop], object]) -> Iterator[Shop]:
    """For every request of `act`, a shop where the process died right before it, or right after."""
    for after in (False, True):
        for call in range(1, 200):
            shop = prepared.fork()
            try:
                with shop.dying_at(call, after=after):
                    act(shop)
            except Crashed:
                yield shop
            else:
                assert call > 5
                break
