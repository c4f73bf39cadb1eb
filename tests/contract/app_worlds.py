"""Where apps can run in the contract of AppReleases: in memory, on a played cluster, on a real one."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, cast

import pytest

from helmbroker.controller_bridge.apps.drycc.budget import Turns
from helmbroker.controller_bridge.apps.drycc.calls import Calls
from helmbroker.controller_bridge.apps.drycc.client import ControllerClient
from helmbroker.controller_bridge.apps.drycc.releases import DryccAppReleases
from helmbroker.controller_bridge.apps.kubernetes import KubernetesAppReleases
from helmbroker.controller_bridge.apps.manager import ReleaseManager
from helmbroker.controller_bridge.apps.port import (
    AppRelease,
    AppReleases,
    AppsUnavailable,
    ConfigChange,
    Healthy,
    ReleaseState,
    Rolling,
    Rollout,
)
from helmbroker.controller_bridge.drycc_store import SqlBudget, SqlNotes
from helmbroker.controller_bridge.store import Store
from helmbroker.database import connect as connect_database
from helmbroker.kubeapi.port import Kube, Obj
from helmbroker.sealing import KeyRing, Keys
from tests.cluster.reach import connect, eventually, pause, throw_away_namespace
from tests.cluster.shop import IMAGE, environments, process, serving
from tests.fakes.app_releases import FakeAppReleases
from tests.fakes.drycc_controller import DryccController
from tests.fakes.kube import FakeKube
from tests.fakes.kube_controllers import PlayController

DATABASE = {"DATABASE_URL": "postgres://shop:s3cr3t-pw@db/shop"}
CACHE = {"CACHE_HOST": "cache.shop", "CACHE_PASSWORD": "canary-cache"}
LOOKS = 1200  # at a rollout, with a breath between two


class World(Protocol):
    """Apps that run somewhere, seen from outside the port."""

    @property
    def apps(self) -> ReleaseManager:
        """The ports under test."""
        ...

    def new_app(self) -> str:
        """An app with process types web and worker, which runs and got nothing of the bridge yet."""
        ...

    def breathe(self, app: str) -> None:
        """Let the app go on for a moment."""
        ...

    def environments(self, app: str) -> list[dict[str, str]]:
        """What each pod that serves was given."""
        ...

    def environments_of(self, app: str, process_type: str) -> list[dict[str, str]]:
        """What each pod of a process type that serves was given: two of web, one of worker."""
        ...

    def offered(self, app: str) -> dict[str, dict[str, str]]:
        """The Secrets for others, by name."""
        ...

    def add_secret(self, app: str, name: str) -> None:
        """One that somebody else has made."""
        ...

    def images(self, app: str) -> set[str]:
        """The images of web's pods that serve, or are to."""
        ...

    def deploy(self, app: str, image: str) -> None:
        """Deploy another build of web, not through the bridge, and wait until it serves."""
        ...

    def told(self, image: str) -> str:
        """How releases tell of this image."""
        ...


class FakeWorld:
    def told(self, image: str) -> str:
        return image

    def __init__(self) -> None:
        self.apps = FakeAppReleases()

    def new_app(self) -> str:
        app = f"shop-{len(self.apps.apps) + 1}"
        self.apps.add_app(app, {"web": IMAGE, "worker": IMAGE})
        return app

    def breathe(self, app: str) -> None:
        """Rollouts go on by being looked at."""

    def environments(self, app: str) -> list[dict[str, str]]:
        return [self.apps.apps[app].running] * 3

    def environments_of(self, app: str, process_type: str) -> list[dict[str, str]]:
        return [self.apps.apps[app].by_type[process_type]] * (2 if process_type == "web" else 1)

    def offered(self, app: str) -> dict[str, dict[str, str]]:
        return self.apps.apps[app].offered

    def add_secret(self, app: str, name: str) -> None:
        self.apps.apps[app].foreign.add(name)

    def images(self, app: str) -> set[str]:
        return {self.apps.apps[app].images["web"]}

    def deploy(self, app: str, image: str) -> None:
        self.apps.deploy_by_hand(app, "web", image)


class ClusterWorld:
    """The adapter; on a FakeKube time passes by the play's steps, on a real cluster by itself."""

    def __init__(self, kube: Kube, play: PlayController | None, stack: ExitStack) -> None:
        self._kube, self._play, self._stack = kube, play, stack
        self.apps = (
            KubernetesAppReleases(kube) if play is None else KubernetesAppReleases(kube, now=lambda: play.now)
        )

    def told(self, image: str) -> str:
        return image

    def new_app(self) -> str:
        app = self._stack.enter_context(throw_away_namespace(self._kube))
        for kind, replicas in (("web", 2), ("worker", 1)):
            self._kube.create(process(app, kind, replicas=replicas))
        self._until_serving(app, {IMAGE})
        return app

    def breathe(self, app: str) -> None:
        if self._play is None:
            pause(0.25)
        else:
            self._play.step(app)

    def environments(self, app: str) -> list[dict[str, str]]:
        return environments(self._kube, app)

    def environments_of(self, app: str, process_type: str) -> list[dict[str, str]]:
        return environments(self._kube, app, process_type)

    def offered(self, app: str) -> dict[str, dict[str, str]]:
        secrets = self._kube.list("Secret", app, labels="helmbroker.io/offered")
        assert all(each["type"] == f"servicebinding.io/{_decoded(each)['type']}" for each in secrets)
        return {each["metadata"]["name"]: _decoded(each) for each in secrets}

    def add_secret(self, app: str, name: str) -> None:
        metadata = {"name": name, "namespace": app}
        self._kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"})

    def images(self, app: str) -> set[str]:
        return {pod["spec"]["containers"][0]["image"] for pod in self._web(app)}

    def deploy(self, app: str, image: str) -> None:
        deployment = self._kube.get("Deployment", app, "shop-web")
        assert deployment is not None
        containers = deployment["spec"]["template"]["spec"]["containers"]
        containers[0]["image"] = image
        change = {"spec": {"template": {"spec": {"containers": containers}}}}
        self._kube.patch("Deployment", app, "shop-web", change)
        self._until_serving(app, {IMAGE, image})

    def _web(self, app: str) -> list[Obj]:
        return [pod for pod in serving(self._kube, app) if pod["metadata"]["labels"]["process"] == "web"]

    def _until_serving(self, app: str, images: set[str]) -> None:
        def all_serve() -> bool | None:
            self.breathe(app)
            found = serving(self._kube, app)
            pods = self._kube.list("Pod", app)
            shown = {pod["spec"]["containers"][0]["image"] for pod in found}
            return True if len(found) == len(pods) == 3 and shown == images else None

        eventually(all_serve, within_s=120, every_s=0)


class DryccWorld:
    """The adapter on a controller over HTTP, whose pipelines end when the test breathes."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._controller = DryccController()
        stack.callback(self._controller.close)
        self._rules = self._controller.rules
        store = Store(connect_database(f"sqlite:///{folder / 'bridge.db'}"))
        stack.callback(store.engine.dispose)
        store.prepare(Keys(KeyRing({"k1": bytes(32)}, "k1")))
        client = ControllerClient(self._controller.url)
        calls = Calls(client, lambda: self._controller.staff, Turns(SqlBudget(store, 10**6)))
        self.apps = cast("ReleaseManager", Patient(DryccAppReleases(calls, SqlNotes(store)), self.breathe))
        self._builds: dict[str, str] = {}

    def new_app(self) -> str:
        app = f"shop-{len(self._rules.apps) + 1}"
        self._rules.create_app(app)
        self._push(app, {"web": IMAGE, "worker": IMAGE})
        return app

    def breathe(self, app: str) -> None:
        if app in self._rules.apps:
            self._rules.work(app)

    def environments(self, app: str) -> list[dict[str, str]]:
        self.breathe(app)
        return [self._rules.apps[app].environment(ptype) for ptype in ("web", "web", "worker")]

    def environments_of(self, app: str, process_type: str) -> list[dict[str, str]]:
        self.breathe(app)
        return [self._rules.apps[app].environment(process_type)] * (2 if process_type == "web" else 1)

    def offered(self, app: str) -> dict[str, dict[str, str]]:
        raise AssertionError("a Drycc app is offered nothing")

    def add_secret(self, app: str, name: str) -> None:
        raise AssertionError("a Drycc app is offered nothing")

    def images(self, app: str) -> set[str]:
        self.breathe(app)
        return {self._rules.apps[app].pods["web"][0]}

    def deploy(self, app: str, image: str) -> None:
        self.breathe(app)
        self._push(app, {"web": image, "worker": image})

    def told(self, image: str) -> str:
        return self._builds[image]

    def _push(self, app: str, images: dict[str, str]) -> None:
        build = self._rules.push(app, images).build
        assert build is not None
        self._builds[images["web"]] = build.uuid
        self.breathe(app)


class Patient:
    """The port, asked again while it is too busy, as operations do."""

    def __init__(self, apps: AppReleases, breathe: Callable[[str], None]) -> None:
        self._apps, self._breathe = apps, breathe

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._apps, name)

        def patient(app: str, *args: object, **kwargs: object) -> object:
            for _ in range(LOOKS):
                with suppress(AppsUnavailable):
                    return method(app, *args, **kwargs)
                self._breathe(app)
            raise AssertionError(f"{name} was never possible")

        return patient


def _decoded(secret: Obj) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


@contextmanager
def world_named(name: str) -> Iterator[World]:
    """The fake; an adapter on a played cluster or controller; or ("cluster") on the cluster of KUBECONFIG."""
    with ExitStack() as stack:
        if name == "fake":
            yield FakeWorld()
        elif name == "drycc":
            yield DryccWorld(Path(stack.enter_context(TemporaryDirectory())), stack)
        elif name == "adapter":
            kube = FakeKube()
            yield ClusterWorld(kube, PlayController(kube), stack)
        else:
            client = connect()
            stack.callback(client.close)
            yield ClusterWorld(client, None, stack)


def change(world: World, app: str, key: str, **groups: dict[str, str] | None) -> int | None:
    return world.apps.change_config(app, ConfigChange(groups), author="ann", summary=f"summary of {key}", key=key)


def changed(world: World, app: str, key: str, **groups: dict[str, str] | None) -> int:
    number = change(world, app, key, **groups)
    assert number is not None
    return number


def verdict(world: World, app: str, version: int) -> Rollout:
    """How the rollout ends."""
    for _ in range(LOOKS):
        seen = world.apps.rollout(app, version)
        if not isinstance(seen, Rolling):
            return seen
        assert seen.reason
        world.breathe(app)
    pytest.fail(f"the rollout of v{version} did not end: {seen}")


def out(world: World, app: str, key: str, **groups: dict[str, str] | None) -> int:
    """A change that rolls out and is settled."""
    number = changed(world, app, key, **groups)
    assert verdict(world, app, number) == Healthy()
    world.apps.settle(app, number)
    return number


def newest(world: World, app: str) -> AppRelease:
    return world.apps.releases(app)[0]


def states(world: World, app: str) -> dict[int, ReleaseState]:
    return {release.version: release.state for release in world.apps.releases(app)}
