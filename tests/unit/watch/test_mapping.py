"""ClusterWorkloadResourceMapping: what is taken, what is said of the rest, and what is the default."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.controller_bridge.watch.mapping import BadMapping, WorkloadMapping, at, fixed, mapping_for, put
from helmbroker.kubeapi.port import Obj

CRON: dict[str, Any] = {
    "version": "v1",
    "annotations": ".spec.jobTemplate.spec.template.metadata.annotations",
    "containers": [{"path": ".spec.jobTemplate.spec.template.spec.containers[*]", "name": ".name"}],
    "volumes": ".spec.jobTemplate.spec.template.spec.volumes",
}


def resource(*templates: dict[str, Any]) -> Obj:
    return {"metadata": {"name": "cronjobs.batch"}, "spec": {"versions": list(templates)}}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (".name", ("name",)),
        ("['name']", ("name",)),
        (".spec.template.spec.volumes", ("spec", "template", "spec", "volumes")),
        (".spec['template'].spec[\"volumes\"]", ("spec", "template", "spec", "volumes")),
        (r".annotations.a\.b/c", ("annotations", "a.b/c")),
    ],
)
def test_fixed_paths(text: str, path: tuple[str, ...]) -> None:
    assert fixed(text) == path


@pytest.mark.parametrize("text", ["", "name", ".a[*]", ".a[0]", "..a", ".a.", ".a[?(@.b)]", "{.a}", ".a b"])
def test_everything_else_is_no_fixed_path(text: str) -> None:
    with pytest.raises(BadMapping, match="no fixed path"):
        fixed(text)


def test_without_a_mapping_a_workload_has_a_pod_template() -> None:
    mapping = mapping_for(None, "v1")
    assert mapping.annotations == ("spec", "template", "metadata", "annotations")
    assert mapping.volumes == ("spec", "template", "spec", "volumes")
    spec = {"containers": [{"name": "web"}], "initContainers": [{"name": "migrate"}]}
    fragments = mapping.fragments({"spec": {"template": {"spec": spec}}})
    assert [at(fragment, paths.name or ()) for paths, fragment in fragments] == ["web", "migrate"]


def test_a_version_has_its_own_template_else_that_of_the_star_else_the_default() -> None:
    star = {"version": "*", "volumes": ".spec.volumes"}
    assert mapping_for(resource(star, CRON), "v1").volumes == fixed(CRON["volumes"])
    assert mapping_for(resource(star, CRON), "v2").volumes == ("spec", "volumes")
    assert mapping_for(resource(CRON), "v2") == mapping_for(None, "v2")


def test_what_is_left_out_is_the_default_of_the_specification() -> None:
    (paths,) = WorkloadMapping.read({"containers": [{"path": ".spec.runners[*]"}]}).containers
    assert (paths.name, paths.env, paths.mounts) == (None, ("env",), ("volumeMounts",))


def test_a_mapping_that_cannot_be_read_is_named() -> None:
    with pytest.raises(BadMapping, match=r"ClusterWorkloadResourceMapping cronjobs.batch: '.a\[0\]' is no fixed"):
        mapping_for(resource({"version": "*", "volumes": ".a[0]"}), "v1")
    with pytest.raises(BadMapping, match="is not closed"):
        mapping_for(resource({"version": "*", "containers": [{"path": ".a[*"}]}), "v1")


def test_put_makes_the_way_and_leaves_nothing_empty() -> None:
    obj: Obj = {"spec": {"kept": 1}}
    put(obj, ("spec", "pod", "volumes"), [1])
    assert obj == {"spec": {"kept": 1, "pod": {"volumes": [1]}}}
    put(obj, ("spec", "pod", "volumes"), [])
    put(obj, ("spec", "absent", "volumes"), [])
    assert obj == {"spec": {"kept": 1, "pod": {}}}
    with pytest.raises(BadMapping, match=r"spec\.kept\.x leads nowhere"):
        put(obj, ("spec", "kept", "x"), [1])
