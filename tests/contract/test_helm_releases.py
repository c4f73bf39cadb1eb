"""The contract of the port HelmReleases: on the fake, and with real helm on a real cluster."""

from __future__ import annotations

import base64
import gzip
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from helmbroker.broker.domain.cluster import HelmRelease, HelmStatus, NotReady
from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.naming import LABEL_CLAIM, ReleaseRef
from helmbroker.broker.domain.ports import Cluster, Deployment, HelmReleases
from helmbroker.broker.gate import objects, packed
from helmbroker.broker.helm.releases import HelmCli
from helmbroker.broker.kube.cluster import KubeCluster
from helmbroker.catalog import credentials, jsonpath
from helmbroker.catalog.model import JSON
from helmbroker.catalog.references import Ref, RefKind
from helmbroker.kubeapi.port import Kube
from tests.cluster.reach import connect, eventually, throw_away_namespace
from tests.fakes.cluster import CLAIM, FakeCluster
from tests.fakes.helm import FakeHelm

CHART = Path(__file__).parents[1] / "charts" / "probe"
DEFAULTS: dict[str, JSON] = {"text": "default", "settings": {"kept": True, "taken": "gone"}}
LABELS = {"helmbroker.io/broker": "b1", "helmbroker.io/instance": "i1"}
FAILS = "echo the reason; exit 3"
PENDING = (HelmStatus.PENDING_INSTALL, HelmStatus.PENDING_UPGRADE, HelmStatus.PENDING_ROLLBACK)
NEVER = threading.Event()
PATIENCE_S = 180.0  # of Helm with the Jobs of hooks, on a machine that is busy with other tests
SetStatus = Callable[[ReleaseRef, HelmStatus], None]

LABELS_OF_A_CLAIM = {**LABELS, LABEL_CLAIM: "1"}


@dataclass
class Place:
    """Helm, what it does seen through the cluster, and a name that is free."""

    helm: HelmReleases
    cluster: Cluster
    ref: ReleaseRef
    set_status: SetStatus  # as a helm that was killed would have left it
    volume_size: Callable[[], str]  # of the chart's volume: what it has, not what is asked for

    def deploy(
        self, *, labels: dict[str, str] | None = None, stop: threading.Event = NEVER, **values: JSON
    ) -> None:
        """As the broker does it: what is rendered is what is made."""
        manifest = packed(objects(self.helm.render(CHART, values, self.ref, stop=NEVER)))
        self.helm.deploy(Deployment(self.ref, CHART, values, manifest, labels or LABELS, PATIENCE_S), stop)

    def uninstall(self, *, hooks: bool = True) -> None:
        self.helm.uninstall(self.ref, hooks=hooks, timeout_s=PATIENCE_S, stop=NEVER)

    def release(self) -> HelmRelease:
        found = self.cluster.release(self.ref)
        assert found is not None
        return found

    @property
    def place_of_password(self) -> Ref:
        return Ref(RefKind.SECRET, self.ref.name, jsonpath.lead("data", "password"))

    def password(self) -> JSON | NotReady:
        ref = self.place_of_password
        return self.cluster.values(self.ref.namespace, [ref], frozenset({self.ref.name}))[ref]


@pytest.fixture(params=["fake", pytest.param("helm", marks=pytest.mark.cluster)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "fake":
        cluster = FakeCluster("probe")

        def set_fake_status(ref: ReleaseRef, status: HelmStatus) -> None:
            cluster.releases[ref] = replace(cluster.releases[ref], status=status)

        def fake_size() -> str:
            claim = cluster.thing(CLAIM, "probe", "data-hb-1-0")
            return "" if claim is None else str(claim.content["size"])

        yield Place(FakeHelm(cluster, DEFAULTS), cluster, ReleaseRef("probe", "hb-1"), set_fake_status, fake_size)
        return
    kube = connect()
    with throw_away_namespace(kube) as namespace:
        helm = HelmCli("helm", tmp_path / "helm", kubeconfig=os.environ["KUBECONFIG"])
        yield Place(
            helm,
            KubeCluster(kube),
            ReleaseRef(namespace, "hb-1"),
            lambda ref, status: _set_stored_status(kube, ref, status),
            lambda: _stored_size(kube, ReleaseRef(namespace, "hb-1")),
        )
    kube.close()


def _set_stored_status(kube: Kube, ref: ReleaseRef, status: HelmStatus) -> None:
    stored = kube.list("Secret", ref.namespace, labels={"owner": "helm", "name": ref.name})
    newest = max(stored, key=lambda secret: int(secret["metadata"]["labels"]["version"]))
    content = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(newest["data"]["release"]))))
    content["info"]["status"] = str(status)
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(content).encode()))).decode()
    patch = {"metadata": {"labels": {"status": str(status)}}, "data": {"release": packed}}
    kube.patch("Secret", ref.namespace, newest["metadata"]["name"], patch)


def _stored_size(kube: Kube, ref: ReleaseRef) -> str:
    claim = kube.get(CLAIM, ref.namespace, f"data-{ref.name}-0") or {}
    return str(((claim.get("status") or {}).get("capacity") or {}).get("storage", ""))


def until(fact: Callable[[], bool]) -> None:
    eventually(lambda: fact() or None, within_s=120)


def raised(action: Callable[[], object]) -> HelmError:
    with pytest.raises(HelmError) as caught:
        action()
    return caught.value


def test_deploy_makes_a_release(place: Place) -> None:
    place.deploy(text="given", settings={"taken": None, "list": [1, 2]})
    release = place.release()
    assert (release.ref, release.revision, release.status) == (place.ref, 1, HelmStatus.DEPLOYED)
    assert dict(release.labels) == LABELS
    assert release.values["text"] == "given"
    assert release.values["settings"] == {"kept": True, "list": [1, 2]}
    assert release.given == {"text": "given", "settings": {"taken": None, "list": [1, 2]}}


def test_deploy_again_is_an_upgrade_that_keeps_labels_and_password(place: Place) -> None:
    place.deploy()
    before = place.password()
    place.deploy(labels={"helmbroker.io/operation": "o2"}, text="two")
    release = place.release()
    assert (release.revision, release.status, release.values["text"]) == (2, HelmStatus.DEPLOYED, "two")
    assert dict(release.labels) == {**LABELS, "helmbroker.io/operation": "o2"}
    assert isinstance(before, str)
    assert place.password() == before


@pytest.mark.bug(45)
def test_values_of_a_release_are_not_those_of_the_one_before(place: Place) -> None:
    """What is not given any more is not there any more."""
    place.deploy(text="one", settings={"extra": 1})
    place.deploy()
    assert place.release().values["text"] == "default"
    assert place.release().values["settings"] == {"kept": True, "taken": "gone"}


def test_uninstall(place: Place) -> None:
    place.deploy()
    place.uninstall()
    assert place.cluster.release(place.ref) is None
    assert isinstance(place.password(), NotReady)
    place.uninstall()
    place.deploy()
    assert place.release().revision == 1


def test_rendering_makes_nothing(place: Place) -> None:
    shown = place.helm.render(CHART, {"text": "given"}, place.ref, stop=NEVER)
    assert f"name: {place.ref.name}" in shown
    assert "kind: StatefulSet" in shown
    assert place.cluster.release(place.ref) is None


def test_rendering_the_credentials(place: Place) -> None:
    template, served = CHART / "credentials.yaml", place.cluster.capabilities()
    shown = place.helm.render_alone(template, CHART, {"text": "given"}, place.ref, served, NEVER)
    text, password = credentials.read(shown).credentials
    assert (text.name, text.value) == ("text", "given")
    assert (password.name, password.value) == ("password", place.place_of_password)


def test_what_the_chart_refuses(place: Place) -> None:
    for action in (
        lambda: place.deploy(refuse=True),
        lambda: place.helm.render(CHART, {"refuse": True}, place.ref, stop=NEVER),
    ):
        error = raised(action)
        assert error.fault is HelmFault.RENDER
        assert error.detail.endswith("refuse is true, and so it is refused")
    error = raised(lambda: place.helm.render(CHART, {"text": "x" * 65}, place.ref, stop=NEVER))
    assert error.fault is HelmFault.VALUES
    assert place.cluster.release(place.ref) is None


def test_a_namespace_that_is_not_there(place: Place) -> None:
    place.ref = ReleaseRef(f"{place.ref.namespace}-not", "hb-1")
    assert raised(place.deploy).fault is HelmFault.NAMESPACE


def everywhere(place: Place, check: Callable[[Place, HelmStatus], None], *statuses: HelmStatus) -> None:
    """Do it once per status, each with a release of its own, at the same time."""
    places = [
        replace(place, ref=ReleaseRef(place.ref.namespace, f"hb-{number}")) for number in range(len(statuses))
    ]
    with ThreadPoolExecutor(len(places)) as pool:
        list(pool.map(check, places, statuses))


def test_deploy_over_what_is_not_deployed(place: Place) -> None:
    def check(place: Place, status: HelmStatus) -> None:
        place.deploy(text="one")
        place.set_status(place.ref, status)
        place.deploy(text="two")
        release = place.release()
        assert (release.status, release.values["text"]) == (HelmStatus.DEPLOYED, "two"), status

    everywhere(place, check, HelmStatus.FAILED, HelmStatus.UNINSTALLED, HelmStatus.SUPERSEDED)


@pytest.mark.bug(17)
def test_deploy_over_what_is_pending_is_refused(place: Place) -> None:
    """This is what a killed helm leaves, and why it has to be put right first."""

    def check(place: Place, status: HelmStatus) -> None:
        place.deploy()
        place.set_status(place.ref, status)
        error = raised(place.deploy)
        assert (error.fault, error.retryable) == (HelmFault.PENDING, True), status

    everywhere(place, check, *PENDING)


def test_rollback(place: Place) -> None:
    def check(place: Place, status: HelmStatus) -> None:
        place.deploy(text="one")
        place.deploy(text="two")
        place.set_status(place.ref, status)
        place.helm.rollback(place.ref, timeout_s=PATIENCE_S, stop=NEVER)
        release = place.release()
        assert (release.revision, release.status) == (3, HelmStatus.DEPLOYED), status
        assert release.values["text"] == "one"
        assert LABELS.items() <= release.labels.items()
        place.deploy(text="three")
        assert place.release().values["text"] == "three"

    everywhere(place, check, HelmStatus.PENDING_UPGRADE, HelmStatus.PENDING_ROLLBACK, HelmStatus.FAILED)


def test_rollback_to_a_revision_that_had_failed(place: Place) -> None:
    """A bind that failed, was tried again and killed meanwhile."""
    assert raised(lambda: place.deploy(make=FAILS)).fault is HelmFault.HOOK
    place.deploy()
    place.set_status(place.ref, HelmStatus.PENDING_UPGRADE)
    place.helm.rollback(place.ref, timeout_s=PATIENCE_S, stop=NEVER)
    place.deploy(text="at last")
    assert (place.release().status, place.release().values["text"]) == (HelmStatus.DEPLOYED, "at last")


@pytest.mark.bug(41, 42)
def test_rollback_to_a_named_revision(place: Place) -> None:
    """However often an update was tried: values, labels and password are those of the revision, which is kept."""
    place.deploy(text="one", settings={"extra": 1})
    password = place.password()
    for _ in range(3):
        error = raised(lambda: place.deploy(labels={"helmbroker.io/operation": "o2"}, text="two", make=FAILS))
        assert error.fault is HelmFault.HOOK
    for _ in range(2):
        place.helm.rollback(place.ref, revision=1, timeout_s=PATIENCE_S, stop=NEVER)
        release = place.release()
        assert release.status is HelmStatus.DEPLOYED
        assert release.values["text"] == "one"
        assert release.values["settings"] == {"extra": 1, "kept": True, "taken": "gone"}
        assert dict(release.labels) == LABELS
        assert place.password() == password
    error = raised(lambda: place.helm.rollback(place.ref, revision=99, timeout_s=PATIENCE_S, stop=NEVER))
    assert error.fault is HelmFault.NOT_DEPLOYED


@pytest.mark.bug(42)
def test_rollback_to_a_revision_whose_volume_was_smaller(place: Place) -> None:
    """Refused, and the release has failed then; not so when the revision is told what the volume has by now."""
    place.deploy(size="1Gi", replicas=1, text="one")
    until(lambda: place.volume_size() == "1Gi")
    place.deploy(size="2Gi", replicas=1, text="two")
    until(lambda: place.volume_size() == "2Gi")
    error = raised(lambda: place.helm.rollback(place.ref, revision=1, timeout_s=PATIENCE_S, stop=NEVER))
    assert "less than status.capacity" in error.detail
    assert error.fault is HelmFault.INVALID
    assert (place.release().revision, place.release().status) == (3, HelmStatus.FAILED)
    place.cluster.keep_grown(place.ref, 1, lambda: None)
    place.helm.rollback(place.ref, revision=1, timeout_s=PATIENCE_S, stop=NEVER)
    release = place.release()
    assert (release.revision, release.status, release.values["text"]) == (4, HelmStatus.DEPLOYED, "one")
    assert place.volume_size() == "2Gi"


@pytest.mark.parametrize("hooks", [True, False])
def test_uninstall_from_every_status(place: Place, hooks: bool) -> None:
    def check(place: Place, status: HelmStatus) -> None:
        place.deploy()
        place.set_status(place.ref, status)
        place.uninstall(hooks=hooks)
        assert place.cluster.release(place.ref) is None, status
        assert isinstance(place.password(), NotReady), status

    everywhere(place, check, HelmStatus.DEPLOYED, HelmStatus.FAILED, HelmStatus.UNINSTALLING, *PENDING)


def test_a_job_that_fails_says_why_and_is_swept(place: Place) -> None:
    error = raised(lambda: place.deploy(make=FAILS))
    assert error.fault is HelmFault.HOOK
    assert place.release().status is HelmStatus.FAILED
    assert place.cluster.failed_job(place.ref) == f"Job {place.ref.name}-make: the reason (exit code 3)"
    place.deploy()
    assert place.release().status is HelmStatus.DEPLOYED
    assert place.cluster.failed_job(place.ref) is None
    place.uninstall()
    place.cluster.sweep(place.ref, claims=True)
    until(lambda: place.cluster.leftovers(place.ref, claims=True) == [])  # pods of a Job go in the background


def test_a_clean_up_that_fails_keeps_the_release(place: Place) -> None:
    place.deploy(drop=FAILS)
    for _ in range(2):
        assert raised(place.uninstall).fault is HelmFault.HOOK
        assert place.release().status is HelmStatus.UNINSTALLING
        assert place.cluster.failed_job(place.ref) == f"Job {place.ref.name}-drop: the reason (exit code 3)"
    place.uninstall(hooks=False)
    assert place.cluster.release(place.ref) is None


def test_a_stop_ends_helm_and_the_next_one_gets_on(place: Place) -> None:
    stop = threading.Event()
    stop.set()
    began = time.monotonic()
    assert raised(lambda: place.deploy(make="sleep 3600", stop=stop)).fault is HelmFault.STOPPED
    assert time.monotonic() - began < PATIENCE_S / 2
    place.uninstall(hooks=False)
    place.deploy(text="after")
    assert place.release().values["text"] == "after"


def test_what_others_upgrade_is_told_from_what_the_broker_does(place: Place) -> None:
    """Helm carries labels over, so a helm without ours repeats them."""
    place.deploy(labels=LABELS_OF_A_CLAIM)
    assert not place.release().by_others
    place.deploy(labels={**LABELS, LABEL_CLAIM: "2"}, text="by the broker")
    assert not place.release().by_others
    place.deploy(labels={"team": "other"}, text="by hand")
    place.set_status(place.ref, HelmStatus.PENDING_UPGRADE)
    found = place.release()
    assert (found.by_others, found.status) == (True, HelmStatus.PENDING_UPGRADE)
    assert found.belongs_to(LABELS_OF_A_CLAIM | {LABEL_CLAIM: "2"})
