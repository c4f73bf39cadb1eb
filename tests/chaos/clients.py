"""The lives of service instances: what clients do with a broker while it is disturbed."""

from __future__ import annotations

import random
import threading
import uuid
from dataclasses import dataclass, field

from helmbroker.broker.domain.operation import Kind
from tests.chaos.platform import Broken, Ended, Platform

TRIES = 5  # of what the platform has to clean up


@dataclass(eq=False)
class Binding:
    """A binding, as the platform remembers it. `credentials`: None until they were delivered."""

    id: str
    credentials: dict[str, str] | None = field(default=None, repr=False)
    gone: bool = False


@dataclass(eq=False)
class Instance:
    """An instance, as the platform remembers it."""

    service: str
    ids: dict[str, str]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    gone: bool = False
    bindings: list[Binding] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/v2/service_instances/{self.id}"

    @property
    def alive(self) -> list[Binding]:
        return [binding for binding in self.bindings if not binding.gone]


@dataclass(eq=False)
class Client:
    """One thread of a platform, with instances of one service. `keeps`: its instance lives as long as the run."""

    platform: Platform
    service: str
    seed: int
    stop: threading.Event  # begin nothing new
    keeps: bool = False
    instances: list[Instance] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - for a test, not for a secret

    @property
    def delivered(self) -> list[tuple[Instance, Binding]]:
        """Bindings whose credentials were handed out, of instances that are there."""
        alive = [instance for instance in self.instances if not instance.gone]
        return [(one, binding) for one in alive for binding in one.bindings if binding.credentials]

    def run(self) -> None:
        """Live until told to stop; the instances of the last lives stay."""
        ids = self.platform.catalog()[self.service]
        try:
            while not self.stop.is_set():
                self._life(Instance(self.service, ids))
        except Broken as broken:
            self.platform.journal.violation(f"{self.service}: {broken}")

    def clean(self) -> None:
        """Delete everything that is left."""
        try:
            for instance in self.instances:
                if not instance.gone:
                    self._delete(instance)
        except Broken as broken:
            self.platform.journal.violation(f"{self.service}: {broken}")

    def _life(self, instance: Instance) -> None:
        self.instances.append(instance)
        operation = self._put(instance)
        if not self.keeps and self._chance.random() < 0.15:  # a user who changes his mind at once
            self.stop.wait(self._chance.uniform(0, 4))
            self._delete(instance)
            self._follow(Kind.PROVISION, instance.path, operation)
            return
        if self._follow(Kind.PROVISION, instance.path, operation).state != "succeeded":
            self._delete(instance)
            return
        while not self.stop.is_set():
            self._bind(instance, self._chance.randint(1, 2))
            if not self.keeps and self._chance.random() < 0.6:
                self._update(instance)
            if len(instance.alive) > 1:
                self._unbind(instance, self._chance.choice(instance.alive))
            if not self.keeps and self._chance.random() < 0.6:
                self._delete(instance)
                return

    def _put(self, instance: Instance) -> str | None:
        body = {**instance.ids, "organization_guid": "org", "space_guid": "space"}
        if not self.keeps:
            canary = self._canary()
            body |= {"parameters": {"text": canary, "make": f"sleep {self._chance.choice((0, 1, 4))}"}}  # type: ignore[dict-item]
        return self.platform.begin(Kind.PROVISION, "PUT", instance.path, body)

    def _update(self, instance: Instance) -> None:
        body = {"service_id": instance.ids["service_id"], "parameters": {"text": self._canary()}}
        operation = self.platform.begin(Kind.UPDATE, "PATCH", instance.path, body)
        self._follow(Kind.UPDATE, instance.path, operation)

    def _bind(self, instance: Instance, number: int) -> None:
        """Some at once; those that failed are removed again, as OSB's orphan mitigation wants it."""
        new = [Binding(str(uuid.uuid4())) for _ in range(number)]
        instance.bindings += new
        begun = []
        for binding in new:
            path = self._path(instance, binding)
            begun.append((binding, path, self.platform.begin(Kind.BIND, "PUT", path, instance.ids)))
        for binding, path, operation in begun:
            if self._follow(Kind.BIND, path, operation).state != "succeeded":
                self._unbind(instance, binding)
                continue
            answer = self.platform.ask("GET", path)
            if answer.status_code != 200:
                raise Broken(f"GET {path}: {answer.status_code} {answer.text[:300]}, after a bind that succeeded")
            credentials: dict[str, str] = answer.json()["credentials"]
            binding.credentials = credentials
            self.platform.journal.secrets.add(credentials["password"])

    def _unbind(self, instance: Instance, binding: Binding) -> None:
        self._remove(Kind.UNBIND, self._path(instance, binding), instance.ids)
        binding.gone = True

    def _delete(self, instance: Instance) -> None:
        self._remove(Kind.DEPROVISION, instance.path, instance.ids)
        instance.gone = True
        for binding in instance.bindings:
            binding.gone = True

    def _remove(self, kind: Kind, path: str, ids: dict[str, str]) -> None:
        """Until it is gone: a platform repeats a removal that failed."""
        for _ in range(TRIES):
            ended = self._follow(kind, path, self.platform.begin(kind, "DELETE", path, **ids))
            if ended.state == "succeeded":
                return
        raise Broken(f"{kind} {path} failed {TRIES} times: {ended.description}")

    def _follow(self, kind: Kind, path: str, operation: str | None) -> Ended:
        return self.platform.follow(kind, path, operation)

    def _canary(self) -> str:
        text = f"canary-{uuid.UUID(int=self._chance.getrandbits(128)).hex}"
        self.platform.journal.secrets.add(text)
        return text

    @staticmethod
    def _path(instance: Instance, binding: Binding) -> str:
        return f"{instance.path}/service_bindings/{binding.id}"
