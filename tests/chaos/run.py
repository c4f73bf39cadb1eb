"""One run: the product, its clients, the weather, and at the end the promises."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from helmbroker.kubeapi.port import Kube
from tests.chaos import checks, report
from tests.chaos.clients import Client
from tests.chaos.disturb import Disturber
from tests.chaos.fleet import LEASE_S, Fleet, fleet
from tests.chaos.helm_runs import HelmRuns
from tests.chaos.plan import Weather, disturbances
from tests.chaos.platform import Journal, Platform
from tests.chaos.report import Report, spread
from tests.chaos.watch import Watch
from tests.cluster.addons import copies, probe
from tests.cluster.broker import OVERRIDES
from tests.cluster.forward import door
from tests.cluster.inventory import await_nothing
from tests.cluster.reach import throw_away_namespace
from tests.postgresql import Server, server

_KILLS_PER_OPERATION, _CATCH_UP_S = 1.4, 20.0
QUIET_S = 600.0  # clients have come to their end by then
_LOG = logging.getLogger("chaos")


@dataclass(frozen=True)
class Length:
    """It goes on until there were as many kills and operations, and bindings to log in with; or for `most_s`."""

    kills: int
    operations: int
    most_s: float


@dataclass(frozen=True)
class Form:
    """What runs, and who uses it."""

    database: str  # postgresql or sqlite
    apis: int
    workers: int
    probes: int  # clients with small instances
    keepers: tuple[str, ...]  # services with a client that keeps its instance
    weather: Weather


def run(
    kube: Kube, folder: Path, form: Form, seed: int, length: Length, *, api_server: int | None = None
) -> Report:
    """Do all of it. api_server: the pid of the cluster's, where it may be stopped."""
    journal, began = Journal(), time.monotonic()
    with ExitStack() as stack:
        namespace, apps = (stack.enter_context(throw_away_namespace(kube)) for _ in range(2))
        database = stack.enter_context(server()) if form.database == "postgresql" else None
        to_cluster = stack.enter_context(door(Path(os.environ["KUBECONFIG"]), folder / "kubeconfig"))
        to_cluster.open()
        helm = HelmRuns(folder / "helm")
        settings = _settings(folder, namespace, database, helm)
        members, problems = stack.enter_context(
            fleet(folder, settings, apis=form.apis, workers=form.workers, shared=database is None)
        )
        disturber = Disturber(members, to_cluster, database, api_server)
        url = settings.get("HELMBROKER_DATABASE_URL") or f"sqlite:///{folder / 'data' / 'helmbroker.db'}"
        watch = stack.enter_context(Watch(url, LEASE_S, disturber.killed))
        quiet, stop = threading.Event(), threading.Event()
        platform = Platform(members.urls, (members.user, members.password), journal, quiet)
        clients = _clients(platform, form, seed, stop)
        with _threads("client", [client.run for client in clients], stop, journal):
            _disturb(disturber, journal, form.weather, seed, length, clients)
            stop.set()
        quiet.set()
        tried = _check(kube, members, watch, journal, clients, namespace, apps)
        with _threads("clean", [client.clean for client in clients], stop, journal):
            pass
        _nothing_left(members, namespace, journal)
        journal.violations += disturber.problems
    journal.violations += problems
    took_s = round(time.monotonic() - began, 1)
    return _report(Outcome(form, seed, took_s, journal, disturber, helm, watch, tried))


def _clients(platform: Platform, form: Form, seed: int, stop: threading.Event) -> list[Client]:
    services = ["probe"] * form.probes + list(form.keepers)
    return [
        Client(platform, service, seed * 1000 + number, stop, keeps=service != "probe")
        for number, service in enumerate(services)
    ]


@dataclass(frozen=True)
class Outcome:
    """What a run leaves to be told. `tried`: how many logins."""

    form: Form
    seed: int
    took_s: float
    journal: Journal
    disturber: Disturber
    helm: HelmRuns
    watch: Watch
    tried: int


def _report(run: Outcome) -> Report:
    form, journal, disturber, watch = run.form, run.journal, run.disturber, run.watch
    overlaps = run.helm.overlaps()
    journal.violations += [f"two helms on one Helm release: {each}" for each in overlaps if not each.frozen]
    return Report(
        database={"postgresql": "PostgreSQL", "sqlite": "SQLite"}[form.database],
        seed=run.seed,
        took_s=run.took_s,
        lease_s=LEASE_S,
        members=f"{form.apis} x `helmbroker api`, {form.workers} x `helmbroker worker`",
        machine=report.machine(),
        disturbances={kind.value: number for kind, number in sorted(disturber.done.items())},
        operations={
            kind: report.counted([each.state for each in journal.ended if each.kind == kind])
            for kind in sorted({each.kind for each in journal.ended})
        },
        failures=report.counted([_shape(each.description) for each in journal.ended if each.state != "succeeded"]),
        helm_runs=dict(run.helm.commands()),
        take_overs=report.counted([each.kind for each in watch.take_overs]),
        resume_after_lease_s=spread([each.after_lease_s for each in watch.take_overs]),
        resume_after_kill_s=spread(
            [each.after_kill_s for each in watch.take_overs if each.after_kill_s is not None]
        ),
        overtaken_frozen_helms=sum(each.frozen for each in overlaps),
        thawed_helms_lived_s=spread(disturber.thawed_s),
        logins=run.tried,
        answers=dict(sorted(journal.answers.items())),
        violations=journal.violations,
    )


def _settings(folder: Path, namespace: str, database: Server | None, helm: HelmRuns) -> dict[str, str]:
    copies(folder / "addons")
    probe(folder / "addons", "probe", {"image": "sandbox.local/redis:7"})
    plan = folder / "addons" / "probe" / "plans" / "small.yaml"
    plan.write_text(plan.read_text().replace("timeout_s: 120", "timeout_s: 300"))
    overrides = folder / "overrides.yaml"
    overrides.write_text(str(OVERRIDES).replace("'", '"'))
    made = {
        "HELMBROKER_ADDONS_DIR": str(folder / "addons"),
        "HELMBROKER_OVERRIDES_FILE": str(overrides),
        "HELMBROKER_INSTANCE_NAMESPACE": namespace,
        "HELMBROKER_KUBECONFIG": str(folder / "kubeconfig"),
        "HELMBROKER_HELM": str(helm.program),
        "HELMBROKER_STUCK_AFTER_S": "60",
    }
    if database is not None:
        made["HELMBROKER_DATABASE_URL"] = database.url.replace("postgresql+psycopg:", "postgresql:")
    return made


def _disturb(
    disturber: Disturber,
    journal: Journal,
    weather: Weather,
    seed: int,
    length: Length,
    clients: Sequence[Client],
) -> None:
    """Until there was enough of it; then everything is repaired."""
    end, told = time.monotonic() + length.most_s, 0
    for what in disturbances(seed, weather):
        kills = sum(number for kind, number in disturber.done.items() if kind.is_kill)
        enough = kills >= length.kills and len(journal.ended) >= length.operations
        if (enough and all(client.delivered for client in clients if client.keeps)) or time.monotonic() > end:
            break
        if kills >= told + 10:
            told = kills
            _LOG.warning("%d kills, %d operations ended, %s", kills, len(journal.ended), journal.violations[-1:])
        threading.Event().wait(what.after_s)
        behind_until = time.monotonic() + _CATCH_UP_S
        while (
            kills > _KILLS_PER_OPERATION * len(journal.ended) + length.kills / 10
            and time.monotonic() < behind_until
        ):
            threading.Event().wait(0.2)  # on a busy machine nothing would ever be at work when it is killed
        disturber.do(what)
    disturber.join()


def _check(
    kube: Kube,
    members: Fleet,
    watch: Watch,
    journal: Journal,
    clients: Sequence[Client],
    namespace: str,
    apps: str,
) -> int:
    """The promises, while what survived is still there; how many logins were tried."""
    journal.violations += checks.operations(journal, watch)
    journal.violations += checks.records(members, clients)
    journal.violations += checks.cluster(members, namespace)
    tried, wrong = checks.logins(kube, apps, clients)
    journal.violations += wrong
    journal.violations += checks.secrets(journal, watch, members.logs)
    return tried


def _nothing_left(members: Fleet, namespace: str, journal: Journal) -> None:
    try:
        await_nothing(namespace)
    except (AssertionError, pytest.fail.Exception, subprocess.CalledProcessError) as error:
        journal.violation(f"after everything was deleted: {str(error).splitlines()[0]}")
    if lines := members.command("list", "-o", "json").splitlines():
        journal.violation(f"after everything was deleted there are {len(lines)} records")


@contextmanager
def _threads(
    name: str, targets: Sequence[Callable[[], None]], stop: threading.Event, journal: Journal
) -> Iterator[None]:
    """All of them at the same time; at the end they are waited for."""
    threads = [threading.Thread(target=target, name=f"{name}-{n}", daemon=True) for n, target in enumerate(targets)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        end = time.monotonic() + QUIET_S
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
            if thread.is_alive():
                journal.violation(f"{thread.name} did not come to its end within {QUIET_S:g} s")


def _shape(description: str) -> str:
    """Without what differs from one to the next."""
    words = ["..." if any(c.isdigit() for c in word) and len(word) > 12 else word for word in description.split()]
    return " ".join(words)[:200]
