"""Where a workload keeps what a projection changes: ClusterWorkloadResourceMapping of servicebinding.io. Pure.

Sections are those of Service Binding for Kubernetes 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from helmbroker.expressions import BadPath, Expression, expression
from helmbroker.kubeapi.port import Obj

Path = tuple[str, ...]
"""Keys that lead through maps: a Fixed JSONPath."""

_FIELD = re.compile(r"""\.((?:\\.|[^\s.\[\]\\'"])+)|\['((?:\\.|[^'\\])+)'\]|\["((?:\\.|[^"\\])+)"\]""")
_TEMPLATE = ".spec.template"


class BadMapping(Exception):
    """A mapping that cannot be read; a sentence for whoever wrote it."""


@dataclass(frozen=True)
class ContainerPaths:
    """Where containers are in the workload, and what is where in each of them."""

    path: Expression
    name: Path | None  # None: they have no names, so all of them are bound
    env: Path
    mounts: Path


@dataclass(frozen=True)
class WorkloadMapping:
    """A MappingTemplate. `source`: as it is written, without its version; equal ones mean the same."""

    source: Mapping[str, Any]
    annotations: Path = field(compare=False)  # of the pods
    containers: Sequence[ContainerPaths] = field(compare=False)
    volumes: Path = field(compare=False)

    @staticmethod
    def read(template: Mapping[str, Any]) -> WorkloadMapping:
        """From JSON; what is left out is where a pod template has it. Raises BadMapping."""
        given = {key: value for key, value in template.items() if key != "version" and value}
        containers = given.get("containers") or [
            {"path": f"{_TEMPLATE}.spec.{part}[*]", "name": ".name"} for part in ("containers", "initContainers")
        ]
        return WorkloadMapping(
            given,
            fixed(given.get("annotations") or f"{_TEMPLATE}.metadata.annotations"),
            tuple(_container(each) for each in containers),
            fixed(given.get("volumes") or f"{_TEMPLATE}.spec.volumes"),
        )

    def fragments(self, workload: Obj) -> Iterator[tuple[ContainerPaths, Obj]]:
        """Every container of the workload: the very object inside it, to be read or changed."""
        for paths in self.containers:
            for fragment in paths.path.results(workload):
                if isinstance(fragment, dict):
                    yield paths, fragment


def mapping_for(resource: Obj | None, version: str) -> WorkloadMapping:
    """What a ClusterWorkloadResourceMapping, if there is one, says of a version. Raises BadMapping.

    A version without an entry of its own has that of `*`, else the default (section Runtime Behavior).
    """
    templates = ((resource or {}).get("spec") or {}).get("versions") or ()
    by_version = {each.get("version"): each for each in templates}
    try:
        return WorkloadMapping.read(by_version.get(version) or by_version.get("*") or {})
    except BadMapping as error:
        name = ((resource or {}).get("metadata") or {}).get("name")
        raise BadMapping(f"ClusterWorkloadResourceMapping {name}: {error}") from None


def fixed(text: str) -> Path:
    """Read a Fixed JSONPath: fields and nothing else, such as `.spec['template'].spec`. Raises BadMapping."""
    keys, end = [], 0
    for found in _FIELD.finditer(text):
        if found.start() != end:
            break
        keys.append(re.sub(r"\\(.)", r"\1", found[1] or found[2] or found[3]))
        end = found.end()
    if not keys or end != len(text):
        raise BadMapping(
            f"{text!r} is no fixed path: it has to be fields alone, such as .spec.template.spec.volumes"
        )
    return tuple(keys)


def at(obj: Mapping[str, Any], path: Path) -> Any:
    """What is there; None where there is nothing."""
    found: Any = obj
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def put(obj: Obj, path: Path, value: Any) -> None:
    """Set it, with what leads to it; what is empty is removed. Raises BadMapping where the way is barred."""
    inner: Any = obj
    for key in path[:-1]:
        if value and not inner.get(key):
            inner[key] = {}
        inner = inner.get(key)
        if not value and inner is None:
            return
        if not isinstance(inner, dict):
            raise BadMapping(f"{'.'.join(path)} leads nowhere: {key} is no map")
    if value:
        inner[path[-1]] = value
    else:
        inner.pop(path[-1], None)


def _container(given: Mapping[str, Any]) -> ContainerPaths:
    try:
        path = expression(str(given.get("path") or ""))
    except BadPath as error:
        raise BadMapping(str(error)) from None
    name = given.get("name")
    return ContainerPaths(
        path,
        fixed(name) if name else None,
        fixed(given.get("env") or ".env"),
        fixed(given.get("volumeMounts") or ".volumeMounts"),
    )
