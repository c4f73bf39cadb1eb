"""The contract of the port Cluster: on the fake, on KubeCluster over a fake API server, and on a real cluster."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import pytest

from helmbroker.broker.domain.cluster import HelmRelease, HelmStatus, NotReady, Ready, RecordSecret
from helmbroker.broker.domain.helm_errors import ClusterUnavailable
from helmbroker.broker.domain.kept import MadeSecret
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.ports import Cluster
from helmbroker.broker.kube.cluster import KubeCluster
from helmbroker.catalog import jsonpath
from helmbroker.catalog.references import Ref, RefKind
from helmbroker.kubeapi.errors import Unreachable
from helmbroker.kubeapi.port import Kube, Obj
from tests.cluster.reach import connect, eventually, throw_away_namespace
from tests.fakes.cluster import CLAIM, FakeCluster, Thing
from tests.fakes.kube import FakeKube
from tests.fakes.release_secrets import StoredRelease, stored_release

SET = "StatefulSet"
_OWNER = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")


class World(Protocol):
    """A cluster, and how a test fills it."""

    namespace: str

    @property
    def cluster(self) -> Cluster: ...

    def store(self, release: StoredRelease) -> None:
        """A revision, as Helm leaves it; its workloads are not made."""

    def put(self, thing: Thing) -> None: ...

    def has(self, thing: Thing) -> bool:
        """Whether it is there, and not on its way out."""

    def damage(self, release: StoredRelease) -> None:
        """Somebody has edited what Helm has written of it."""

    def break_down(self) -> None:
        """From now on nobody answers."""


@dataclass
class FakeWorld:
    namespace: str
    cluster: FakeCluster

    def store(self, release: StoredRelease) -> None:
        known = self.cluster.releases.get(release.ref)
        if known is None or known.revision < release.revision:
            self.cluster.releases[release.ref] = HelmRelease(
                release.ref,
                release.revision,
                release.status,
                release.labels,
                release.values,
                given=release.values,
                chart="probe-1.0.0",
                client_side=release.client_side,
            )
        self.cluster.asked[release.ref, release.revision] = {
            obj["metadata"]["name"]: obj["spec"]["resources"]["requests"]["storage"]
            for obj in release.workloads
            if obj["kind"] == CLAIM
        }

    def put(self, thing: Thing) -> None:
        self.cluster.put(thing)

    def has(self, thing: Thing) -> bool:
        return self.cluster.thing(thing.kind, thing.namespace, thing.name) is not None

    def damage(self, release: StoredRelease) -> None:
        known = self.cluster.releases[release.ref]
        self.cluster.releases[release.ref] = replace(
            known, status=HelmStatus.UNREADABLE, values={}, given={}, chart="", client_side=False
        )

    def break_down(self) -> None:
        self.cluster.down = True


class KubeWorld:
    """KubeCluster over whatever speaks for an API server."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.kube, self.namespace = kube, namespace
        self.cluster = KubeCluster(kube)

    def store(self, release: StoredRelease) -> None:
        self.kube.create(stored_release(release))

    def put(self, thing: Thing) -> None:
        self.kube.create(_object(thing))

    def has(self, thing: Thing) -> bool:
        found = self.kube.get(thing.kind, thing.namespace, thing.name)
        return found is not None and "deletionTimestamp" not in found["metadata"]

    def damage(self, release: StoredRelease) -> None:
        name = stored_release(release)["metadata"]["name"]
        cut_short = base64.b64encode(b"H4sIAAAA").decode()
        self.kube.patch("Secret", self.namespace, name, {"data": {"release": cut_short}})

    def break_down(self) -> None:
        self.cluster = KubeCluster(_Nobody())


class _Nobody(FakeKube):
    def __init__(self) -> None:
        super().__init__()

        def refuse(verb: str, kind: str, _namespace: str | None, _name: str | None) -> None:
            raise Unreachable(
                f"{verb} {kind}", "the Kubernetes API at https://x is not reachable: connection refused"
            )

        self.before = refuse


def _object(thing: Thing) -> Obj:
    annotations = {} if thing.owner is None else {_OWNER[0]: thing.owner, _OWNER[1]: thing.namespace}
    if thing.kept:
        annotations["helm.sh/resource-policy"] = "keep"
    metadata = {"name": thing.name, "namespace": thing.namespace, "annotations": annotations}
    if thing.label is not None:
        metadata["labels"] = {"app.kubernetes.io/instance": thing.label}
    nowhere = {
        "containers": [{"name": "c", "image": "none"}],
        "nodeSelector": {"no": "where"},
        "terminationGracePeriodSeconds": 0,
    }
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in thing.texts.items()}
    job_labels = {"template": {"spec": {**nowhere, "restartPolicy": "Never"}}, "suspend": True}
    size = thing.content.get("size", "1Gi")
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    content: dict[str, tuple[str, Obj]] = {
        "Secret": ("v1", {"data": encoded}),
        "ConfigMap": ("v1", {"data": thing.texts}),
        "ServiceAccount": ("v1", {}),
        "Service": ("v1", {"spec": {"ports": [{"port": 80}]}, **thing.content}),
        "Pod": ("v1", {"spec": nowhere}),
        "Job": ("batch/v1", {"spec": job_labels}),
        CLAIM: ("v1", {"spec": claim}),
    }
    version, rest = content[thing.kind]
    return {"apiVersion": version, "kind": thing.kind, "metadata": metadata, **rest}


@pytest.fixture(params=["fake", "kube", pytest.param("cluster", marks=pytest.mark.cluster)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        yield FakeWorld("instances", FakeCluster("instances"))
    elif request.param == "kube":
        yield KubeWorld(FakeKube("instances"), "instances")
    else:
        kube = connect()
        with throw_away_namespace(kube) as namespace:
            yield KubeWorld(kube, namespace)
        kube.close()


@pytest.fixture
def ref(world: World) -> ReleaseRef:
    return ReleaseRef(world.namespace, "hb-1")


def things(ref: ReleaseRef, *kinds: str, label: str | None = "hb-1") -> list[Thing]:
    return [Thing(kind, ref.namespace, f"{label or 'foreign'}-{kind.lower()}", label) for kind in kinds]


HOOKS = ("Job", "Secret", "ConfigMap", "ServiceAccount", "Service")


def test_the_newest_revision_counts(world: World, ref: ReleaseRef) -> None:
    for revision in (9, 10):
        world.store(StoredRelease(ref, revision, HelmStatus.FAILED, {"a": "b"}, {"n": revision}))
    release = world.cluster.release(ref)
    assert release == HelmRelease(
        ref, 10, HelmStatus.FAILED, {"a": "b"}, {"n": 10}, given={"n": 10}, chart="probe-1.0.0"
    )
    world.store(StoredRelease(ref, 11, client_side=True))
    release = world.cluster.release(ref)
    assert release is not None
    assert release.client_side, "helm 3 has made it"


def test_a_release_that_is_not_there_is_none(world: World, ref: ReleaseRef) -> None:
    world.store(StoredRelease(replace(ref, name="hb-10")))
    assert world.cluster.release(ref) is None
    assert world.cluster.release(ReleaseRef("nowhere", "hb-1")) is None


def test_every_status_is_known(world: World, ref: ReleaseRef) -> None:
    for status in HelmStatus:
        one = replace(ref, name=f"hb-{status}")
        world.store(StoredRelease(one, 1, status))
        release = world.cluster.release(one)
        assert release is not None
        assert release.status is status


@pytest.mark.bug(59)
def test_sweeping_takes_what_hooks_left_and_nothing_else(world: World, ref: ReleaseRef) -> None:
    mine = things(ref, *HOOKS)
    claim = Thing(CLAIM, ref.namespace, "data", "hb-1")
    kept = Thing("Secret", ref.namespace, "kept", "hb-1", kept=True)
    theirs = [*things(ref, *HOOKS, CLAIM, label="hb-10"), *things(ref, *HOOKS, label=None)]
    for thing in (*mine, claim, kept, *theirs):
        world.put(thing)
    world.cluster.sweep(ref, claims=False)
    assert [thing for thing in mine if world.has(thing)] == []
    assert all(world.has(thing) for thing in (claim, kept, *theirs))
    world.cluster.sweep(ref, claims=True)
    assert not world.has(claim)
    assert not world.has(kept)
    assert all(world.has(thing) for thing in theirs)
    world.cluster.sweep(ref, claims=True)


def test_of_a_release_that_others_have_named_only_what_is_named_after_it(world: World, ref: ReleaseRef) -> None:
    """They may have chosen that label, too; the names begin like nobody else's."""
    theirs = replace(ref, name="mydb")
    mine = [
        Thing("Secret", ref.namespace, "helmbroker-mydb-tls", "mydb"),
        Thing(CLAIM, ref.namespace, "data-helmbroker-mydb-0", "mydb"),
    ]
    others = [Thing("Secret", ref.namespace, "mydb", "mydb"), Thing(CLAIM, ref.namespace, "data-mydb-0", "mydb")]
    for thing in (*mine, *others):
        world.put(thing)
    assert world.cluster.leftovers(theirs, claims=True) == [f"{CLAIM} data-helmbroker-mydb-0"]
    world.cluster.sweep(theirs, claims=True)
    assert [world.has(thing) for thing in (*mine, *others)] == [False, False, True, True]


def refused() -> None:
    """Nobody vouches for anything."""
    raise LookupError


@pytest.mark.bug(59)
def test_sweeping_takes_only_what_was_there_when_somebody_vouched_for_it(world: World, ref: ReleaseRef) -> None:
    """A worker that is frozen between looking and deleting meets what the next one has made when it wakes up."""
    old, new = Thing("Secret", ref.namespace, "old", "hb-1"), Thing("ConfigMap", ref.namespace, "new", "hb-1")
    world.put(old)
    with pytest.raises(LookupError):
        world.cluster.sweep(ref, claims=True, meanwhile=refused)
    assert world.has(old)
    world.cluster.sweep(ref, claims=True, meanwhile=lambda: world.put(new))
    assert (world.has(old), world.has(new)) == (False, True)


def test_leftovers_are_named(world: World, ref: ReleaseRef) -> None:
    for thing in (*things(ref, "Pod", CLAIM, "Secret"), *things(ref, "Pod", label="hb-10")):
        world.put(thing)
    assert world.cluster.leftovers(ref, claims=False) == ["Pod hb-1-pod"]
    assert world.cluster.leftovers(ref, claims=True) == [f"{CLAIM} hb-1-{CLAIM.lower()}", "Pod hb-1-pod"]
    world.cluster.sweep(ref, claims=True)
    eventually(lambda: len(world.cluster.leftovers(ref, claims=True)) == 1 or None, within_s=60)
    assert world.cluster.leftovers(ref, claims=True) == ["Pod hb-1-pod"], "pods are their owners' to remove"


def test_a_revision_that_nobody_can_read(world: World, ref: ReleaseRef) -> None:
    """Its labels tell whose it is. It is dropped when somebody vouches for that, and nothing else is."""
    stored = StoredRelease(ref, labels={"helmbroker.io/broker": "b"}, jobs=["hb-1-make"], values={"text": "x"})
    world.store(stored)
    world.damage(stored)
    found = world.cluster.release(ref)
    assert found == HelmRelease(ref, 1, HelmStatus.UNREADABLE, {"helmbroker.io/broker": "b"}, {})
    assert world.cluster.readiness(ref) == NotReady(
        "the Helm release cannot be read: its Secret is damaged", hopeless=True
    )
    assert (world.cluster.failed_job(ref), world.cluster.made_secrets(ref)) == (None, [])
    with pytest.raises(LookupError):
        world.cluster.drop_unreadable(ref, refused)
    assert world.cluster.release(ref) == found
    world.cluster.drop_unreadable(ref, lambda: None)
    assert world.cluster.release(ref) is None
    world.store(stored)
    world.cluster.drop_unreadable(ref, refused)
    assert world.cluster.release(ref) is not None, "this one can be read"


def test_volumes_that_have_grown_since_a_revision(world: World, ref: ReleaseRef) -> None:
    """The revision comes to ask for what there is, and is the same in all else."""
    sizes = {"small": "1Gi", "grown": "1Gi", "larger": "2Gi", "gone": "1Gi"}
    claims = [_object(Thing(CLAIM, ref.namespace, name, content={"size": size})) for name, size in sizes.items()]
    stored = StoredRelease(ref, 3, labels={"a": "b"}, values={"text": "x"}, workloads=claims)
    for revision in (3, 4):
        world.store(replace(stored, revision=revision))
    for name, size in {"small": "1Gi", "grown": "1536Mi", "larger": "1Gi"}.items():
        world.put(Thing(CLAIM, ref.namespace, name, content={"size": size}))
    before = world.cluster.release(ref)
    assert world.cluster.grown(ref, 3) == {"grown": "1536Mi"}
    with pytest.raises(LookupError):
        world.cluster.keep_grown(ref, 3, refused)
    assert world.cluster.grown(ref, 3) == {"grown": "1536Mi"}
    world.cluster.keep_grown(ref, 3, lambda: None)
    assert (world.cluster.grown(ref, 3), world.cluster.grown(ref, 4)) == ({}, {"grown": "1536Mi"})
    assert world.cluster.release(ref) == before
    world.cluster.keep_grown(ref, 3, refused)
    assert world.cluster.grown(ref, 9) == {}, "there is no such revision"


def test_a_release_without_workloads_is_ready(world: World, ref: ReleaseRef) -> None:
    world.store(StoredRelease(ref))
    assert world.cluster.readiness(ref) == Ready()


def test_a_release_that_is_gone_is_hopeless(world: World, ref: ReleaseRef) -> None:
    state = world.cluster.readiness(ref)
    assert state == NotReady("the Helm release is gone. Somebody else removed it", hopeless=True)


def test_no_job_has_failed(world: World, ref: ReleaseRef) -> None:
    assert world.cluster.failed_job(ref) is None
    world.store(StoredRelease(ref, jobs=["hb-1-make"]))
    assert world.cluster.failed_job(ref) is None


def test_a_namespace_is_made_once(world: World) -> None:
    world.cluster.ensure_namespace(world.namespace)
    world.cluster.ensure_namespace(world.namespace)


def test_a_cluster_that_is_away_is_worth_another_try(world: World, ref: ReleaseRef) -> None:
    world.break_down()
    calls = (
        lambda: world.cluster.release(ref),
        lambda: world.cluster.readiness(ref),
        lambda: world.cluster.failed_job(ref),
        world.cluster.capabilities,
        lambda: world.cluster.values(ref.namespace, [Ref(RefKind.SECRET, "a", jsonpath.lead("b"))], frozenset()),
        lambda: world.cluster.sweep(ref, claims=True),
        lambda: world.cluster.drop_unreadable(ref, lambda: None),
        lambda: world.cluster.leftovers(ref, claims=True),
        lambda: world.cluster.grown(ref, 1),
        lambda: world.cluster.keep_grown(ref, 1, lambda: None),
        lambda: world.cluster.ensure_namespace("x"),
        lambda: world.cluster.record(ref),
        lambda: world.cluster.keep(RecordSecret(ref, {}, b"")),
        lambda: world.cluster.forget(ref.namespace, {}),
        lambda: world.cluster.records(ref.namespace, {}),
        lambda: world.cluster.made_secrets(ref),
        lambda: world.cluster.put_back(ref, [MadeSecret("a", "Opaque", {}, {})]),
    )
    for call in calls:
        with pytest.raises(ClusterUnavailable, match="The cluster cannot be used now: "):
            call()
