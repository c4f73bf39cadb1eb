"""Several service brokers as one: each resource has its own, and the catalog is that of all."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from helmbroker.controller_bridge.broker_port import (
    Answer,
    BindingRef,
    Broker,
    BrokerError,
    Caller,
    Credentials,
    InstanceRef,
    Offering,
    Status,
    Unreachable,
)
from helmbroker.durable import JSON

_LOG = logging.getLogger("helmbroker.bridge")
_BETWEEN = "/"  # in `broker/class`


class UnknownService(Exception):
    """No broker offers a class of this name: a sentence with the cure."""


class AmbiguousService(Exception):
    """More than one broker offers a class of this name: a sentence with the cure."""


class Offered(NamedTuple):
    """A service class, and the name of the broker that offers it."""

    broker: str
    offering: Offering


@dataclass(frozen=True)
class Catalog:
    """What all brokers offer, and why some could not be asked: `away`, a sentence by the broker's name."""

    offered: tuple[Offered, ...]
    away: Mapping[str, str] = field(default_factory=dict)

    def named(self) -> dict[str, Offered]:
        """Each class by the name that users give it: `broker/class` where several brokers have one of that name."""
        plain = Counter(one.offering.name for one in self.offered)
        return {
            one.offering.name if plain[one.offering.name] == 1 else _full(one): one
            for one in sorted(self.offered, key=lambda one: (one.offering.name, one.broker))
        }

    def find(self, service: str) -> Offered:
        """The class of this name, with or without its broker's.

        Raises UnknownService, AmbiguousService; Unreachable when a broker that is away may have it.
        """
        found = [one for one in self.offered if service in (one.offering.name, _full(one))]
        if len(found) == 1:
            return found[0]
        if found:
            names = " or ".join(sorted(map(_full, found)))
            raise AmbiguousService(f"more than one broker offers a service {service!r}: say {names}")
        away = [why for name, why in self.away.items() if _BETWEEN not in service or service.startswith(_of(name))]
        if away:
            raise Unreachable("; ".join(away))
        raise UnknownService(f"the broker offers no service {service!r}; `drycc resources services` lists them")


class Brokers:
    """The port Broker for all of them: a reference says whose it is. Safe for threads where they are.

    Its own `catalog` raises nothing: whoever is away does not hide the others.
    """

    def __init__(self, brokers: Mapping[str, Broker]) -> None:
        self._brokers = dict(brokers)

    @property
    def names(self) -> frozenset[str]:
        """The names of all brokers."""
        return frozenset(self._brokers)

    def catalog(self) -> Catalog:
        """All that they offer, asked at the same time."""
        with ThreadPoolExecutor(max_workers=max(1, len(self._brokers))) as pool:
            answers = dict(zip(self._brokers, pool.map(self._ask, self._brokers), strict=True))
        lists = {name: found for name, found in answers.items() if isinstance(found, tuple)}
        offered = tuple(Offered(name, one) for name, found in lists.items() for one in found)
        away = {name: why for name, why in answers.items() if isinstance(why, str)}
        for name, why in away.items():
            _LOG.warning("a service broker cannot be used", extra={"broker": name, "reason": why})
        return Catalog(offered, away)

    def service(self, ref: InstanceRef) -> Offered:
        """What its broker says of an instance's service now. Raises UnknownService, BrokerError, Unreachable."""
        for one in self._named(ref.broker).catalog():
            if one.id == ref.service_id:
                return Offered(ref.broker, one)
        raise UnknownService(f"the broker {ref.broker} does not offer the service of {ref.name} any more")

    def provision(self, ref: InstanceRef, parameters: Mapping[str, JSON], caller: Caller) -> Answer:
        """See Broker, as for what follows."""
        return self._named(ref.broker).provision(ref, parameters, caller)

    def update(self, ref: InstanceRef, parameters: Mapping[str, JSON], caller: Caller, *, plan_id: str) -> Answer:
        return self._named(ref.broker).update(ref, parameters, caller, plan_id=plan_id)

    def deprovision(self, ref: InstanceRef, caller: Caller) -> Answer:
        return self._named(ref.broker).deprovision(ref, caller)

    def instance_status(self, ref: InstanceRef, operation: str | None) -> Status:
        return self._named(ref.broker).instance_status(ref, operation)

    def instance_parameters(self, ref: InstanceRef) -> Mapping[str, JSON]:
        return self._named(ref.broker).instance_parameters(ref)

    def bind(
        self, ref: BindingRef, caller: Caller, *, predecessor: str | None = None
    ) -> tuple[Answer, Credentials | None]:
        return self._named(ref.instance.broker).bind(ref, caller, predecessor=predecessor)

    def unbind(self, ref: BindingRef, caller: Caller) -> Answer:
        return self._named(ref.instance.broker).unbind(ref, caller)

    def binding_status(self, ref: BindingRef, operation: str | None) -> Status:
        return self._named(ref.instance.broker).binding_status(ref, operation)

    def credentials(self, ref: BindingRef) -> Credentials:
        return self._named(ref.instance.broker).credentials(ref)

    def _ask(self, name: str) -> tuple[Offering, ...] | str:
        try:
            return self._brokers[name].catalog()
        except (BrokerError, Unreachable) as error:
            return str(error)

    def _named(self, name: str) -> Broker:
        if name not in self._brokers:
            raise BrokerError(0, "", f"there is no broker {name!r} in the bridge's settings any more; put it back")
        return self._brokers[name]


def _of(broker: str) -> str:
    """What the names of its classes begin with."""
    return f"{broker}{_BETWEEN}"


def _full(one: Offered) -> str:
    return f"{_of(one.broker)}{one.offering.name}"
