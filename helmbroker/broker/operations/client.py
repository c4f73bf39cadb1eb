"""The contract of an addon, tried on an instance that is in use (decision 0054).

A client of the broker's own logs in with a binding of its own, and does no more than the steps of the contract that
touch nobody's data: `login`, `tls`, `probe`. It is the Helm release of a chart of ours, whose Job says what failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import NotReady
from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.instance import BindingRecord, ServiceBinding
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.operations import bind, converge, delivering
from helmbroker.broker.operations.work import BindingWork, UpdateWork, Work
from helmbroker.catalog import contract, parameters
from helmbroker.catalog.contract import IN_USE, Contract
from helmbroker.catalog.model import JSON, AddonFaults, Object
from helmbroker.durable import Done, Fail, Failed, Outcome

CHART = Path(__file__).parent / "client_chart"
MADE = "make client"  # the result: whether there is a client at all
_SHORT = 5  # a credential that is no longer may be any word


@dataclass
class ClientWork(BindingWork):
    """A claim of an update that tries the contract: `record` is what is in force, `binding` the client's own."""

    credentials: Object = field(default_factory=dict, kw_only=True, repr=False)

    def secrets(self) -> set[str]:
        """What was delivered, too: clients repeat what they were given."""
        return super().secrets() | {each for each in map(str, self.credentials.values()) if len(each) > _SHORT}


def make(work: UpdateWork) -> Outcome:
    """A user of its own, as apps get one, by the revision that runs. The result: whether there is a contract."""
    client = _client(work)
    try:
        if _contract(client) is None:
            return Done(False)
    except AddonFaults as error:
        return Fail(f"The contract of {client.addon.name} cannot be read: {error}.")
    with work.transaction() as tx:
        tx.save_binding(client.binding.binding, work.ctx.operation)
    work.admitted = None  # what a chart looks up may be another thing from here on
    for step in (bind.check, bind.make_user):
        outcome = step(client)
        if not isinstance(outcome, Done):
            return outcome
    return Done(True)


def before(work: UpdateWork) -> Outcome:
    """Whether it is well; if not, it is left as it is."""
    return _use(work, "before the upgrade")


def after(work: UpdateWork) -> Outcome:
    """Whether what could be done before can be done still, with the credentials of before."""
    return _use(work, "after the upgrade")


def drop(work: UpdateWork) -> Outcome:
    """The user is dropped, and that must go well, too."""
    if not work.ctx.results.get(MADE):
        return Done()
    client = _client(work)
    for ref, hooks in ((_ref(client), False), (client.binding.binding.release, True)):
        outcome = converge.remove(client, ref, client.binding_labels, hooks=hooks)
        if not isinstance(outcome, Done):
            return outcome
    _forget(work)
    return Done()


def drop_at_any_rate(work: UpdateWork) -> Outcome:
    """On the way back, wherever it began: nothing of the client stays. The result: what could not be done."""
    client = _client(work)
    with work.transaction() as tx:
        if tx.binding(work.record.instance.id, naming.CONTRACT) is None:
            return Done()
    converge.remove(client, _ref(client), client.binding_labels, hooks=False)
    outcome = converge.remove_at_any_rate(client, client.binding.binding.release, client.binding_labels)
    if isinstance(outcome, Done):
        _forget(work)
    return outcome


def _use(work: UpdateWork, when: str) -> Outcome:
    if not work.ctx.results.get(MADE):
        return Done()
    client = _client(work)
    delivery = delivering.described(client)
    found = delivering.looked_up(client, delivery)
    if isinstance(found, NotReady):
        return converge.wait(client, found.reason, hopeless=found.hopeless)
    client.credentials = delivery.assembled(found)
    agreed, release = _contract(client), work.tools.cluster.release(work.record.instance.release)
    if agreed is None or release is None:
        return Fail(converge.GONE)
    image = agreed.image_in(release.values)
    if image is None:
        return Fail(f"The contract of {client.addon.name} names no image: there is none at {agreed.image}.")
    work.admitted = None
    try:
        return _asked(client, _values(agreed, image, client.credentials, release.values), when)
    except Failed as failed:
        reason = client.public(failed.reason)
        return Fail(f"A client of ours could not use the service instance {when}: {reason}")


def _asked(client: ClientWork, values: Object, when: str) -> Outcome:
    """Once more when this is repeated: a client leaves nothing."""
    labels, doing = client.binding_labels, f"trying the service instance as a client, {when}"
    made = converge.install(client, CHART, values, _ref(client), labels, doing=doing, claims=False)
    return converge.remove(client, _ref(client), labels, hooks=False) if isinstance(made, Done) else made


def _client(work: UpdateWork) -> ClientWork:
    """Where it asks from is its own namespace, so that an instance that is closed lets it in as an app."""
    instance = work.before.instance
    context: dict[str, JSON] = {"platform": "kubernetes", "namespace": instance.release.namespace}
    binding = ServiceBinding(
        id=naming.CONTRACT,
        instance_id=instance.id,
        service_id=instance.service_id,
        plan_id=instance.plan_id,
        app_guid=None,
        parameters=Parameters({}),
        context=context,
        release=naming.binding_release(instance.release, instance.id, naming.CONTRACT),
    )
    made = BindingRecord(binding, work.ctx.operation)
    return ClientWork(work.ctx, work.tools, work.before, work.transaction, binding=made, reserve_s=work.reserve_s)


def _contract(client: ClientWork) -> Contract | None:
    """What the clients of this instance were promised, if they can be asked for without anything more."""
    plan = client.plan
    if not plan.bindable or parameters.problems(plan.parameters.bind, {}):
        return None
    return contract.load(client.addon.folder)


def _values(agreed: Contract, image: str, credentials: Object, instance: Object) -> dict[str, JSON]:
    steps = [agreed.script(step) for step in IN_USE if step in agreed.steps]
    secrets: Any = instance.get("imagePullSecrets")
    pull: dict[str, JSON] = {} if isinstance(secrets, Mapping) or not secrets else {"imagePullSecrets": secrets}
    return {"image": image, "steps": steps, "credentials": dict(credentials), **pull}


def _ref(client: ClientWork) -> ReleaseRef:
    return naming.client_release(client.binding.binding.release)


def _forget(work: Work) -> None:
    with work.transaction() as tx:
        tx.drop_binding(work.record.instance.id, naming.CONTRACT)
