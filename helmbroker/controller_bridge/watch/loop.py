"""Watches bindings and what they depend on, and has each looked at when something about it changes.

One binding at a time, so that no two write the same workload at once. What is watched is listed anew every now and
then, so nothing that was missed stays missed.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from helmbroker.controller_bridge.apps.port import AppReleaseError
from helmbroker.controller_bridge.watch.agenda import Agenda
from helmbroker.controller_bridge.watch.mapping import at
from helmbroker.controller_bridge.watch.request import EXPOSED
from helmbroker.kubeapi.errors import KubeError
from helmbroker.kubeapi.port import Kube, Obj

_LOG = logging.getLogger("helmbroker.bridge.watch")
_LONGEST_S = 60.0


class Reconciler(Protocol):
    """Knows one kind of bindings."""

    @property
    def kind(self) -> str:
        """As the port Kube calls it."""
        ...

    def depends_on(self, binding: Obj) -> Collection[str]:
        """Kinds whose objects, in its namespace or in none, matter to the binding."""
        ...

    def reconcile(self, namespace: str, name: str) -> float | None:
        """Bring it to what it asks for. Seconds to the next look, None: not before a change. KubeError: later."""
        ...


@dataclass(frozen=True)
class Seen:
    """Of one kind: bindings that are known, those whose last look failed, looks since the beginning."""

    bindings: int
    failing: int
    looks: int


@dataclass(frozen=True)
class _Binding:
    reconciler: Reconciler
    namespace: str
    name: str


class Loop:
    """See the module. namespaces: those that are watched, None for all; resync_s: seconds between two lists.

    pause_s: seconds before the next try; twice as long after every failure, up to a minute.
    """

    def __init__(
        self,
        kube: Kube,
        reconcilers: Sequence[Reconciler],
        *,
        namespaces: Sequence[str] | None,
        resync_s: float,
        pause_s: float = 1.0,
    ) -> None:
        self._kube = kube
        self._reconcilers = {each.kind: each for each in reconcilers}
        self._namespaces = namespaces
        self._resync_s = resync_s
        self._first_s = pause_s
        self._agenda: Agenda[_Binding] = Agenda()
        self._failures: dict[_Binding, int] = {}
        self._looks: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._depends: dict[_Binding, Collection[str]] = {}
        self._seen: dict[str, tuple[object, ...]] = {}  # uid of what bindings depend on -> what matters of it
        self._followed: set[str] = set()
        self._stop = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. Threads that wait for the server then end with the process."""
        closer = threading.Thread(target=self._close_after, args=(stop,), name="closer", daemon=True)
        closer.start()
        for kind in self._reconcilers:
            self._follow(kind)
        while (binding := self._agenda.take()) is not None:
            self._look_at(binding)

    def seen(self) -> dict[str, Seen]:
        """By kind of binding. From any thread."""
        with self._lock:
            known = Counter(each.reconciler.kind for each in self._depends)
        failing = Counter(each.reconciler.kind for each in self._failures.copy())
        return {kind: Seen(known[kind], failing[kind], self._looks[kind]) for kind in self._reconcilers}

    def _close_after(self, stop: threading.Event) -> None:
        stop.wait()
        self._stop.set()
        self._agenda.close()

    def _look_at(self, binding: _Binding) -> None:
        self._looks[binding.reconciler.kind] += 1
        try:
            again_s = binding.reconciler.reconcile(binding.namespace, binding.name)
        except (KubeError, AppReleaseError) as error:
            again_s = self._failed(binding)
            where = {"namespace": binding.namespace, "binding": binding.name}
            _LOG.warning("cannot be looked at", extra={**where, "reason": str(error), "again_in_s": again_s})
        except Exception as error:  # noqa: BLE001  # one binding that nobody foresaw must not stop the others
            again_s = self._failed(binding)
            where = {"namespace": binding.namespace, "binding": binding.name}
            _LOG.error("looking at it failed", extra={**where, "error": type(error).__name__})  # the text may quote
        else:
            self._failures.pop(binding, None)
        if again_s is not None:
            self._agenda.add(binding, again_s)

    def _failed(self, binding: _Binding) -> float:
        self._failures[binding] = self._failures.get(binding, 0) + 1
        return self._pause_s(self._failures[binding])

    def _follow(self, kind: str) -> None:
        """Watch a kind from now on, in every namespace that is watched."""
        with self._lock:
            if kind in self._followed:
                return
            self._followed.add(kind)
        namespaces: Sequence[str | None] = self._namespaces or [None]
        for namespace in namespaces:
            name = f"watch {kind} {namespace or ''}"
            threading.Thread(target=self._keep_watching, args=(kind, namespace), name=name, daemon=True).start()

    def _keep_watching(self, kind: str, namespace: str | None) -> None:
        failures, said = 0, ""
        while not self._stop.is_set():
            try:
                if kind not in self._reconcilers and self._kube.find_kind(kind) is None:
                    with self._lock:
                        self._followed.discard(kind)  # bindings may name what they like; it costs no thread
                    return
                self._watch(kind, namespace)
                failures, said = 0, ""
            except KubeError as error:
                failures += 1
                if str(error) != said:
                    _LOG.warning("cannot watch", extra={"kind": kind, "reason": str(error)})
                    said = str(error)
            except Exception as error:  # noqa: BLE001  # a thread that ends would not be missed
                failures += 1
                _LOG.error("watching failed", extra={"kind": kind, "error": type(error).__name__})
            self._stop.wait(self._pause_s(failures))

    def _watch(self, kind: str, namespace: str | None) -> None:
        found = self._kube.find_kind(kind)
        if found is not None and not found.namespaced:
            namespace = None
        listed, changes = self._kube.watch(kind, namespace, for_s=self._resync_s)
        for obj in listed:
            self._heard(kind, obj, deleted=False)
        for change in changes:
            self._heard(kind, change.obj, deleted=change.deleted)

    def _heard(self, kind: str, obj: Obj, *, deleted: bool) -> None:
        reconciler = self._reconcilers.get(kind)
        if reconciler is not None:
            self._heard_of_binding(reconciler, obj, deleted=deleted)
        elif self._matters(obj, deleted=deleted):
            namespace = obj["metadata"].get("namespace")
            with self._lock:
                concerned = [
                    each
                    for each, kinds in self._depends.items()
                    if kind in kinds and namespace in (None, each.namespace)
                ]
            for binding in concerned:
                self._agenda.add(binding)

    def _heard_of_binding(self, reconciler: Reconciler, obj: Obj, *, deleted: bool) -> None:
        binding = _Binding(reconciler, obj["metadata"]["namespace"], obj["metadata"]["name"])
        kinds = () if deleted else reconciler.depends_on(obj)
        with self._lock:
            self._depends.pop(binding, None)
            if not deleted:
                self._depends[binding] = kinds
        for kind in kinds:
            self._follow(kind)
        self._agenda.add(binding)

    def _matters(self, obj: Obj, *, deleted: bool) -> bool:
        """Whether something changed that bindings look at; most of what is told of a workload is how pods fare."""
        metadata = obj["metadata"]
        labels = tuple(sorted((metadata.get("labels") or {}).items()))
        now = (metadata.get("generation"), labels, at(obj, EXPOSED))
        with self._lock:
            before = self._seen.pop(metadata["uid"], None)
            if not deleted:
                self._seen[metadata["uid"]] = now
        return deleted or before != now

    def _pause_s(self, failures: int) -> float:
        return min(_LONGEST_S, self._first_s * 2.0 ** min(failures, 10))
