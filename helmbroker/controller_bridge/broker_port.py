"""The platform side's view of a service broker (OSB 2.17): a port, its words, its errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from helmbroker.durable import JSON

DEFAULT = "default"  # the broker that the settings name by variables of their own
EXTERNAL = "external"  # the bridge itself, for services that live elsewhere
LONGEST_S = 86400.0  # no plan makes the bridge wait longer for an operation


class Progress(StrEnum):
    """State of an operation at the broker (OSB item 88)."""

    IN_PROGRESS = "in progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Plan:
    """One plan of an offering."""

    id: str
    name: str
    description: str
    bindable: bool
    updateable: bool
    parameters_schema: Mapping[str, JSON] | None = field(default=None, repr=False)
    binding_rotatable: bool = False  # OSB 2.17: a binding may name the one that it replaces
    admin_rotatable: bool = False  # by the parameter admin.rotation, which its schema of updates has
    longest_s: float | None = None  # its operations may take so long (OSB item 34), at most LONGEST_S; None: unsaid


@dataclass(frozen=True)
class Offering:
    """One service offering of the catalog."""

    id: str
    name: str
    description: str
    updateable: bool
    instances_retrievable: bool
    plans: tuple[Plan, ...]


@dataclass(frozen=True)
class Caller:
    """On whose behalf the broker is called; None as user: nobody's (orphan mitigation)."""

    user: str | None


@dataclass(frozen=True)
class InstanceRef:
    """A service instance at the broker, and where it belongs on the platform. broker: its name in the bridge."""

    instance_id: str
    service_id: str
    plan_id: str
    app: str
    name: str
    broker: str = DEFAULT


@dataclass(frozen=True)
class BindingRef:
    """A service binding at the broker."""

    instance: InstanceRef
    binding_id: str


@dataclass(frozen=True)
class Answer:
    """A mutation was accepted: finished at once, or (`pending`) to be polled with `operation`.

    longest_s: of the plan, as the catalog said it just before. retry_after_s: seconds before the first look.
    """

    pending: bool
    operation: str | None = None
    longest_s: float | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Status:
    """One look at an operation. `gone`: the broker answered 410 (OSB item 91)."""

    progress: Progress
    description: str
    retry_after_s: float | None = None
    gone: bool = False


@dataclass(frozen=True)
class Credentials:
    """What a binding delivers. Never shown by repr.

    renew_before: seconds since the epoch (OSB item 104); None: they do not expire.
    """

    values: Mapping[str, JSON] = field(repr=False)
    renew_before: float | None = None


class BrokerError(Exception):
    """The broker refused, or answered what OSB does not allow; status 0: it was not even asked.

    `error` is OSB's word, `description` and the whole text are public.
    """

    def __init__(self, status: int, error: str, description: str) -> None:
        answered = f"answered {status}{f' {error}' if error else ''}" if status else "cannot be used"
        super().__init__(f"the broker {answered}: {description}")
        self.status, self.error, self.description = status, error, description

    @property
    def busy(self) -> bool:
        """Another operation runs on the same thing: ask again later (OSB item 11)."""
        return self.status == 422 and self.error == "ConcurrencyError"


class Unreachable(Exception):
    """The broker did not answer in time, or said it cannot now; the same request may be sent again.

    after_s: seconds that it wants to be left alone before; 0: it does not say.
    """

    def __init__(self, message: str, *, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.after_s = after_s


class Broker(Protocol):
    """A service broker. Every method may be repeated with the same ids; all raise BrokerError and Unreachable."""

    def catalog(self) -> tuple[Offering, ...]:
        """All offerings."""
        ...

    def provision(self, ref: InstanceRef, parameters: Mapping[str, JSON], caller: Caller) -> Answer:
        """PUT the instance."""
        ...

    def update(self, ref: InstanceRef, parameters: Mapping[str, JSON], caller: Caller, *, plan_id: str) -> Answer:
        """PATCH the instance: to the plan `plan_id`, and with these parameters beside those it has (OSB item 66).

        Until the broker is done, `ref` names the plan that the instance had.
        """
        ...

    def deprovision(self, ref: InstanceRef, caller: Caller) -> Answer:
        """DELETE the instance; one that is gone already (410) counts as done."""
        ...

    def instance_status(self, ref: InstanceRef, operation: str | None) -> Status:
        """Look at the instance's operation."""
        ...

    def instance_parameters(self, ref: InstanceRef) -> Mapping[str, JSON]:
        """GET the instance: the parameters it runs with, as far as the broker shows them."""
        ...

    def bind(
        self, ref: BindingRef, caller: Caller, *, predecessor: str | None = None
    ) -> tuple[Answer, Credentials | None]:
        """PUT the binding; credentials come with a synchronous answer only.

        predecessor: the binding of the same instance that it is to replace (OSB item 108); both are valid then.
        """
        ...

    def unbind(self, ref: BindingRef, caller: Caller) -> Answer:
        """DELETE the binding; one that is gone already (410) counts as done."""
        ...

    def binding_status(self, ref: BindingRef, operation: str | None) -> Status:
        """Look at the binding's operation."""
        ...

    def credentials(self, ref: BindingRef) -> Credentials:
        """GET the binding."""
        ...
