"""What an addon is: frozen values, the same for every format and source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"
Object: TypeAlias = Mapping[str, JSON]
NOTHING: Object = MappingProxyType({})


class Severity(StrEnum):
    """Whether an addon can be used nevertheless."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Fault:
    """Something wrong with an addon: where, what, and the cure. `line` counts from 1; 0 = the whole file."""

    file: str
    line: int
    message: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class DataPolicy(StrEnum):
    """What becomes of an instance's volumes when the instance goes."""

    DELETE = "delete"
    RETAIN = "retain"


class PodSecurity(StrEnum):
    """A level of the Pod Security Standards, the narrowest last."""

    PRIVILEGED = "privileged"
    BASELINE = "baseline"
    RESTRICTED = "restricted"

    @classmethod
    def widest(cls, *levels: PodSecurity) -> PodSecurity:
        """The level that allows most."""
        return min(levels, key=list(cls).index)


@dataclass(frozen=True)
class ParameterSchemas:
    """JSON Schemas of what a user may set; None: nothing may be set."""

    create: Object | None = None
    update: Object | None = None
    bind: Object | None = None


@dataclass(frozen=True)
class Lifetime:
    """How long the credentials of a binding are valid, and how long before their end they are to be renewed."""

    seconds: int
    renewal_s: int  # at most `seconds`


@dataclass(frozen=True)
class Plan:
    """A named set of Helm values and limits of an offering. `parameters`: those of the addon, or its own."""

    id: str
    name: str
    description: str
    free: bool
    metadata: Object
    data: DataPolicy
    timeout_s: int  # of one operation on an instance of this plan, in seconds
    values: Object
    parameters: ParameterSchemas
    bindable: bool
    binding_lifetime: Lifetime | None = None  # None: until it is unbound
    updates_to: tuple[str, ...] | None = None  # names of plans; None: as the addon's plan_updateable says
    upgrade_notes: str | None = None  # wins over the addon's
    # File below the addon's folder: a template that is rendered within the instance's own chart. Bindings share
    # what it says, and there is no binding chart.
    credentials_template: str | None = None
    pod_security: PodSecurity = PodSecurity.BASELINE  # what its pods keep to; privileged has to be granted


@dataclass(frozen=True)
class Legacy:
    """What the operator lets addons of other brokers' formats do, and no native one may; both by names of addons.

    open_parameters: users may set also what nobody has allowed. hooks: scripts of plans run as Jobs, in this image.
    """

    open_parameters: frozenset[str] = frozenset()
    hooks: Mapping[str, str] = field(default_factory=dict)


STRICT = Legacy()


@dataclass(frozen=True)
class Addon:
    """One service offering, and the folder that holds its charts.

    The digest covers every file of the folder, as `mended`, so it names a revision: instances pin it.
    """

    id: str
    name: str
    version: str  # SemVer 2.0: revisions are put in order by it (OSB item 35)
    description: str
    tags: tuple[str, ...]
    metadata: Object
    bindable: bool
    plan_updateable: bool
    plans: tuple[Plan, ...]
    folder: Path
    digest: str  # sha256, 64 hex digits
    binding_rotatable: bool = False  # several bindings may work on what one of them has made
    upgrade_notes: str | None = None  # what moving an instance to this revision means for its users
    chart_folder: str = "chart"  # below `folder`
    archived: bool = False  # not offered any more
    dotted_parameters: bool = False  # users may write {"a.b": 1} for {"a": {"b": 1}}, and rawValues
    fullname_value: str | None = None  # the Helm value that must be the name of the Helm release
    plan_value: str | None = None  # the Helm value of plans that no user sets
    mended: Mapping[str, bytes | None] = field(default_factory=dict, repr=False)  # of a revision; None: left out
    warnings: tuple[Fault, ...] = ()

    @property
    def chart(self) -> Path:
        """The chart of a service instance."""
        return self.folder / self.chart_folder

    @property
    def binding_chart(self) -> Path:
        """The chart of a binding; there is one exactly when the addon is bindable."""
        return self.folder / "binding"

    def updates_to(self, plan: Plan) -> tuple[Plan, ...]:
        """The plans that an instance of `plan` may change to (OSB item 71)."""
        others = tuple(other for other in self.plans if other.id != plan.id)
        if plan.updates_to is None:
            return others if self.plan_updateable else ()
        return tuple(other for other in others if other.name in plan.updates_to)

    def plan(self, plan_id: str) -> Plan | None:
        """The plan with this id, if it is one of this offering (OSB item 42)."""
        return next((plan for plan in self.plans if plan.id == plan_id), None)

    def parameters(self, *plan_ids: str) -> ParameterSchemas:
        """What users may set with the first of these plans that this revision has; with none of them nothing."""
        plans = (self.plan(plan_id) for plan_id in plan_ids)
        return next((plan.parameters for plan in plans if plan is not None), ParameterSchemas())


class AddonFaults(Exception):
    """An addon cannot be used. All its faults at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Catalog:
    """All usable addons; what is quarantined, with its faults; what is doubtful about any of them (by folder).

    archived: what would be usable, and is not offered any more.
    """

    addons: tuple[Addon, ...] = ()
    quarantined: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict)
    warnings: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict)
    archived: tuple[Addon, ...] = ()

    def addon(self, service_id: str) -> Addon | None:
        """The offering with this id."""
        return next((addon for addon in self.addons if addon.id == service_id), None)
