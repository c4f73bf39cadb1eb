"""What a release changes in a workload, as a merge patch. Pure.

Touched: our annotations; in the containers that run the app's build their `envFrom` entry of ours and, when a
release goes back to another build, their image; the strategy, so that no pod goes before its successor serves.
Everything else in the workload is its owner's.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from helmbroker.controller_bridge.apps.names import RELEASE, is_env_name, number_in
from helmbroker.controller_bridge.apps.workloads import DEPLOYMENT, STATEFUL_SET, pod_template, spec_patch
from helmbroker.kubeapi.port import Obj

MIN_READY_S = 5
"""Seconds a pod without a readiness probe must run before it counts: one that dies at once replaces none."""

_MAIN = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True)
class Wanted:
    """What a workload is to be given."""

    number: int
    stamp: int | None
    secret: str | None  # for `envFrom`
    image: str | None = None  # None: whatever is deployed


def release_patch(workload: Obj, wanted: Wanted) -> Obj | None:
    """The merge patch that gives a workload a release; None when it has it, or has a newer one."""
    given = number_in(workload["metadata"])
    if given is not None and given > wanted.number:
        return None
    patch: Obj = {}
    if given != wanted.number:
        patch["metadata"] = {"annotations": {RELEASE: str(wanted.number)}}
    image = wanted.image if given != wanted.number else None  # what is deployed later is its owner's business
    template = template_patch(workload, wanted, image=image)
    spec = strategy_patch(workload) | (spec_patch(workload, template) if template else {})
    if spec:
        patch["spec"] = spec
    return patch or None


def image_of(workload: Obj) -> str:
    """The app's build: the image of the main container."""
    return str(_main(pod_template(workload)).get("image", ""))


def own_variables(workload: Obj) -> Iterator[str]:
    """Names of variables that the workload itself sets in containers that run the app's build."""
    template = pod_template(workload)
    for container in _all_containers(template):
        if _runs_build(container, template):
            yield from (str(entry.get("name")) for entry in container.get("env") or ())


def secrets_used(pod_spec: Mapping[str, Any]) -> set[str]:
    """The Secrets a pod needs to start or to go on."""
    used: set[str] = set()
    for container in _containers_of(pod_spec):
        references = [entry.get("secretRef") for entry in container.get("envFrom") or ()]
        references += [(entry.get("valueFrom") or {}).get("secretKeyRef") for entry in container.get("env") or ()]
        used |= {str(reference["name"]) for reference in references if reference}
    for volume in pod_spec.get("volumes") or ():
        sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
        for secret in (source.get("secret") for source in sources):
            if secret:
                used.add(str(secret.get("secretName") or secret.get("name")))
    return used


def template_patch(workload: Obj, wanted: Wanted, *, image: str | None) -> Obj:
    """What its pod template lacks of a release; empty when its pods have all of it."""
    template = pod_template(workload)
    patch: Obj = {}
    if number_in(template.get("metadata")) != wanted.stamp:
        annotation = None if wanted.stamp is None else str(wanted.stamp)
        patch["metadata"] = {"annotations": {RELEASE: annotation}}
    for part in ("initContainers", "containers"):
        containers: Sequence[Obj] = template["spec"].get(part) or ()
        after = [_given(container, template, wanted.secret, image) for container in containers]
        if after != list(containers):
            patch.setdefault("spec", {})[part] = after
    return patch


def _given(container: Obj, template: Obj, secret: str | None, image: str | None) -> Obj:
    runs_build = _runs_build(container, template)
    given = copy.deepcopy(container)
    entries = [entry for entry in given.pop("envFrom", None) or () if not _is_ours(entry)]
    if secret is not None and runs_build:
        # Last, so that of two sources with one name the binding's wins.
        entries.append({"secretRef": {"name": secret}})
    if entries:
        given["envFrom"] = entries
    if image is not None and runs_build:
        given["image"] = image
    return given


def strategy_patch(workload: Obj) -> Obj:
    """How its pods are replaced: where there is a way, no pod goes before its successor is there."""
    spec: Obj = workload["spec"]
    if workload["kind"] == DEPLOYMENT:
        patch = _deployment_strategy(spec.get("strategy") or {})
    elif workload["kind"] == STATEFUL_SET:
        patch = _stateful_strategy(spec.get("updateStrategy") or {})
    else:
        return {}
    if not _main(spec["template"]).get("readinessProbe") and int(spec.get("minReadySeconds") or 0) < MIN_READY_S:
        patch["minReadySeconds"] = MIN_READY_S
    return patch


def _deployment_strategy(strategy: Obj) -> Obj:
    """There is always room for one more pod."""
    rolling = strategy.get("rollingUpdate") or {}
    surge = rolling.get("maxSurge", "25%")
    wanted = {"maxUnavailable": 0, "maxSurge": 1 if surge in (0, "0", "0%") else surge}
    if strategy.get("type", "RollingUpdate") == "RollingUpdate" and rolling == wanted:
        return {}
    return {"strategy": {"type": "RollingUpdate", "rollingUpdate": wanted}}


def _stateful_strategy(strategy: Obj) -> Obj:
    """All pods are replaced, one after the other, without somebody who deletes them."""
    partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
    if strategy.get("type", "RollingUpdate") == "RollingUpdate" and not partition:
        return {}
    return {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}}


def _runs_build(container: Obj, template: Obj) -> bool:
    """The main container, and every other (such as a migration before the start) with the same image.

    Sidecars run other images: they get neither credentials nor another image.
    """
    main = _main(template)
    return container is main or (bool(container.get("image")) and container.get("image") == main.get("image"))


def _main(template: Obj) -> Obj:
    containers: Sequence[Obj] = template["spec"]["containers"]
    name = ((template.get("metadata") or {}).get("annotations") or {}).get(_MAIN)
    return next((container for container in containers if container.get("name") == name), containers[0])


def _all_containers(template: Obj) -> list[Obj]:
    return _containers_of(template["spec"])


def _containers_of(pod_spec: Mapping[str, Any]) -> list[Obj]:
    return [*(pod_spec.get("initContainers") or ()), *(pod_spec.get("containers") or ())]


def _is_ours(entry: Obj) -> bool:
    return is_env_name((entry.get("secretRef") or {}).get("name"))
