"""The words of the platform side: a resource (app, instance, binding together), its states, who may do what."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from helmbroker.controller_bridge.broker_port import DEFAULT, EXTERNAL, InstanceRef
from helmbroker.controller_bridge.delivery import EnvMapping


class InstanceState(StrEnum):
    """Where the service instance of a resource stands; the values are what clients of the REST API see."""

    PROVISIONING = "Provisioning"
    READY = "Ready"
    UPDATING = "UpdatingInstance"
    FAILED = "Failed"
    DEPROVISIONING = "Deprovisioning"
    DEPROVISION_FAILED = "DeprovisionCallFailed"


class BindingState(StrEnum):
    """Where the binding of a resource stands. UNBOUND is shown as null."""

    UNBOUND = "Unbound"
    BINDING = "Binding"
    READY = "Ready"
    ROTATING = "Rotating"
    FAILED = "Failed"
    UNBINDING = "Unbinding"
    UNBIND_FAILED = "UnbindCallFailed"


class Kind(StrEnum):
    """Kinds of durable operations."""

    CREATE = "create"
    UPDATE = "update"
    BIND = "bind"
    UNBIND = "unbind"
    DESTROY = "destroy"
    ROLLBACK = "rollback"
    RELEASE = "release"
    ROTATE = "rotate"
    ROTATE_NOW = "rotate at once"  # the old credentials end before the app runs with the new ones
    REVOKE = "revoke"  # what a rotation has left: the old credentials, once more
    ROTATE_ADMIN = "rotate admin"  # the password of the instance's own administrator, which no app has
    REINJECT = "reinject"  # of an app: its releases may have lost what its bindings deliver


SELF = "helmbroker-bridge"
"""Who does what no user has asked for."""


class Schedule(StrEnum):
    """What is done again and again, of no resource."""

    RETENTION = "retention"
    ROTATION = "rotation"
    WATCH = "watch"


class Role(IntEnum):
    """What a token's owner may do with an app; each role includes the ones before it."""

    VIEWER = 1
    MEMBER = 2
    ADMIN = 3


@dataclass(frozen=True)
class Resource:
    """One row of `resources`, without its sealed options. Holds no credentials, ever."""

    uuid: str
    app: str
    name: str
    service: str
    plan: str
    service_id: str | None  # ids of the broker's catalog; None until the create operation has looked them up
    plan_id: str | None
    instance_id: str
    binding_id: str | None
    instance: InstanceState
    binding: BindingState
    instance_operation: str  # id of the operation that was started last for the instance
    binding_operation: str | None
    message: str  # public: how the last operation ended
    owner: str
    created: float  # seconds since the epoch
    updated: float
    other_bindings: tuple[str, ...] = ()  # at the broker, beside `binding_id`: those that come or go in a rotation
    rotate_every_s: float | None = None  # None: only when somebody asks for it
    renew_before: float | None = None  # seconds since the epoch: when the broker wants the credentials replaced
    rotate_at: float | None = None  # when the next rotation is due: as above, on the database's clock
    env: EnvMapping = field(default_factory=EnvMapping)  # how the app gets the credentials
    broker: str = DEFAULT  # which one has the instance; means nothing before `service_id`
    shared_from: str | None = None  # uuid of the resource whose instance it is; None: it has one of its own
    source: str | None = None  # the same as `app/name`

    @property
    def at_broker(self) -> InstanceRef | None:
        """The instance at its broker; None before its service and plan have been looked up."""
        if self.service_id is None or self.plan_id is None:
            return None
        return InstanceRef(
            self.instance_id, self.service_id, self.plan_id, app=self.app, name=self.name, broker=self.broker
        )

    @property
    def external(self) -> bool:
        """Whether the service lives elsewhere, and its options say how to get there."""
        return self.broker == EXTERNAL

    @property
    def service_class(self) -> str:
        """The service without the broker's name that the user may have put before it."""
        return self.service.rpartition("/")[2]

    @property
    def bindings(self) -> tuple[str, ...]:
        """Every binding that the broker may have of it, that of the app first."""
        return self.other_bindings if self.binding_id is None else (self.binding_id, *self.other_bindings)

    def due(self, moment: float) -> float | None:
        """When the credentials of `moment` (seconds since the epoch) are to be replaced; None: never."""
        wished = None if self.rotate_every_s is None else moment + self.rotate_every_s
        return min((each for each in (self.renew_before, wished) if each is not None), default=None)

    @property
    def plan_name(self) -> str:
        """`service:plan`, as the user wrote it."""
        return f"{self.service}:{self.plan}"

    @property
    def subject(self) -> str:
        """The subject of operations on the instance alone."""
        return f"resource/{self.uuid}"

    @property
    def app_subject(self) -> str:
        """The subject of operations that make app releases."""
        return app_subject(self.app)


def app_subject(app: str) -> str:
    """The subject of operations that make releases of `app`: one at a time."""
    return f"app/{app}"
