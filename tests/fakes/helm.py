"""FakeHelm: the port HelmReleases in memory, on a FakeCluster.

Modelled: release statuses and what each command makes of them, revisions, labels that stay, values over
defaults, hooks, namespaces that must exist, passwords kept over upgrades, and that releases of helm 3 cannot be
forced. It does not read charts: every chart makes a Secret, a ConfigMap and a pod with a claim, which keeps what it
has grown to (the value size), named as naming.fullname says, and behaves
like the chart tests/charts/probe does with the values make, drop, refuse and text.
"""

from __future__ import annotations

import copy
import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from helmbroker.broker.domain.cluster import Capabilities, HelmRelease, HelmStatus
from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.naming import LABEL_CLAIM, ReleaseRef, fullname
from helmbroker.broker.domain.ports import Deployment
from helmbroker.catalog.model import Object
from helmbroker.catalog.values import coalesce
from helmbroker.kubeapi import room
from tests.fakes.cluster import CLAIM, FakeCluster, Thing
from tests.fakes.kube_rules import NO_QUANTITY, is_quantity

PENDING = frozenset({HelmStatus.PENDING_INSTALL, HelmStatus.PENDING_UPGRADE, HelmStatus.PENDING_ROLLBACK})
LONGEST_TEXT = 64
SMALLEST = "1Gi"
_MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: {name}}
---
apiVersion: v1
kind: Secret
metadata: {name: {name}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: {name}}
spec:
  template:
    spec:
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: main
          image: x
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {resources: {requests: {storage: {size}}}}
"""
_CREDENTIALS = """
credentials:
  - name: text
    value: "{text}"
  - name: password
    valueFrom: {secretKeyRef: {name: "{name}", key: password}}
"""


@dataclass(frozen=True)
class Call:
    """A command that was given."""

    verb: str
    ref: ReleaseRef
    hooks: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None  # in whose name


class FakeHelm:
    """See broker.domain.ports.HelmReleases.

    before: called with every command before it has an effect; after: when it has had it; waits: before it, with
    the event that stops it. What they raise, the caller gets. manifest, template: what `render` shows instead of
    the usual. defaults: of every chart's values. alone: templates that were rendered alone, and in which chart.
    made: the manifest that was deployed last.
    """

    def __init__(self, cluster: FakeCluster, defaults: Object | None = None) -> None:
        self.cluster = cluster
        self.defaults: Object = defaults or {}
        self.before: Callable[[Call], None] | None = None
        self.after: Callable[[Call], None] | None = None
        self.waits: Callable[[Call, threading.Event], None] | None = None
        self.manifest: str | None = None
        self.template: str | None = None
        self.calls: list[Call] = []
        self.alone: list[tuple[Path, Path]] = []
        self.made: dict[ReleaseRef, str] = {}
        self._user: str | None = None
        self._earlier: dict[ReleaseRef, list[HelmRelease]] = {}

    def acting_as(self, user: str) -> FakeHelm:
        found = copy.copy(self)  # of the same cluster
        found._user = user
        return found

    def render(self, chart: Path, values: Object, ref: ReleaseRef, *, stop: threading.Event) -> str:
        current = self.cluster.releases.get(ref)
        if current is not None and current.status is HelmStatus.UNREADABLE and not self._earlier.get(ref):
            raise HelmError(HelmFault.OTHER, f'no revision for release "{ref.name}"')
        if current is not None and current.status in PENDING:
            raise HelmError(HelmFault.PENDING, "another operation (install/upgrade/rollback) is in progress")
        return self._rendered(ref, values, stop, _MANIFEST if self.manifest is None else self.manifest)

    def render_alone(
        self,
        template: Path,
        chart: Path,
        values: Object,
        ref: ReleaseRef,
        served: Capabilities,
        stop: threading.Event,
    ) -> str:
        self.alone.append((template, chart))
        return self._rendered(ref, values, stop, _CREDENTIALS if self.template is None else self.template)

    def deploy(self, deployment: Deployment, stop: threading.Event) -> None:
        ref, call = deployment.ref, Call("deploy", deployment.ref, labels=deployment.labels)
        self._begin(call, stop)
        self._require_namespace(ref)
        values = self._values(deployment.values)
        if values.get("refuse"):
            raise HelmError(HelmFault.RENDER, "refuse is true, and so it is refused")
        current = self.cluster.releases.get(ref)
        if current is not None and current.status in PENDING:
            raise HelmError(HelmFault.PENDING, "another operation (install/upgrade/rollback) is in progress")
        if current is not None and current.status is HelmStatus.UNREADABLE:
            raise HelmError(HelmFault.OTHER, f"secrets sh.helm.release.v1.{ref.name}.v1 already exists")
        merged = current is not None and current.client_side
        if merged and deployment.force:
            raise HelmError(HelmFault.OTHER, "forceConflicts enabled when serverSideApply disabled")
        revision = 1 if current is None else current.revision + 1
        before = {} if current is None else current.labels
        labels = {**before, **deployment.labels}
        if current is not None:
            self._earlier.setdefault(ref, []).append(current)
        carried = LABEL_CLAIM in before and before[LABEL_CLAIM] == labels[LABEL_CLAIM]
        given = deployment.values
        release = HelmRelease(
            ref, revision, HelmStatus.DEPLOYED, labels, values, carried, given, client_side=merged
        )
        self._make_objects(ref, str(values.get("text", "")))
        self.made[ref] = deployment.manifest
        size = str(values.get("size", SMALLEST))
        if not is_quantity(size):
            self.cluster.releases[ref] = replace(release, status=HelmStatus.FAILED)
            failed = f"server-side apply failed for object {ref.namespace}/{fullname(ref.name)}"
            raise HelmError(HelmFault.INVALID, f"{failed}: {NO_QUANTITY}")
        self._claim(ref, size, revision)
        failure = self._hook(ref, "make", values)
        status = HelmStatus.FAILED if failure else HelmStatus.DEPLOYED
        self.cluster.releases[ref] = replace(release, status=status)
        if failure:
            raise HelmError(HelmFault.HOOK, f"failed post-install: {failure}")
        self._end(call)

    def rollback(
        self, ref: ReleaseRef, *, revision: int | None = None, timeout_s: float, stop: threading.Event
    ) -> None:
        self._begin(Call("rollback", ref), stop)
        current, earlier = self.cluster.releases.get(ref), self._earlier.get(ref)
        if current is None:
            raise HelmError(HelmFault.OTHER, "release: not found")
        if not earlier:
            raise HelmError(HelmFault.NOT_DEPLOYED, f"release has no {revision or current.revision - 1} version")
        found = [each for each in earlier if revision in (None, each.revision)]
        if not found:
            raise HelmError(HelmFault.NOT_DEPLOYED, f"release has no {revision} version")
        target, number = found[-1], current.revision + 1
        earlier.append(current)
        if smaller := sorted(self.cluster.grown(ref, target.revision)):
            self.cluster.releases[ref] = replace(target, revision=number, status=HelmStatus.FAILED)
            text = "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"
            raise HelmError(HelmFault.INVALID, f'PersistentVolumeClaim "{smaller[0]}" is invalid: {text}')
        self.cluster.releases[ref] = replace(target, revision=number, status=HelmStatus.DEPLOYED)
        self._make_objects(ref, str(target.values.get("text", "")))
        for size in self.cluster.asked.get((ref, target.revision), {}).values():
            self._claim(ref, size, number)
        self._end(Call("rollback", ref))

    def uninstall(self, ref: ReleaseRef, *, hooks: bool, timeout_s: float, stop: threading.Event) -> None:
        call = Call("uninstall", ref, hooks)
        self._begin(call, stop)
        current = self.cluster.releases.get(ref)
        if current is not None and current.status is not HelmStatus.UNREADABLE:  # it would not see it
            failure = self._hook(ref, "drop", current.values) if hooks else None
            if failure:
                self.cluster.releases[ref] = replace(current, status=HelmStatus.UNINSTALLING)
                raise HelmError(HelmFault.HOOK, failure)
            for thing in self.cluster.all():
                made = (thing.namespace, thing.owner) == (ref.namespace, ref.name) and not thing.kept
                if made or (thing.kind == "Pod" and thing.label == ref.name):
                    self.cluster.remove(thing.kind, thing.namespace, thing.name)
            del self.cluster.releases[ref]
            self._earlier.pop(ref, None)
        self._end(call)

    def leave_half_way(self, call: Call) -> None:
        """What a helm leaves in the cluster that is killed in the middle of a command."""
        current = self.cluster.releases.get(call.ref)
        if current is None:
            if call.verb == "deploy":
                release = HelmRelease(call.ref, 1, HelmStatus.PENDING_INSTALL, call.labels, {})
                self.cluster.releases[call.ref] = release
        elif call.verb == "uninstall":
            self.cluster.releases[call.ref] = replace(current, status=HelmStatus.UNINSTALLING)
        elif call.verb in ("deploy", "rollback"):
            status = HelmStatus.PENDING_UPGRADE if call.verb == "deploy" else HelmStatus.PENDING_ROLLBACK
            self._earlier.setdefault(call.ref, []).append(current)
            labels = {**current.labels, **call.labels}
            half = replace(current, revision=current.revision + 1, status=status, labels=labels, by_others=False)
            self.cluster.releases[call.ref] = half

    def forget_earlier(self, ref: ReleaseRef) -> None:
        """Somebody has deleted all revisions but the newest."""
        self._earlier.pop(ref, None)

    def verbs(self, ref: ReleaseRef) -> list[str]:
        """The commands that changed, or were to change, a release."""
        return [call.verb for call in self.calls if call.ref == ref and call.verb != "render"]

    def _rendered(self, ref: ReleaseRef, values: Object, stop: threading.Event, template: str) -> str:
        self._begin(Call("render", ref), stop)
        known = self._values(values)
        if known.get("refuse"):
            raise HelmError(HelmFault.RENDER, "refuse is true, and so it is refused")
        text = str(known.get("text", ""))
        if len(text) > LONGEST_TEXT:
            raise HelmError(HelmFault.VALUES, "the text is too long")
        self._end(Call("render", ref))
        filled = template.replace("{name}", fullname(ref.name)).replace("{text}", text)
        return filled.replace("{size}", json.dumps(known.get("size", SMALLEST)))

    def _begin(self, call: Call, stop: threading.Event) -> None:
        self.calls.append(replace(call, user=self._user))
        if self.cluster.down:
            raise HelmError(HelmFault.UNREACHABLE, "nobody is at home")
        if self.before is not None:
            self.before(call)
        if self.waits is not None:
            self.waits(call, stop)
        if stop.is_set():
            raise HelmError(HelmFault.STOPPED, "")

    def _end(self, call: Call) -> None:
        if self.after is not None:
            self.after(call)

    def _require_namespace(self, ref: ReleaseRef) -> None:
        if ref.namespace not in self.cluster.namespaces:
            raise HelmError(HelmFault.NAMESPACE, f'namespaces "{ref.namespace}" not found')
        if ref.namespace in self.cluster.terminating:
            raise HelmError(HelmFault.TERMINATING, "because it is being terminated")

    def _values(self, given: Object) -> Object:
        return coalesce(self.defaults, given)

    def _make_objects(self, ref: ReleaseRef, text: str) -> None:
        name = fullname(ref.name)
        known = self.cluster.thing("Secret", ref.namespace, name)
        password = known.texts["password"] if known is not None else uuid.uuid4().hex
        for kind, texts in (("Secret", {"password": password}), ("ConfigMap", {"text": text})):
            self.cluster.put(Thing(kind, ref.namespace, name, ref.name, ref.name, texts=texts))
        if _has_server(ref):
            self.cluster.put(Thing("Pod", ref.namespace, f"{name}-0", ref.name))

    def _claim(self, ref: ReleaseRef, size: str, revision: int) -> None:
        """The claim becomes as large as the revision asks, or stays larger, as the chart looks that up."""
        if not _has_server(ref):
            return
        name = f"data-{fullname(ref.name)}-0"
        has = self.cluster.thing(CLAIM, ref.namespace, name)
        larger = size if has is None else max(size, has.content.get("size", SMALLEST), key=room.quantity)
        texts = {} if has is None else has.texts
        self.cluster.put(Thing(CLAIM, ref.namespace, name, ref.name, texts=texts, content={"size": larger}))
        self.cluster.asked[ref, revision] = {name: larger}

    def _hook(self, ref: ReleaseRef, name: str, values: Object) -> str | None:
        """Run the script as far as tests write any: `echo REASON; exit CODE`. A Job that fails stays."""
        found = re.fullmatch(r"echo (.+); exit (\d+)", _script(values, name))
        self.cluster.failed_jobs.pop(ref, None)
        if found is None:
            return None
        job = f"{fullname(ref.name)}-{name}"
        self.cluster.put(Thing("Job", ref.namespace, job, ref.name))
        self.cluster.failed_jobs[ref] = f"Job {job}: {found[1]} (exit code {found[2]})"
        return f"resource Job/{ref.namespace}/{job} not ready. status: Failed"


def _has_server(ref: ReleaseRef) -> bool:
    """A binding has none."""
    return "-" not in ref.name.removeprefix("hb-")


def _script(values: Object, name: str) -> str:
    """Of an instance's chart, or of the parameters of a binding."""
    binding = values.get("binding")
    parameters = binding.get("parameters") if isinstance(binding, Mapping) else None
    return str((parameters if isinstance(parameters, Mapping) else values).get(name) or "")
