"""The parts of the demo that need no cluster: waiting, the transcript, the figures, and what may be removed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from bench import bare
from bench.figures import Figure
from demo import images, manifests
from demo.clean import clean
from demo.cluster import Cluster, complete
from demo.places import APP, INSTANCES, LABEL, Places, alone
from demo.transcript import Transcript, columns
from demo.waiting import DemoFailed, FirstSeen, happens, until
from helmbroker.kubeapi.errors import Unreachable
from tests.fakes.kube import FakeKube


def no_kubectl(*arguments: str) -> tuple[int, str]:
    """For what has to do without."""
    raise AssertionError(arguments)


def test_until_gives_what_it_sees() -> None:
    seen = iter([None, None, "this"])
    assert until(lambda: next(seen), within_s=5, what="x", every_s=0.001) == "this"


def test_until_says_why_not() -> None:
    with pytest.raises(DemoFailed, match=r"^pod x: not within 0.01 s: image not found$"):
        until(lambda: None, within_s=0.01, what="pod x", why=lambda: "image not found", every_s=0.001)


def test_until_looks_again_at_a_cluster_that_does_not_answer() -> None:
    kube = FakeKube()
    failures = [Unreachable("get Pod", "no answer")] * 2

    def fail(*_request: object) -> None:
        if failures:
            raise failures.pop()

    kube.before = fail
    found = until(lambda: kube.get("Namespace", None, "default"), within_s=5, what="x", every_s=0.001)
    assert found["metadata"]["name"] == "default"


def test_happens() -> None:
    assert happens(lambda: True, within_s=1)
    assert not happens(lambda: False, within_s=0)


def test_first_seen_takes_the_time() -> None:
    seen = iter([False, False, True])
    with FirstSeen(lambda: next(seen), every_s=0.001) as first:
        until(lambda: first.after_s, within_s=5, what="x", every_s=0.001)
    assert first.after_s is not None
    assert 0 < first.after_s < 5


def test_first_seen_of_what_never_comes() -> None:
    with FirstSeen(lambda: False, every_s=0.001) as first:
        pass
    assert first.after_s is None


def test_the_transcript_adds_up() -> None:
    out = Transcript(io.StringIO())
    with out.stage("One"):
        out.promise("it works", kept=True, evidence="see")
        out.figure(Figure("speed", 3, "s", 2.5, "bare helm 1 s"))
        out.figure(Figure("only told", 1, "s"))
    out.summary()
    assert out.exit_status == 3
    text = out.out.getvalue() if isinstance(out.out, io.StringIO) else ""
    assert "== 1. One\n   yes  it works: see\n   NO   speed: 3.00 s (at most 2.50 s); bare helm 1 s\n" in text
    assert "   yes  it works  see\n   NO   speed     3.00 s" in text
    assert text.endswith("1 of 2 promises kept.\n")


def test_the_exit_status_tells_slow_from_wrong() -> None:
    out = Transcript(io.StringIO())
    out.promise("it works", kept=True, evidence="see")
    assert out.exit_status == 0
    out.figure(Figure("speed", 3, "s", 2.5))
    assert out.exit_status == 3
    out.promise("it works again", kept=False, evidence="see")
    assert out.exit_status == 1


def test_figures_as_records() -> None:
    assert Figure("a", 1.23456, "s", 2).record() == {
        "name": "a",
        "value": 1.2346,
        "unit": "s",
        "limit": 2,
        "kept": True,
    }
    assert Figure("a", 1, "s", note="b").record() == {"name": "a", "value": 1, "unit": "s", "note": "b"}
    assert not Figure("a", 2.001, "s", 2).kept
    assert Figure("a", 123.4, "ms").text() == "123 ms"
    assert Figure("a", 12.34, "ms").text() == "12.3 ms"


def test_columns() -> None:
    assert columns([("a", "bb", "c"), ("aaa", "b", "")]) == ["a    bb  c", "aaa  b"]
    assert columns([]) == []


def test_two_demos_would_disturb_each_other(tmp_path: Path) -> None:
    with alone(tmp_path):
        second = alone(tmp_path)
        with pytest.raises(DemoFailed, match="another demo or bench runs"):
            second.__enter__()
    with alone(tmp_path):
        pass


def test_only_namespaces_with_the_label_are_removed(tmp_path: Path) -> None:
    kube = FakeKube()
    cluster = Cluster(kube, no_kubectl)
    labelled = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": APP, "labels": {LABEL: "yes"}}}
    kube.create(labelled)
    places = Places(tmp_path / ".demo")
    places.make()
    assert clean(places, cluster) == ["folder .demo", f"namespace {APP}"]
    assert kube.get("Namespace", None, APP) is None
    assert not places.root.exists()
    assert clean(places, cluster) == []


def test_a_foreign_namespace_of_our_name_stays(tmp_path: Path) -> None:
    kube = FakeKube(INSTANCES)
    with pytest.raises(DemoFailed, match=f"namespace {INSTANCES} is not the demo's"):
        clean(Places(tmp_path / ".demo"), Cluster(kube, no_kubectl))
    assert kube.get("Namespace", None, INSTANCES) is not None


def test_what_is_left_in_a_namespace() -> None:
    kube = FakeKube(INSTANCES)
    for kind, name in (("Secret", "left"), ("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")):
        kube.create({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": INSTANCES}})
    for name, namespace in (("ours", INSTANCES), ("theirs", "default")):
        spec = {"claimRef": {"namespace": namespace, "name": "x"}}
        kube.create({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})
    assert Cluster(kube, no_kubectl).objects(INSTANCES) == {"Secret/left", "PersistentVolume/ours"}


@pytest.mark.parametrize(
    ("status", "done"),
    [
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, True),
        ({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, False),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3}, False),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}, False),
        ({}, False),
    ],
)
def test_when_a_rollout_is_over(status: dict[str, int], done: bool) -> None:
    assert complete({"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status}) is done


def test_why_a_pod_does_not_run() -> None:
    kube = FakeKube(APP)
    kube.create(manifests.load("image") | {"status": {}})
    why = Cluster(kube, lambda *_: (0, "its last words\n")).why(APP)
    assert why == "pod load is Pending; its log: its last words"


def test_images_follow_the_cluster() -> None:
    assert images.addon("postgresql", local=True).image == "sandbox.local/postgresql:15"
    assert images.addon("redis", local=False).image.startswith("valkey/valkey:")
    assert images.is_local({"sandbox.local/postgresql:15", "sandbox.local/redis:7", "x"})
    assert not images.is_local({"sandbox.local/redis:7"})
    values = images.addon("redis", local=True).values
    assert values["storage"]
    assert values["image"]["tag"] == "7"


def test_the_image_of_the_app() -> None:
    sandbox = {"sandbox.local/postgresql:15", "sandbox.local/redis:7", images.DEMO_APP}
    assert images.choose(lambda: sandbox, None) == (images.DEMO_APP, True)
    assert images.choose(lambda: sandbox, "mine:1") == ("mine:1", True)
    assert images.choose(set, "mine:1") == ("mine:1", False)


def test_a_cluster_without_the_image() -> None:
    with pytest.raises(DemoFailed, match="make demo APP_IMAGE="):
        images.choose(set, None, within_s=0)


def test_values_are_merged_as_helm_does() -> None:
    merged = bare.merged({"a": {"b": 1, "c": [1]}, "d": 1}, {"a": {"c": [2]}, "d": None})
    assert merged == {"a": {"b": 1, "c": [2]}, "d": None}


def test_the_app_cannot_write_and_is_not_root() -> None:
    for spec in (manifests.web("i")["spec"]["template"]["spec"], manifests.load("i")["spec"]):
        assert spec["securityContext"]["runAsNonRoot"]
        container = spec["containers"][0]["securityContext"]
        assert container["readOnlyRootFilesystem"]
        assert container["capabilities"] == {"drop": ["ALL"]}
    assert json.dumps(manifests.web("i"))
