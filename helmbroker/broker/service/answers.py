"""What the use cases answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    version: str  # of the addon revision that it runs: maintenance_info (OSB item 63)


@dataclass(frozen=True)
class Unbound:
    """The binding was there and is gone now (200)."""


@dataclass(frozen=True)
class BindingView:
    """GET binding, or the answer to a bind: `made` by it (201), or there already (200).

    Times are seconds since the epoch; None: it does not expire.
    """

    credentials: Object = field(repr=False)
    parameters: Mapping[str, JSON] = field(repr=False)
    endpoints: Sequence[Object] = ()
    expires_at: float | None = None
    renew_before: float | None = None
    made: bool = False
