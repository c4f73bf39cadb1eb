"""Workload projection of servicebinding.io: a Secret's entries as files and variables of a workload. Pure.

What is projected is noted in an annotation of the workload, so that exactly that can be taken back, by the mapping
of then. Sections are those of Service Binding for Kubernetes 1.1.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from helmbroker.controller_bridge.watch.mapping import ContainerPaths, WorkloadMapping, at, put
from helmbroker.kubeapi.port import Obj

ROOT = "SERVICE_BINDING_ROOT"
DEFAULT_ROOT = "/bindings"
_PREFIX = "helmbroker.io"
_OVERRIDES = ("type", "provider")
_NOTES = ("metadata", "annotations")
_FILE_MODE = 0o644  # what the server would add

Entries = list[Obj]


class CannotProject(Exception):
    """The workload does not take the binding; a sentence that says where and why."""


@dataclass(frozen=True)
class Projection:
    """What a ServiceBinding asks for, its service found."""

    uid: str
    name: str  # of the directory
    secret: str
    overrides: Mapping[str, str]  # `type` and `provider`, where the binding says them
    env: Mapping[str, str]  # variable -> entry
    containers: Sequence[str] | None = None  # None: all of them

    @property
    def volume(self) -> str:
        """The name of the volume."""
        return _volume(self.uid)


def project(workload: Obj, wanted: Projection, mapping: WorkloadMapping) -> Obj:
    """The workload with the binding in it. Raises CannotProject, BadMapping. What has it already is equal after.

    Nothing of others is changed; what another mapping put elsewhere is taken back first.
    """
    noted = note(workload, wanted.uid)
    if noted is not None and noted["mapping"] != mapping.source:
        workload = unproject(workload, wanted.uid)
    after = copy.deepcopy(workload)
    bound = 0
    for paths, fragment in mapping.fragments(after):
        chosen = _is_chosen(paths, fragment, wanted.containers)
        _project_container(fragment, paths, wanted if chosen else None, wanted.uid, noted)
        bound += chosen
    if not bound:
        named = f" called {' or '.join(wanted.containers)}" if wanted.containers else ""
        raise CannotProject(f"it has no container{named} where its mapping says")
    _put_volume(after, mapping, wanted.uid, _volume_of(wanted))
    _put_annotations(
        after, mapping.annotations, {_key(kind, wanted.uid): wanted.overrides.get(kind) for kind in _OVERRIDES}
    )
    stored = {"mapping": mapping.source, "secret": wanted.secret, "env": sorted(wanted.env)}
    _put_annotations(after, _NOTES, {_key("binding", wanted.uid): json.dumps(stored, sort_keys=True)})
    return after


def unproject(workload: Obj, uid: str) -> Obj:
    """The workload without the binding of this uid; the variable SERVICE_BINDING_ROOT stays, others may need it."""
    noted = note(workload, uid)
    if noted is None:
        return workload
    after = copy.deepcopy(workload)
    mapping = WorkloadMapping.read(noted["mapping"])
    for paths, fragment in mapping.fragments(after):
        _project_container(fragment, paths, None, uid, noted)
    _put_volume(after, mapping, uid, None)
    _put_annotations(after, mapping.annotations, dict.fromkeys(_key(kind, uid) for kind in _OVERRIDES))
    _put_annotations(after, _NOTES, {_key("binding", uid): None})
    return after


def note(workload: Obj, uid: str) -> Mapping[str, Any] | None:
    """What is noted of a binding in the workload: `mapping`, `secret` and the variables of `env`."""
    text = (at(workload, _NOTES) or {}).get(_key("binding", uid))
    try:
        found = json.loads(text) if text is not None else None
    except ValueError:
        found = None
    return found if isinstance(found, dict) and {"mapping", "secret", "env"} <= set(found) else None


def merge_patch(before: Obj, after: Obj) -> Obj:
    """The JSON merge patch (RFC 7386) from one to the other: only what differs; lists whole."""
    patch: Obj = dict.fromkeys(set(before) - set(after))
    for key, value in after.items():
        if isinstance(value, dict) and isinstance(before.get(key), dict):
            inner = merge_patch(before[key], value)
            patch |= {key: inner} if inner else {}
        elif before.get(key) != value:
            patch[key] = value
    return patch


def _project_container(
    fragment: Obj, paths: ContainerPaths, wanted: Projection | None, uid: str, noted: Mapping[str, Any] | None
) -> None:
    """Give it what is wanted, and nothing else of this binding. None: nothing at all."""
    env: Entries = at(fragment, paths.env) or []
    mounts: Entries = at(fragment, paths.mounts) or []

    def is_variable(entry: Obj) -> bool:
        return _is_variable(entry, uid, noted)

    def is_mount(entry: Obj) -> bool:
        return entry.get("name") == _volume(uid)

    variables: Entries = []
    mounted: Entries = []
    if wanted is not None:
        env = _with_root(env)
        variables = [_variable(wanted, name, entry) for name, entry in sorted(wanted.env.items())]
        mounted = [{"name": wanted.volume, "mountPath": f"{_root(env)}/{wanted.name}", "readOnly": True}]
        _check_free(variables, "name", env, is_variable, "sets {} itself")
        _check_free(mounted, "mountPath", mounts, is_mount, "has something at {} already")
    put(fragment, paths.env, _replaced(env, is_variable, variables))
    put(fragment, paths.mounts, _replaced(mounts, is_mount, mounted))


def _replaced(entries: Entries, is_mine: Callable[[Obj], bool], wanted: Entries) -> Entries:
    """`wanted` in place of what is mine, where its first was: so nothing moves when nothing is new."""
    first = next((number for number, entry in enumerate(entries) if is_mine(entry)), len(entries))
    others = [entry for entry in entries if not is_mine(entry)]
    return [*others[:first], *wanted, *others[first:]]


def _check_free(wanted: Entries, key: str, there: Entries, is_mine: Callable[[Obj], bool], sentence: str) -> None:
    taken = {entry.get(key) for entry in there if not is_mine(entry)}
    for entry in wanted:
        if entry[key] in taken:
            raise CannotProject(
                f"a container {sentence.format(entry[key])}: choose another name in the ServiceBinding"
            )


def _with_root(env: Entries) -> Entries:
    there = any(entry.get("name") == ROOT for entry in env)
    return env if there else [*env, {"name": ROOT, "value": DEFAULT_ROOT}]


def _root(env: Entries) -> str:
    root = next(entry for entry in env if entry.get("name") == ROOT).get("value")
    if not isinstance(root, str) or not root.startswith("/") or "$(" in root:
        raise CannotProject(f"a container has {ROOT}, but no plain absolute path as its value")
    return root.rstrip("/")


def _variable(wanted: Projection, name: str, entry: str) -> Obj:
    if entry in wanted.overrides:
        return {"name": name, "valueFrom": {"fieldRef": _annotation(entry, wanted.uid)}}
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": wanted.secret, "key": entry}}}


def _is_variable(entry: Obj, uid: str, noted: Mapping[str, Any] | None) -> bool:
    """Whether the binding has set it, and nobody has made it something else since."""
    if noted is None or entry.get("name") not in noted["env"]:
        return False
    source = entry.get("valueFrom") or {}
    path = (source.get("fieldRef") or {}).get("fieldPath")
    secret = (source.get("secretKeyRef") or {}).get("name")
    return secret == noted["secret"] or path in [_annotation(kind, uid)["fieldPath"] for kind in _OVERRIDES]


def _is_chosen(paths: ContainerPaths, fragment: Obj, containers: Sequence[str] | None) -> bool:
    return containers is None or paths.name is None or at(fragment, paths.name) in containers


def _volume_of(wanted: Projection) -> Obj:
    """The Secret's files, over which those of the overrides lie: later sources win."""
    sources: Entries = [{"secret": {"name": wanted.secret}}]
    for kind in sorted(wanted.overrides):
        item = {"path": kind, "fieldRef": _annotation(kind, wanted.uid)}
        sources.append({"downwardAPI": {"items": [item]}})
    return {"name": wanted.volume, "projected": {"defaultMode": _FILE_MODE, "sources": sources}}


def _put_volume(workload: Obj, mapping: WorkloadMapping, uid: str, volume: Obj | None) -> None:
    volumes: Entries = at(workload, mapping.volumes) or []
    wanted = [] if volume is None else [volume]
    put(workload, mapping.volumes, _replaced(volumes, lambda each: each.get("name") == _volume(uid), wanted))


def _put_annotations(workload: Obj, path: tuple[str, ...], changes: Mapping[str, str | None]) -> None:
    after = {**(at(workload, path) or {}), **changes}
    put(workload, path, {key: value for key, value in after.items() if value is not None})


def _annotation(kind: str, uid: str) -> dict[str, str]:
    return {"apiVersion": "v1", "fieldPath": f"metadata.annotations['{_key(kind, uid)}']"}


def _key(kind: str, uid: str) -> str:
    return f"{_PREFIX}/{kind}-{uid}"


def _volume(uid: str) -> str:
    return f"servicebinding-{uid}"
