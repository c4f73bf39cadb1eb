"""What the controller answers, as far as the bridge reads it (drycc/controller, api/serializers)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from helmbroker.controller_bridge.apps.port import ReleaseState

_STATES = {"succeed": ReleaseState.SUCCEEDED, "crashed": ReleaseState.FAILED}


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Value(_Wire):
    """One variable, of a group or of a process type."""

    name: str
    value: str = Field(repr=False)
    group: str | None = None
    ptype: str | None = None


class HeldConfig(_Wire):
    """A config. `values_refs`: process type -> groups."""

    uuid: str
    values: Sequence[Value] = Field(default=(), repr=False)
    values_refs: Mapping[str, Sequence[str]] = {}


class Condition(_Wire):
    """What a pipeline told, the newest first."""

    exception: str | None = Field(default=None, repr=False)


class Release(_Wire):
    """One release. `created`: RFC 3339."""

    uuid: str
    version: int
    state: str
    failed: bool = False
    summary: str | None = ""
    exception: str | None = Field(default=None, repr=False)
    conditions: Sequence[Condition] = ()
    deployed_ptypes: Sequence[str] | None = ()
    config: str
    build: str | None = None
    created: datetime

    @property
    def outcome(self) -> ReleaseState:
        """Its state in our words; one without an end is pending, also when nothing will ever end it."""
        return ReleaseState.FAILED if self.failed else _STATES.get(self.state, ReleaseState.PENDING)

    @property
    def waits(self) -> bool:
        """Whether it has a build, and nobody has begun to deploy it: as long as autodeploy is off, for example."""
        return self.outcome is ReleaseState.PENDING and self.build is not None and not self.deployed_ptypes

    @property
    def begun(self) -> bool:
        """Whether it was to be deployed, and has not ended: it is deployed, was refused, or its worker has died."""
        return self.outcome is ReleaseState.PENDING and bool(self.deployed_ptypes)

    def equals(self, other: Release) -> bool:
        """Whether both have the same build and the same row of config, as a rollback and its goal do."""
        return (self.config, self.build) == (other.config, other.build)

    @property
    def trouble(self) -> str:
        """What the controller says about a crash. It may quote values."""
        told = self.conditions[0].exception if self.conditions else None
        return told or self.exception or "the controller does not say why"


class Releases(_Wire):
    """A page, newest first."""

    count: int
    results: Sequence[Release]


class ProcessType(_Wire):
    """One row of them."""

    name: str


class ProcessTypes(_Wire):
    """All that the app has."""

    results: Sequence[ProcessType]


class AppSettings(_Wire):
    """What happens by itself."""

    autodeploy: bool | None = True


class RolledBack(_Wire):
    """The number of the new release."""

    version: int
