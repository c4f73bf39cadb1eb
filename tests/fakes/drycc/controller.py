"""The rules of the controller: which release a request makes, and what becomes of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.fakes.drycc import config as configs
from tests.fakes.drycc.config import Config, detail
from tests.fakes.drycc.state import CREATED, App, Build, People, Release


def breaks_on_demand(ptype: str, environment: Mapping[str, str]) -> str | None:
    """Why a process type does not run with this environment; None when it does: the variable BREAK says so."""
    broken = environment.get("BREAK")
    return broken and f"process type {ptype}: the pod ended after it had read BREAK={broken}"


class Controller:
    """Apps in memory. A release is deployed when `work` says so: until then its pipeline executes.

    on_release: called inside the request that makes a release, before anything is deployed.
    """

    def __init__(self, *, breaks: Callable[[str, Mapping[str, str]], str | None] = breaks_on_demand) -> None:
        self.people, self.apps = People(), dict[str, App]()
        self.wipes_refs = False  # as v1.13.1
        self.on_release: Callable[[App, Release, str], None] = lambda _app, _release, _user: None
        self.now: Callable[[], str] = lambda: CREATED
        self._breaks = breaks

    def create_app(self, name: str, workspace: str = "myteam") -> App:
        """An app as it begins: v1, without a build."""
        app = self.apps[name] = App(name, workspace)
        first = self._config([], {})
        app.configs.append(first)
        app.releases.append(Release(1, first, None, f"{workspace} created initial release"))
        return app

    def push(self, name: str, images: Mapping[str, str], *, dryccfile: Mapping[str, Any] | None = None) -> Release:
        """A new build. With a dryccfile its config is that of the repository alone, whatever was set before."""
        app = self.apps[name]
        config = app.good.config
        if dryccfile is not None:
            values, refs = configs.merged(self._config([], {}), dryccfile)
            config = self._config(values, refs)
        build = Build(str(uuid.uuid4()), dict(images), dryccfile)
        return self._release(app, config, build, f"{app.workspace} deployed {next(iter(images.values()))}", "git")

    def change_config(self, name: str, body: Any, user: str, *, merge: bool = True) -> Config:
        """POST of config: the new row. Raises Refusal."""
        app = self.apps[name]
        values, refs = configs.merged(app.good.config, body) if merge else configs.replaced(app.configs[-1], body)
        return self._changed(app, self._config(values, refs), user)

    def detach(self, name: str, body: Any, user: str) -> Config:
        """DELETE of config: refs go, values stay."""
        app = self.apps[name]
        refs = configs.detached(app.good.config, body, wipes=self.wipes_refs)
        return self._changed(app, self._config(list(app.good.config.values), refs), user)

    def roll_back(self, name: str, version: int, user: str) -> Release:
        """A new release with config and build of an older one. Raises Refusal.

        It is deployed by force (models/release.py): neither autodeploy is asked nor a pipeline that executes.
        """
        app = self.apps[name]
        target = self.release(name, version)
        if target.failed:
            raise detail(400, "Cannot roll back to failed release.")
        if target.build is None:
            raise detail(400, "Cannot roll back to initial release.")
        summary = f"{app.workspace} rolled back to v{version}"
        return self._release(app, target.config, target.build, summary, user, force=True)

    def deploy(self, name: str, *, force: bool = False) -> None:
        """Deploy the newest release. Raises Refusal while a pipeline executes."""
        app = self.apps[name]
        self._lock(app, app.releases[-1], force=force)

    def release(self, name: str, version: int) -> Release:
        """That one. Raises Refusal."""
        found = next((each for each in self.apps[name].releases if each.version == version), None)
        if found is None:
            raise configs.Refusal(404, "No Release matches the given query.")
        return found

    def work(self, name: str) -> None:
        """The pipeline ends: its release has succeeded, or crashed and the pods are those of before."""
        app = self.apps[name]
        for release in (each for each in app.releases if each.state == "created"):
            if release.pipeline is not None:
                self._run(app, release, release.pipeline)
        app.locked.clear()

    def _run(self, app: App, release: Release, ptypes: Sequence[str]) -> None:
        wanted = self._wanted(release)
        whys = {ptype: self._breaks(ptype, wanted[ptype][1]) for ptype in ptypes}
        broken = next((why for why in whys.values() if why), None)
        release.state, release.exception = ("crashed", broken) if broken else ("succeed", "")
        if broken is None:
            app.pods = wanted
        elif not app.autorollback:
            app.pods |= {ptype: wanted[ptype] for ptype, why in whys.items() if not why}

    def _changed(self, app: App, config: Config, user: str) -> Config:
        succeeded = next((each for each in reversed(app.releases) if each.state == "succeed"), None)
        build = app.good.build
        if succeeded and (succeeded.build, succeeded.config.content()) == (build, config.content()):
            raise detail(409, f"{app.workspace} changed nothing - release stopped")
        self._release(app, config, build, f"{app.workspace} changed the config", user)
        return config

    def _release(
        self, app: App, config: Config, build: Build | None, summary: str, user: str, *, force: bool = False
    ) -> Release:
        version = app.releases[-1].version + 1
        release = Release(version, config, build, summary, created=self.now())
        if build is not None and (force or app.autodeploy):
            self._lock(app, release, force=force)
        if config not in app.configs:
            app.configs.append(config)
        app.releases.append(release)
        self.on_release(app, release, user)
        return release

    def _lock(self, app: App, release: Release, *, force: bool = False) -> None:
        """Wait for whoever is about to deploy the app; then no pipeline may execute, unless it is forced.

        All process types are written down first, whatever of them changes, and also when it is refused then.
        """
        if not app.lock.acquire() and not force:
            raise detail(400, "there is an executing pipeline, please wait or force deploy")
        app.lock.release()
        ptypes = release.deployed_ptypes = list(self._wanted(release))
        if app.autodeploy and not force:
            ptypes = self._changed_ptypes(app, release)
        if (busy := sorted(app.locked.intersection(ptypes))) and not force:
            raise detail(400, f"there is an executing pipeline, please wait or force deploy: {busy}")
        app.locked |= set(ptypes)
        release.pipeline = ptypes

    def _changed_ptypes(self, app: App, release: Release) -> list[str]:
        return [ptype for ptype, wanted in self._wanted(release).items() if app.pods.get(ptype) != wanted]

    def _wanted(self, release: Release) -> dict[str, tuple[str, dict[str, str]]]:
        images = {} if release.build is None else release.build.images
        return {ptype: (image, release.config.environment(ptype)) for ptype, image in images.items()}

    def _config(self, values: list[configs.Item], refs: Mapping[str, list[str]]) -> Config:
        return Config(str(uuid.uuid4()), self.now(), values, refs)
