"""What Kubernetes would not take of a rendered object, by its published OpenAPI schemas; without a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from helmbroker.broker.author.rendering import KUBERNETES
from helmbroker.catalog.model import Object, Severity

_LONGEST = 200  # characters of what is told of a value


def problems(objects: Iterable[Object]) -> Iterator[tuple[Severity, str]]:
    """Of each object what is wrong first; unknown fields are, as Helm's server-side apply refuses them."""
    try:
        import kubernetes_validate as schemas  # noqa: PLC0415  # large, and needed by authors alone
    except ImportError:
        text = (
            "not held against the schemas of Kubernetes, which are not installed: pip install 'helmbroker[author]'"
        )
        yield Severity.WARNING, text
        return
    for obj in objects:
        given: Any = obj
        kind, version, name = str(obj.get("kind")), str(obj.get("apiVersion")), given["metadata"].get("name")
        try:
            schemas.validate({**obj, "kind": kind, "apiVersion": version}, KUBERNETES, strict=True)
        except schemas.SchemaNotFoundError:
            yield Severity.WARNING, f"{kind} {name}: Kubernetes {KUBERNETES} itself knows no {kind} of {version}"
        except schemas.ValidationError as error:
            where = ".".join(map(str, error.absolute_path)) or "it"
            said = error.message if len(error.message) <= _LONGEST else f"{error.message[:_LONGEST]}…"
            yield Severity.ERROR, f"{kind} {name}: {where}: {said}"
