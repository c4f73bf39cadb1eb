"""The story, stage by stage. Each prints what it does and records what was promised about it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from bench import bare, figures, limits, measures
from bench.figures import Figure
from demo import manifests
from demo.cluster import Cluster
from demo.images import Addon
from demo.logins import Login, Logins
from demo.places import APP, BARE, INSTANCES
from demo.product import Plugin, Product, Ran
from demo.traffic import Traffic
from demo.transcript import Transcript
from demo.waiting import FirstSeen, happens

LEFT_S = 60.0
NEWS_S = 10.0  # that a pod ends: until then who has not heard of it may still ask it
RELEASE = "helmbroker.io/app-release"
RESOURCES = {"database": "postgresql", "cache": "redis"}


@dataclass
class Story:
    """What the stages share."""

    out: Transcript
    cluster: Cluster
    addons: dict[str, Addon]
    app_image: str
    by_hand: bare.Rollout = field(default_factory=lambda: bare.Rollout(0, 0))

    def cli(self, plugin: Plugin, *arguments: str) -> Ran:
        """Run drycc-resources and show it."""
        self.out.command(f"drycc-resources {' '.join(arguments)}")
        return plugin.run(*arguments, each_line=self.out.output)


def deploy(story: Story, traffic: Traffic) -> None:
    """The app as its developer has it, under load; and what a bare rollout of it takes."""
    story.cluster.make_namespace(APP)
    story.cluster.create(manifests.web(story.app_image), manifests.service())
    story.cluster.await_deployment(APP, "web")
    story.out.say(f"Deployment web, {manifests.REPLICAS} replicas of {story.app_image}, without any store")
    traffic.start()
    story.out.say(f"{manifests.PER_SECOND} requests a second, each on a new connection, from now to the end")
    story.by_hand = bare.rollout("web", APP, manifests.selector("web"))
    times = f"{story.by_hand.done_s:.1f} s, {story.by_hand.gone_s:.1f} s until its old pods are gone"
    story.out.say(f"kubectl rollout restart and status of the same Deployment: {times}")


def look_around(story: Story, plugin: Plugin) -> None:
    """Which services there are."""
    story.cli(plugin, "services")
    for service in RESOURCES.values():
        story.cli(plugin, "plans", service)


def provision(story: Story, plugin: Plugin) -> None:
    """Create both resources, and install the same charts and values by bare helm, before and after."""
    story.cluster.make_namespace(BARE)
    for name, service in RESOURCES.items():
        addon = story.addons[service]
        before_s = _by_hand(story, addon)
        ran = story.cli(plugin, "create", name, service, addon.plan)
        story.out.figure(measures.provision_figure(service, ran.took_s, [before_s, _by_hand(story, addon)]))
    story.cli(plugin, "list")


def _by_hand(story: Story, addon: Addon) -> float:
    took_s = measures.by_hand(addon.name, BARE, addon.folder / "chart", addon.values)
    story.out.say(f"by hand: helm upgrade --install --wait of the same chart and values: {took_s:.1f} s")
    return took_s


def bind(story: Story, plugin: Plugin, traffic: Traffic) -> None:
    """Bind both; each makes one app release, which the app runs when the command ends."""
    for version, name in enumerate(RESOURCES, start=2):
        with FirstSeen(lambda v=version: _has_release(story.cluster, v)) as injected:  # type: ignore[misc]
            ran = story.cli(plugin, "bind", name)
        bind_s = injected.after_s if injected.after_s is not None else ran.took_s
        story.out.figure(
            Figure(f"bind {name}", bind_s, "s", limits.BIND_LIMIT_S, "until its credentials are in a release")
        )
        by_hand_s = story.by_hand.gone_s
        limit = bind_s + by_hand_s + limits.ROLLOUT_MARGIN_S
        note = f"bind {figures.number(bind_s)} s, bare rollout {figures.number(by_hand_s)} s"
        story.out.figure(Figure(f"bind {name}, app on v{version}", ran.took_s, "s", limit, note))
        stores = sorted(list(RESOURCES.values())[: version - 1])
        _answers(story, traffic, version, stores)
    story.cli(plugin, "releases")
    versions = [one["version"] for one in plugin.json("releases")]
    story.out.promise("app releases are numbered v1, v2, v3", versions == [3, 2, 1], f"{versions}, newest first")


def go_back_and_forth(story: Story, plugin: Plugin, traffic: Traffic) -> None:
    """An older release's config comes back, as a new release; and the newer one again."""
    story.cli(plugin, "rollback", "v2")
    _answers(story, traffic, 4, ["postgresql"], "rollback to v2: no Redis in the config")
    story.cli(plugin, "rollback", "v3")
    _answers(story, traffic, 5, ["postgresql", "redis"], "forward to v3: both stores again")
    story.cli(plugin, "releases")


def unbind(story: Story, plugin: Plugin, traffic: Traffic) -> None:
    """Unbind both, and try the old credentials before and after."""
    addons = [story.addons[service] for service in RESOURCES.values()]
    logins = Logins(story.cluster, addons)
    logins.keep_credentials()
    before = _attempts(logins, addons)
    for addon in addons:
        story.out.say(f"before: {addon.name} says: {before[addon.name].said}")
    for name in reversed(RESOURCES):
        story.cli(plugin, "unbind", name)
    _answers(story, traffic, 7, [], "after unbind: no store in the config")
    for name, after in _attempts(logins, addons).items():
        kept = before[name].accepted and after.refused
        story.out.promise(f"{name} refuses the old credentials", kept, f"it says: {after.said}")


def destroy(story: Story, plugin: Plugin) -> None:
    """Destroy both; nothing may be left."""
    for name in RESOURCES:
        story.cli(plugin, "destroy", name, f"--confirm={name}")
    story.cli(plugin, "list")
    nothing_left(story)


def nothing_left(story: Story) -> None:
    """Compare the instances' namespace with an empty one."""
    # Volumes go a moment after what owned them.
    happens(lambda: not story.cluster.objects(INSTANCES), within_s=LEFT_S)
    left = sorted(story.cluster.objects(INSTANCES))
    story.out.promise("nothing is left of the instances", not left, ", ".join(left) or "no object, no volume")


def measure(story: Story, product: Product) -> None:
    """How fast the broker accepts work; memory after all that work, and CPU when there is none."""
    story.out.figure(measures.accept(product.broker, "redis", "small"))
    for figure in measures.memory({"broker": product.roots[0], "bridge": product.roots[1]}):
        story.out.figure(figure)
    story.out.figure(measures.idle(product.roots))


def end_load(story: Story, traffic: Traffic) -> None:
    """What all the requests came to."""
    totals = traffic.finish()
    seen = ", ".join(f"{f'v{release}' if release else 'before'}: {n}" for release, n in totals.by_release.items())
    story.out.say(f"good answers by app release: {seen}")
    errors = f"; the last errors: {' | '.join(totals.errors)}" if totals.errors else ""
    evidence = f"{totals.failed} of {totals.ok + totals.failed}{errors}"
    story.out.promise("no request failed", totals.failed == 0 and totals.ok > 0, evidence)


def look_at_load(story: Story, traffic: Traffic) -> None:
    """What the requests came to so far."""
    _, totals = traffic.two_moments()
    evidence = f"{totals.failed} of {totals.ok + totals.failed} so far"
    story.out.promise("no request failed", totals.failed == 0 and totals.ok > 0, evidence)


def _has_release(cluster: Cluster, version: int) -> bool:
    return cluster.kube.get("Secret", APP, f"app-release-v{version}") is not None


def _attempts(logins: Logins, addons: list[Addon]) -> dict[str, Login]:
    return {addon.name: logins.attempt(addon) for addon in addons}


def _answers(story: Story, traffic: Traffic, version: int, stores: list[str], what: str = "") -> None:
    """After a command has ended, the app runs that release: soon only its pods answer, and with these stores.

    The pods of a release that goes back to an older one are that one's again, and carry its number.
    """
    deployment = story.cluster.kube.get("Deployment", APP, "web") or {}
    template = deployment["spec"]["template"]
    runs, pods = (of["metadata"]["annotations"].get(RELEASE) for of in (deployment, template))
    end = time.monotonic() + NEWS_S
    while True:
        earlier, later = traffic.two_moments()
        answering = [release for release, n in later.by_release.items() if n > earlier.by_release.get(release, 0)]
        if answering == [pods] or time.monotonic() > end:
            break
    kept = runs == str(version) and answering == [pods] and later.last.get("stores") == stores
    who = ", ".join(f"v{release or 1}" for release in answering) or "nobody"
    used = " and ".join(later.last.get("stores", ())) or "no store"
    name = what or f"the app on v{version} uses {' and '.join(stores)}"
    also = f", with the pods of {who}" if who != f"v{version}" else ""
    story.out.promise(name, kept, f"v{runs} answers{also}, with {used}: {later.last.get('visits')}")
