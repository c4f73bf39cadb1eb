"""What a chart may not make is refused before anything is made, with the reason."""

from __future__ import annotations

import json

import pytest

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import HelmRelease, HelmStatus
from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.catalog.model import PodSecurity
from tests.operations.broker.world import BINDING_RELEASE, BROKER, CANARY, INSTANCE, RELEASE, World

POLICY = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: c4n4ry-7f3a}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: x}
spec:
  template:
    spec:
      hostNetwork: true
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - {name: c, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
"""


@pytest.mark.bug(13)
def test_the_policy_refuses_before_anything_is_made(world: World) -> None:
    world.helm.manifest = POLICY
    assert world.fail(world.provision(pin=CANARY)) == (
        "The broker's policy refuses what the chart would create: "
        "ClusterRole <hidden>: kind: ClusterRole of rbac.authorization.k8s.io/v1 is not allowed; "
        "Deployment x: spec.template.spec.hostNetwork: namespaces of the host are not allowed (Pod Security "
        "Standards, baseline: Host Namespaces) (grant: pod_security: privileged). The addon's author has to mend "
        "the chart, or the operator grants what can be granted (HELMBROKER_GRANTS_FILE)."
    )
    assert (world.helm.verbs(RELEASE), world.cluster.all()) == ([], [])


def test_what_the_operator_grants_passes(world: World) -> None:
    world.helm.manifest = POLICY.partition("---")[2]
    world.grant(pod_security=PodSecurity.PRIVILEGED)
    world.succeed(world.provision())


@pytest.mark.bug(13)
def test_what_was_checked_is_what_is_made(world: World) -> None:
    """It is rendered once, and again only when something was changed since."""
    world.succeed(world.provision())
    renderings = [call for call in world.helm.calls if call.verb == "render"]
    assert len(renderings) == 1
    assert [json.loads(part)["kind"] for part in world.helm.made[RELEASE].split("---\n")[1:]] == [
        "ConfigMap",
        "Secret",
        "StatefulSet",
    ]


def test_a_chart_that_changes_its_mind_is_refused_as_it_is_when_it_would_be_made(world: World) -> None:
    """What an attempt has left half made is removed, and what follows is checked anew."""
    operation, labels = world.provision(), naming.instance_labels(BROKER, INSTANCE)
    world.cluster.releases[RELEASE] = HelmRelease(RELEASE, 1, HelmStatus.PENDING_INSTALL, labels, {})
    world.helm.manifest = POLICY
    assert "policy refuses" in world.fail(operation)
    assert "deploy" not in world.helm.verbs(RELEASE)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (HelmFault.QUOTA, "A quota of the namespace is used up: it is so. Raise the quota"),
        (HelmFault.INVALID, "The cluster refuses an object of the chart: it is so. Correct the parameters"),
    ],
)
def test_what_the_cluster_would_refuse_is_told_before_anything_is_made(
    world: World, fault: HelmFault, told: str
) -> None:
    world.cluster.namespaces.add(RELEASE.namespace)
    world.cluster.refuses = HelmError(fault, "it is so")
    assert world.fail(world.provision()).startswith(told)
    assert (world.helm.verbs(RELEASE), world.cluster.all()) == ([], [])


def test_a_manifest_that_cannot_be_read_is_refused(world: World) -> None:
    world.helm.manifest = "a: ["
    assert world.fail(world.provision()) == (
        "The rendered manifest is not valid YAML: did not find expected node content. "
        "The addon's author has to mend the chart."
    )


def test_a_binding_passes_the_policy_too(world: World) -> None:
    world.succeed(world.provision())
    world.helm.manifest = POLICY
    assert "ClusterRole of rbac.authorization.k8s.io/v1" in world.fail(world.bind())
    assert world.helm.verbs(BINDING_RELEASE) == []


def test_many_breaches_are_counted(world: World) -> None:
    documents = [f"apiVersion: v1\nkind: Node\nmetadata: {{name: n{n}}}" for n in range(7)]
    world.helm.manifest = "\n---\n".join(documents)
    assert "; Node n4: kind: Node of v1 is not allowed; and 2 more. The" in world.fail(world.provision())
