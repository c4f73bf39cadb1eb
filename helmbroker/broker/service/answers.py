"""What the use cases answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from helmbroker.catalog.model import JSON, Object


@dataclass(frozen=True)
class Accepted:
    """The work goes on in the background (202)."""

    operation_id: str


@dataclass(frozen=True)
class Unchanged:
    """What was asked for is there already (200)."""


@dataclass(frozen=True)
class InstanceView:
    """GET instance: parameters without secrets."""

    service_id: str
    plan_id: str
    parameters: Mapping[str, JSON] = field(repr=False)


@dataclass(frozen=True)
class BindingView:
    """GET binding, or the 200 of a repeated bind."""

    credentials: Object = field(repr=False)
    parameters: Mapping[str, JSON] = field(repr=False)
