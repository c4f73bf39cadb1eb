"""FakeKube: the port Kube in memory.

Modelled: namespaces that must exist, names, uids, resourceVersion (unchanged by a write that changes
nothing), generation (spec), creation times, status kept apart from spec, immutable Secrets and ConfigMaps,
stringData, label and field selectors, merge patches, finalizers, owner references (dependents go with their
owner, at once), server-side apply with conflicts, forced ownership and removal of fields let go, kinds that are
served beside the table's (`serve`), and watches.

Not modelled: defaulting, quotas, and schema validation but of quantities; controllers and the kubelet; RBAC;
deletion of namespaces and dependents in the background; ownership of items inside lists that are keyed by anything
but `name` (they are owned whole); paging.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from helmbroker.kubeapi.errors import AlreadyExists, Conflict, Invalid, NotFound
from helmbroker.kubeapi.kinds import KINDS, Kind, ObjectRef, parted
from helmbroker.kubeapi.port import Obj, Propagation, Watched
from tests.fakes.kube_fields import Path, applied, copied, foreign, leaves, merge_patch
from tests.fakes.kube_reviews import reviewed
from tests.fakes.kube_rules import (
    has_status,
    prepared,
    refusal,
    refuse_mutation,
    refuse_odd_quantities,
    refuse_other_version,
)
from tests.fakes.kube_selectors import field_matches, selector_matches, valid_name
from tests.fakes.kube_watch import Watches

_SERVER_FIELDS = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "managedFields")
_UPDATER = "update"  # the owner of fields written by anything but apply

Key = tuple[str, str | None, str]


class FakeKube:
    """A Kubernetes API server in memory. Thread-safe.

    before: called before every request with (verb, kind, namespace, name); what it raises, the caller gets.
    after: the same once the effect is there (an answer that got lost). calls: every request so far.
    """

    def __init__(self, *namespaces: str) -> None:
        self.before: Callable[[str, str, str | None, str | None], None] | None = None
        self.after: Callable[[str, str, str | None, str | None], None] | None = None
        self.calls: list[tuple[str, str, str | None, str | None]] = []
        self.users: list[str] = []  # in whose names it was asked
        self.tokens: dict[str, Obj] = {}  # token -> `user` of a TokenReview's status
        self._objects: dict[Key, Obj] = {}
        self._owners: dict[Key, dict[Path, set[str]]] = {}
        self._version = 0
        self._lock = threading.RLock()
        self._kinds = dict(KINDS)
        self.watches = Watches()
        for name in ("default", *namespaces):
            self._add(ObjectRef(KINDS["Namespace"], None, name), _namespace(name), _UPDATER)

    def get(self, kind: str, namespace: str | None, name: str) -> Obj | None:
        self._kind(kind).path(namespace, name)
        with self._request("get", kind, namespace, name):
            return copied(self._objects.get((kind, namespace, name)))

    def list(
        self,
        kind: str,
        namespace: str | None,
        *,
        labels: Mapping[str, str] | str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Obj]:
        self._kind(kind).path(namespace)
        action = f"list {kind}s" + (f" in {namespace}" if namespace else "")
        with self._request("list", kind, namespace, None):
            return [
                copied(obj)
                for (at_kind, at_namespace, _), obj in self._objects.items()
                if at_kind == kind
                and (namespace is None or at_namespace == namespace)
                and selector_matches(action, labels, obj["metadata"].get("labels") or {})
                and field_matches(action, fields or {}, obj)
            ]

    def watch(self, kind: str, namespace: str | None, *, for_s: float) -> Watched:
        with self._lock:
            return self.list(kind, namespace), self.watches.begin(kind, namespace, for_s)

    def create(self, obj: Obj, *, dry_run: bool = False) -> Obj:
        ref = ObjectRef.of(obj, self._kind)
        if dry_run:
            with self._request("try to create", ref.kind.id, ref.namespace, ref.name):
                return self.fork().create(obj)
        action = f"create {ref}"
        with self._request("create", ref.kind.id, ref.namespace, ref.name):
            refuse_odd_quantities(action, ref, obj)
            self._refuse_unusable(action, ref)
            if _key(ref) in self._objects:
                raise refusal(AlreadyExists, action, ref, "already exists")
            return self._add(ref, prepared(obj), _UPDATER)

    def apply(self, obj: Obj, *, field_manager: str, force: bool = False, dry_run: bool = False) -> Obj:
        ref = ObjectRef.of(obj, self._kind)
        if dry_run:
            with self._request("try to apply", ref.kind.id, ref.namespace, ref.name):
                return self.fork().apply(obj, field_manager=field_manager, force=force)
        action = f"apply {ref}"
        with self._request("apply", ref.kind.id, ref.namespace, ref.name):
            refuse_odd_quantities(action, ref, obj, applied=True)
            wanted = prepared(obj)
            current = self._objects.get(_key(ref))
            if current is None:
                self._refuse_unusable(action, ref)
                return self._add(ref, wanted, field_manager)
            refuse_other_version(action, ref, obj, current)
            owners = self._owners[_key(ref)]
            taken = foreign(current, wanted, owners, field_manager)
            if taken and not force:
                raise Conflict(action, f"Apply failed with conflicts: {taken}", status=409, reason="Conflict")
            return self._store(action, ref, applied(current, wanted, owners, field_manager), None)

    def replace(self, obj: Obj) -> Obj:
        ref = ObjectRef.of(obj, self._kind)
        action = f"replace {ref}"
        with self._request("replace", ref.kind.id, ref.namespace, ref.name):
            current = self._present(action, ref)
            refuse_other_version(action, ref, obj, current)
            return self._store(action, ref, prepared(obj), _UPDATER)

    def patch(
        self, kind: str, namespace: str | None, name: str, patch: Obj, *, resource_version: str | None = None
    ) -> Obj:
        ref = ObjectRef(self._kind(kind), namespace, name)
        ref.kind.path(namespace, name)
        action = f"patch {ref}"
        with self._request("patch", kind, namespace, name):
            current = self._present(action, ref)
            precondition = {"metadata": {"resourceVersion": resource_version}} if resource_version else patch
            refuse_other_version(action, ref, precondition, current)
            changed = merge_patch(copied(current), patch)
            if not isinstance(changed, dict):
                raise Invalid(action, "a patch is an object", status=400, reason="BadRequest")
            return self._store(action, ref, changed, _UPDATER)

    def patch_status(
        self, kind: str, namespace: str | None, name: str, status: Obj, *, resource_version: str | None = None
    ) -> Obj:
        ref = ObjectRef(self._kind(kind), namespace, name)
        action = f"patch the status of {ref}"
        with self._request("patch status", kind, namespace, name):
            current = self._present(action, ref)
            refuse_other_version(action, ref, {"metadata": {"resourceVersion": resource_version}}, current)
            self.set_status(kind, namespace, name, merge_patch(current.get("status"), status))
            return copied(self._present(action, ref))

    def delete(
        self,
        kind: str,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        propagation: Propagation = Propagation.BACKGROUND,
    ) -> bool:
        ref = ObjectRef(self._kind(kind), namespace, name)
        ref.kind.path(namespace, name)
        with self._request("delete", kind, namespace, name):
            current = self._objects.get(_key(ref))
            if current is None:
                return False
            if uid is not None and current["metadata"]["uid"] != uid:
                raise refusal(Conflict, f"delete {ref}", ref, f"has another uid than {uid}")
            self._remove(_key(ref), cascade=propagation is not Propagation.ORPHAN)
            return True

    def review(self, obj: Obj) -> Obj:
        with self._request("review", str(obj["kind"]), None, None):
            return reviewed(obj, self.tokens, self._objects)

    def find_kind(self, name: str) -> Kind | None:
        with self._request("discovery", name, None, None):
            if name not in self._kinds:
                parted(name)
            return self._kinds.get(name)

    def acting_as(self, user: str) -> FakeKube:
        """What he may do is not looked at."""
        self.users.append(user)
        return self

    def serve(self, *kinds: Kind) -> None:
        """What a CustomResourceDefinition does. Not recorded as a call."""
        self._kinds |= {kind.id: kind for kind in kinds}

    def server_version(self) -> str:
        with self._request("version", "", None, None):
            return "v1.34.0"

    def api_versions(self) -> tuple[str, ...]:
        with self._request("discovery", "", None, None):
            versions = {kind.api_version for kind in KINDS.values()}
            return tuple(sorted(versions | {f"{kind.api_version}/{kind.name}" for kind in KINDS.values()}))

    def set_status(self, kind: str, namespace: str | None, name: str, status: Mapping[str, Any]) -> None:
        """What a controller does: replace the status, and nothing else. Not recorded as a call."""
        with self._lock:
            current = self._objects[(kind, namespace, name)]
            if current.get("status") != status:
                current["status"] = copied(dict(status))
                current["metadata"]["resourceVersion"] = self._next_version()
                self.watches.tell((kind, namespace, name), current)

    def fork(self) -> FakeKube:
        """Another server with the same objects, to try from here what may happen."""
        other = FakeKube()
        other.serve(*self._kinds.values())
        with self._lock:
            other._objects = {key: copied(obj) for key, obj in self._objects.items()}
            other._owners = {
                key: {path: set(who) for path, who in owners.items()} for key, owners in self._owners.items()
            }
            other._version = self._version
        return other

    @contextmanager
    def _request(self, verb: str, kind: str, namespace: str | None, name: str | None) -> Iterator[None]:
        """One request: recorded, open to errors before and after its effect, alone in the server."""
        call = (verb, kind, namespace, name)
        self.calls.append(call)
        if self.before is not None:
            self.before(*call)
        with self._lock:
            yield
        if self.after is not None:
            self.after(*call)

    def _kind(self, name: str) -> Kind:
        if name not in self._kinds:
            parted(name)
            raise NotFound(f"find kind {name}", "the server does not serve it", status=404)
        return self._kinds[name]

    def _next_version(self) -> str:
        self._version += 1
        return str(self._version)

    def _present(self, action: str, ref: ObjectRef) -> Obj:
        current = self._objects.get(_key(ref))
        if current is None:
            raise refusal(NotFound, action, ref, "not found")
        return current

    def _refuse_unusable(self, action: str, ref: ObjectRef) -> None:
        if ref.namespace and ("Namespace", None, ref.namespace) not in self._objects:
            raise NotFound(action, f'namespaces "{ref.namespace}" not found', status=404, reason="NotFound")
        if not valid_name(ref):
            raise refusal(Invalid, action, ref, "is invalid: metadata.name: not a DNS name")

    def _add(self, ref: ObjectRef, obj: Obj, owner: str) -> Obj:
        if has_status(ref.kind):
            obj.pop("status", None)
        metadata = obj["metadata"]
        for name in _SERVER_FIELDS:
            metadata.pop(name, None)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata |= {
            "uid": str(uuid.uuid4()),
            "creationTimestamp": now,
            "resourceVersion": self._next_version(),
        }
        if "spec" in obj:
            metadata["generation"] = 1
        self._objects[_key(ref)] = obj
        self._owners[_key(ref)] = {path: {owner} for path in leaves(obj)}
        self.watches.tell(_key(ref), obj)
        return copied(obj)

    def _store(self, action: str, ref: ObjectRef, wanted: Obj, owner: str | None) -> Obj:
        """Put `wanted` in place of what is there, as the server does; `owner` comes to own what changes."""
        current = self._objects[_key(ref)]
        metadata = wanted["metadata"]
        for name in (*_SERVER_FIELDS, "resourceVersion"):
            metadata.pop(name, None)
            if name in current["metadata"]:
                metadata[name] = current["metadata"][name]
        if has_status(ref.kind):
            wanted.pop("status", None)
            if "status" in current:
                wanted["status"] = current["status"]
        refuse_mutation(action, ref, current, wanted)
        if wanted == current:
            return copied(current)
        before, after = leaves(current), leaves(wanted)
        owners = self._owners[_key(ref)]
        for path in before.keys() - after.keys():
            owners.pop(path, None)
        if owner is not None:
            owners |= {path: {owner} for path in after if before.get(path, ...) != after[path]}
        if wanted.get("spec") != current.get("spec"):
            metadata["generation"] = metadata.get("generation", 0) + 1
        metadata["resourceVersion"] = self._next_version()
        self._objects[_key(ref)] = wanted
        self.watches.tell(_key(ref), wanted)
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            self._remove(_key(ref), cascade=True)
        return copied(wanted)

    def _remove(self, key: Key, *, cascade: bool) -> None:
        obj = self._objects[key]
        if obj["metadata"].get("finalizers"):
            obj["metadata"].setdefault("deletionTimestamp", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
            obj["metadata"]["resourceVersion"] = self._next_version()
            self.watches.tell(key, obj)
            return
        del self._objects[key]
        self.watches.tell(key, obj, deleted=True)
        del self._owners[key]
        for other in list(self._dependents(key, obj["metadata"]["uid"])) if cascade else []:
            if other in self._objects:
                self._remove(other, cascade=True)

    def _dependents(self, key: Key, uid: str) -> Iterator[Key]:
        for other, obj in self._objects.items():
            owned = any(owner.get("uid") == uid for owner in obj["metadata"].get("ownerReferences") or [])
            if owned or (key[0] == "Namespace" and other[1] == key[2]):
                yield other


def _key(ref: ObjectRef) -> Key:
    return ref.kind.id, ref.namespace, ref.name


def _namespace(name: str) -> Obj:
    labels = {"kubernetes.io/metadata.name": name}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}, "spec": {}}
