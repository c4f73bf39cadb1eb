"""The class `external`: services that live elsewhere, whose credentials a user gives. The bridge is their broker.

What was given last is kept sealed for the instance, and each binding has a copy of what it was then, so that an app
which cannot run with new credentials keeps those that it has. Nothing is made or ended at the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, cast

from helmbroker.controller_bridge.apps.given import GivenSecrets
from helmbroker.controller_bridge.apps.port import AppReleaseError, AppsUnavailable
from helmbroker.controller_bridge.broker_port import (
    EXTERNAL,
    Answer,
    BindingRef,
    BrokerError,
    Caller,
    Credentials,
    InstanceRef,
    Offering,
    Plan,
    Progress,
    Status,
    Unreachable,
)
from helmbroker.controller_bridge.options import flat
from helmbroker.controller_bridge.sealing import CREDENTIALS, Sealer, SealError
from helmbroker.controller_bridge.store import Store
from helmbroker.durable import JSON
from helmbroker.sealing import KeysAway

GIVEN = Plan(
    "efa241c6-7a23-4316-9ae8-15848cd3fe85",
    "credentials",
    "The options are the credentials",
    bindable=True,
    updateable=True,
)
FROM_SECRET = Plan(
    "4595dee8-6297-44b3-8e01-d85f7554851c",
    "secret",
    "The option secret names a Secret of the app's namespace, labelled helmbroker.io/external=true",
    bindable=True,
    updateable=True,
)
OFFERING = Offering(
    id="05f84237-89b6-49ba-869d-0d6e3b79c0e0",
    name=EXTERNAL,
    description="A service that lives elsewhere: its credentials are given by you",
    updateable=True,
    instances_retrievable=False,  # the options are secrets
    plans=(GIVEN, FROM_SECRET),
)
NAMED = FROM_SECRET.name  # the only option of that plan
_DONE = Answer(pending=False)


class _Kept(NamedTuple):
    """Of an instance: whose it is, and what its user has said. Of a binding: its credentials, as if given."""

    app: str
    plan_id: str
    given: Mapping[str, JSON]

    def __repr__(self) -> str:
        return f"_Kept({self.app})"


class NotGiven(BrokerError):
    """There are no such credentials; a sentence without any value."""

    def __init__(self, sentence: str) -> None:
        super().__init__(400, "", sentence)

    def __str__(self) -> str:
        return self.description


class ExternalBroker:
    """The port Broker over the bridge's own rows. Everything is done when it answers."""

    def __init__(self, store: Store, sealer: Sealer, secrets: GivenSecrets) -> None:
        self._store, self._sealer, self._secrets = store, sealer, secrets

    def catalog(self) -> tuple[Offering, ...]:
        return (OFFERING,)

    def provision(self, ref: InstanceRef, parameters: Mapping[str, JSON], caller: Caller) -> Answer:
        del caller
        return self._keep(ref, ref.plan_id, flat(parameters))

    def update(self, ref: InstanceRef, parameters: Mapping[str, JSON], caller: Caller, *, plan_id: str) -> Answer:
        """What is not named stays, but for another plan."""
        del caller
        before, given = self._instance(ref), flat(parameters)
        return self._keep(ref, plan_id, {**before.given, **given} if before.plan_id == plan_id else given)

    def deprovision(self, ref: InstanceRef, caller: Caller) -> Answer:
        del caller
        return self._forget(ref.instance_id)

    def instance_status(self, ref: InstanceRef, operation: str | None) -> Status:
        del ref, operation
        return Status(Progress.SUCCEEDED, "done")

    def instance_parameters(self, ref: InstanceRef) -> Mapping[str, JSON]:
        """Nothing: they are secrets."""
        del ref
        return {}

    def bind(
        self, ref: BindingRef, caller: Caller, *, predecessor: str | None = None
    ) -> tuple[Answer, Credentials | None]:
        del caller, predecessor
        if self._kept(ref.binding_id) is None:
            reached = _Kept(ref.instance.app, GIVEN.id, self._reached(self._instance(ref.instance)))
            self._seal(ref.binding_id, ref.instance, reached)
        return _DONE, self.credentials(ref)

    def unbind(self, ref: BindingRef, caller: Caller) -> Answer:
        del caller
        return self._forget(ref.binding_id)

    def binding_status(self, ref: BindingRef, operation: str | None) -> Status:
        del ref, operation
        return Status(Progress.SUCCEEDED, "done")

    def credentials(self, ref: BindingRef) -> Credentials:
        kept = self._kept(ref.binding_id)
        if kept is None:
            raise NotGiven("there is no such binding")
        return Credentials(kept.given)

    def _keep(self, ref: InstanceRef, plan_id: str, given: Mapping[str, JSON]) -> Answer:
        """For bindings to come, once it is known that it could be used now. Raises NotGiven, Unreachable."""
        wanted = _Kept(ref.app, plan_id, given)
        self._reached(wanted)
        self._seal(ref.instance_id, ref, wanted)
        return _DONE

    def _reached(self, kept: _Kept) -> Mapping[str, JSON]:
        """The credentials that an instance stands for now. Raises NotGiven, Unreachable."""
        if kept.plan_id != FROM_SECRET.id:
            if not kept.given:
                raise NotGiven("give the credentials as options: KEY=VALUE, or a YAML file")
            return kept.given
        name = kept.given.get(NAMED)
        if set(kept.given) != {NAMED} or not isinstance(name, str):
            raise NotGiven(f"the plan {FROM_SECRET.name} takes one option, {NAMED}: the name of the Secret")
        try:
            return self._secrets.read(kept.app, name)
        except AppsUnavailable as error:
            raise Unreachable(str(error)) from None
        except AppReleaseError as error:
            raise NotGiven(str(error)) from None

    def _seal(self, id_: str, ref: InstanceRef, kept: _Kept) -> None:
        try:
            sealed = self._sealer.seal({**kept._asdict()}, owner=id_, what=CREDENTIALS)
        except KeysAway as error:
            raise Unreachable(str(error)) from None
        with self._store.writing() as conn:
            self._store.keep_external(conn, id_, ref.instance_id, sealed)

    def _instance(self, ref: InstanceRef) -> _Kept:
        kept = self._kept(ref.instance_id)
        if kept is None:
            raise NotGiven("there is no such resource")
        return kept

    def _kept(self, id_: str) -> _Kept | None:
        """Of the instance or binding of this id. Raises NotGiven: it cannot be opened; Unreachable: not now."""
        with self._store.reading() as conn:
            sealed = self._store.external(conn, id_)
        try:
            found = None if sealed is None else self._sealer.open(sealed, owner=id_, what=CREDENTIALS)
        except SealError as error:
            raise NotGiven(str(error)) from None
        except KeysAway as error:
            raise Unreachable(str(error)) from None
        if found is None:
            return None
        return _Kept(str(found["app"]), str(found["plan_id"]), cast("Mapping[str, JSON]", found["given"]))

    def _forget(self, id_: str) -> Answer:
        with self._store.writing() as conn:
            self._store.forget_external(conn, id_)
        return _DONE
