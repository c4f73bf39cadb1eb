"""What users are told: how operations end, what they wait for, and no secrets."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from helmbroker.broker.domain.cluster import NotReady, Ready
from helmbroker.broker.domain.credentials import Credentials
from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.operation import Phase
from helmbroker.broker.operations.work import Work
from helmbroker.catalog.model import JSON
from helmbroker.durable import State
from tests.fakes.cluster import Thing
from tests.fakes.helm import Call
from tests.operations.broker import world as worlds
from tests.operations.broker.world import BINDING_RELEASE, CANARY, RELEASE, World


def test_summaries(world: World) -> None:
    ends = [
        world.succeed(begin()).description
        for begin in (world.provision, world.bind, world.unbind, world.deprovision)
    ]
    assert ends == [
        "ledger is ready",
        "the credentials are ready",
        "the credentials are revoked",
        "ledger is deleted",
    ]


@pytest.mark.bug(47)
def test_values_reach_helm_in_their_order_of_precedence(tmp_path: Path) -> None:
    """Plan < user < operator; types as they were given."""
    overrides: dict[str, JSON] = {"size": "9Gi", "deep": {"operator": True}}
    with worlds.world(f"sqlite:///{tmp_path / 'x.db'}", overrides) as world:
        world.succeed(world.provision(size="5Gi", pin="0123"))
        values = world.cluster.releases[RELEASE].values
    assert values == {
        "default": "of the chart",
        "text": "of the plan",
        "size": "9Gi",
        "pin": "0123",
        "deep": {"operator": True},
    }


@pytest.mark.bug(35)
def test_a_binding_chart_gets_what_the_format_promises(world: World) -> None:
    world.succeed(world.provision(text="given"))
    world.succeed(world.bind(pin="p"))
    assert world.cluster.releases[BINDING_RELEASE].values == {
        "default": "of the chart",
        "instance": {
            "release": RELEASE.name,
            "namespace": RELEASE.namespace,
            "values": {"default": "of the chart", "text": "given", "size": "1Gi"},
        },
        "binding": {"id": BINDING_RELEASE.name.rpartition("-")[2], "parameters": {"pin": "p"}},
    }


@pytest.mark.parametrize(
    ("context", "client"),
    [
        ({"platform": "kubernetes", "namespace": "shop"}, {"namespace": "shop"}),
        ({"platform": "kubernetes", "namespace": "../x"}, {}),
        ({"platform": "kubernetes"}, {}),
        ({"platform": "cloudfoundry", "namespace": "shop"}, {}),
        ({}, {}),
    ],
)
def test_a_chart_that_can_close_its_server_is_told_where_the_app_is(
    tmp_path: Path, context: dict[str, JSON], client: dict[str, JSON]
) -> None:
    overrides: dict[str, JSON] = {"networkPolicy": {"bound": False}}
    with worlds.world(f"sqlite:///{tmp_path / 'x.db'}", overrides) as world:
        world.succeed(world.provision())
        world.succeed(world.bind(context=context))
        given = world.cluster.releases[BINDING_RELEASE].values["binding"]
    assert given == {"id": BINDING_RELEASE.name.rpartition("-")[2], "parameters": {}, "client": client}


def test_credentials_are_those_of_the_release(world: World) -> None:
    world.succeed(world.provision())
    world.succeed(world.bind())
    secret = world.cluster.thing("Secret", BINDING_RELEASE.namespace, BINDING_RELEASE.name)
    record = world.binding()
    assert secret is not None
    assert record is not None
    assert record.binding.credentials == Credentials({"text": "", "password": secret.texts["password"]})


@pytest.mark.osb(106)
@pytest.mark.bug(20)
def test_every_binding_has_credentials_of_its_own(world: World) -> None:
    world.succeed(world.provision())
    delivered = []
    for name in ("one", "two"):
        world.succeed(world.bind(name))
        record = world.binding(name)
        assert record is not None
        assert record.binding.credentials is not None
        delivered.append(record.binding.credentials.reveal()["password"])
    assert len(set(delivered)) == 2


@pytest.mark.bug(39)
def test_a_bind_takes_few_commands_and_none_of_them_in_the_request(world: World) -> None:
    world.succeed(world.provision())
    before = len(world.helm.calls)
    bind = world.bind()
    assert len(world.helm.calls) == before
    world.succeed(bind)
    assert [call.verb for call in world.helm.calls[before:]] == ["render", "deploy", "render"]


def test_a_bind_waits_for_its_instance(world: World) -> None:
    world.provision()
    operation = world.bind()
    world.succeed(operation)
    assert world.instance().phase is Phase.READY


@pytest.mark.bug(37)
def test_a_bind_behind_a_failed_provision_fails_with_its_reason(world: World) -> None:
    provision = world.provision(make="echo it has no room; exit 1")
    bind = world.bind()
    reason = world.fail(bind)
    assert reason == (
        "The service instance cannot be bound (make failed): A Job of the chart failed: "
        f"Job {RELEASE.name}-make: it has no room (exit code 1). Mend the cause, and try again."
    )
    assert world.hand.operation(provision).state is State.FAILED
    world.succeed(world.unbind())
    world.succeed(world.deprovision())


def test_what_is_waited_for_is_told_and_ends_well(world: World) -> None:
    world.cluster.states[RELEASE] = [NotReady("pod x is being made"), Ready()]
    world.succeed(world.provision())


@pytest.mark.parametrize(("taken_s", "look_s"), [(0.0, 0.15), (4.0, 0.15), (20.0, 0.5), (600.0, 1.0)])
def test_the_longer_it_takes_the_more_seldom_it_is_looked_at(world: World, taken_s: float, look_s: float) -> None:
    world.provision()
    ctx, record = world.hand.claim(), world.instance()
    assert ctx is not None
    ctx.operation = replace(ctx.operation, created_at=ctx.operation.created_at - taken_s)
    work = Work(ctx, world.tools, record, nullcontext)  # type: ignore[arg-type]  # it writes nothing
    assert work.look_again_s == pytest.approx(look_s, abs=0.05)


def test_what_is_hopeless_for_too_long_fails_with_the_reason(world: World) -> None:
    world.cluster.states[RELEASE] = [NotReady("image x:1 cannot be pulled", hopeless=True)]
    operation = world.provision()
    assert world.hand.turn()
    told = world.hand.operation(operation)
    assert (told.state, told.description) == (State.QUEUED, "image x:1 cannot be pulled"), (
        "it gives its thread back"
    )
    for later_s in (50.0, 50.0, 50.0):
        world.clock.now += later_s
        world.hand.pass_time()
        assert world.hand.turn()
    assert world.hand.operation(operation).description == "Image x:1 cannot be pulled."
    assert world.instance().phase is Phase.MAKE_FAILED


def test_hope_renews_the_patience(world: World) -> None:
    lost, hope = NotReady("crashed", hopeless=True), NotReady("starts again")
    world.cluster.states[RELEASE] = [lost, lost, hope, lost, Ready()]
    operation = world.provision()
    for _ in range(4):
        world.clock.now += 50.0
        world.hand.pass_time()
        world.hand.turn()
    assert world.hand.operation(operation).state is State.SUCCEEDED


def test_what_nobody_looked_at_for_a_while_is_given_new_patience(world: World) -> None:
    """No worker was there: the cluster had no chance to show that there is hope."""
    world.cluster.states[RELEASE] = [NotReady("crashed", hopeless=True)]
    operation = world.provision()
    for _ in range(5):
        world.clock.now += 3600.0
        world.hand.pass_time()
        world.hand.turn()
    assert world.hand.operation(operation).state is State.QUEUED


@pytest.mark.osb(97)
def test_the_deadline_ends_what_needs_time(world: World) -> None:
    world.cluster.states[RELEASE] = [NotReady("pod x is being made")]
    operation = world.provision()
    world.time_is_over()
    assert world.fail(operation) == "gave up after 1 s, still waiting: pod x is being made"


@pytest.mark.bug(37)
@pytest.mark.parametrize("fault", [fault for fault in HelmFault if not HelmError(fault, "").retryable])
def test_every_failure_says_what_and_what_to_do(world: World, fault: HelmFault) -> None:
    def fail(call: Call) -> None:
        if call.verb == "deploy":
            raise HelmError(fault, f"it is so: {CANARY}.")

    world.helm.before = fail
    reason = world.fail(world.provision(pin=CANARY))
    what, _, cure = reason.partition(": it is so: <hidden>. ")
    assert what == fault.value[0].upper() + fault.value[1:]
    assert cure.endswith(".")
    assert len(cure) > 10


@pytest.mark.bug(29, 37)
def test_a_template_that_is_faulty_is_told(world: World) -> None:
    world.succeed(world.provision())
    world.helm.template = f"credentials:\n  - name: password\n    valu: {CANARY}\n"
    reason = world.fail(world.bind(pin=CANARY))
    assert reason.startswith("The addon's credentials template is faulty: credentials template (rendered):2: ")
    assert reason.endswith("The addon's author has to mend it.")
    assert CANARY not in reason


@pytest.mark.bug(57)
def test_a_template_that_reads_what_is_not_its_own_is_refused(world: World) -> None:
    world.succeed(world.provision())
    world.cluster.put(Thing("Secret", RELEASE.namespace, "theirs", texts={"password": CANARY}))
    world.helm.template = (
        "credentials: [{name: p, valueFrom: {secretKeyRef: {name: theirs, key: password}}}]"  # a tenant's doing
    )
    assert "which its Helm releases did not make" in world.fail(world.bind())


@pytest.mark.bug(32, 34)
def test_a_credential_that_does_not_come_fails_after_a_while(world: World) -> None:
    world.succeed(world.provision())
    world.helm.template = (
        f"credentials: [{{name: p, valueFrom: {{secretKeyRef: {{name: {RELEASE.name}, key: absent}}}}}}]"
    )
    operation = world.bind()
    for _ in range(5):
        world.clock.now += 50.0
        world.hand.pass_time()
        world.hand.turn()
    end = world.hand.operation(operation)
    assert (end.state, end.description) == (
        State.FAILED,
        f"Secret {RELEASE.name} has nothing at {{.data.absent}} (for the credential p).",
    )


@pytest.mark.bug(51, 86)
def test_a_secret_that_goes_in_comes_out_nowhere(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The whole life of an instance, and every failure on the way, with everything logged."""
    caplog.set_level(logging.DEBUG)
    told = []
    for make, template in (
        (f"echo wrong: {CANARY}; exit 1", None),
        ("", f"credentials: [{{name: p, value: {CANARY}, more: {CANARY}}}]"),
        ("", None),
    ):
        world.helm.template = template
        told.append(world.run(world.provision(make=make, pin=CANARY)).description)
        if world.instance().phase is Phase.READY:
            told.append(world.run(world.bind("b", pin=CANARY)).description)
        told.append(world.run(world.deprovision()).description)
    logged = " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert len(told) == 8
    assert CANARY not in " ".join(told)
    assert CANARY not in logged
    assert any("<hidden>" in text for text in told)
