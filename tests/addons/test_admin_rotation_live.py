"""The administrator's password of an instance rotates on a real cluster, and no client of a binding notices."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.addons.live import Binding, Instance
from tests.addons.programs import Failed, helm, kubectl
from tests.addons.tree import hours
from tests.cluster.addons import step
from tests.cluster.reach import connect, eventually, throw_away_namespace

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

# How an administrator logs in at the address $1 with $PASSWORD, and how that is refused.
_MARIADB = 'MYSQL_PWD="$PASSWORD" exec mariadb --no-defaults --ssl -h "$1" -u admin -e "DO 1"'
_PSQL = (
    'PGPASSWORD="$PASSWORD" exec psql -X -At "host=$1 dbname=postgres user=postgres sslmode=require" -c "SELECT 1"'
)
_RABBITMQ = (
    'export HOME=/run/rabbitmq RABBITMQ_NODENAME=rabbit@localhost; printf %s "$PASSWORD" | '
    "/usr/lib/rabbitmq/bin/rabbitmqctl authenticate_user admin"
)
_REDIS = (
    'answer=$({ printf "AUTH admin %s\\n" "$PASSWORD" && echo PING; } | redis-cli -h "$1"); '
    'echo "$answer"; echo "$answer" | grep -qx PONG'
)
LOGINS = {
    "mariadb": (_MARIADB, "Access denied"),
    "postgresql": (_PSQL, "password authentication failed"),
    "rabbitmq": (_RABBITMQ, "failed to authenticate"),
    "redis": (_REDIS, "WRONGPASS"),
}
_STOP = "/tmp/no-more-writes"
# Writes of a bound client, each over a connection of its own, until
# somebody ends them; how many there were, and how many failed.
_WRITES = (
    f"rm -f {_STOP}; written=0 failed=0; until [ -e {_STOP} ]; do "
    'if sh -euc "$WRITE" >/dev/null 2>&1; then written=$((written + 1)); else failed=$((failed + 1)); fi; '
    "echo $written $failed >/tmp/counting; mv /tmp/counting /tmp/counted; done"
)


@pytest.fixture(scope="module", params=[pytest.param(name, marks=hours(name)) for name in sorted(LOGINS)])
def instance(request: pytest.FixtureRequest) -> Iterator[Instance]:
    """One of the smallest plan, ready, that the tests of this addon share."""
    kube = connect()
    with throw_away_namespace(kube) as namespace:
        made = Instance(request.param, "small", namespace)
        made.install()
        yield made
    kube.close()


@pytest.fixture(scope="module")
def binding(instance: Instance) -> Binding:
    """One that no test removes."""
    return instance.bind(0x11)


def password(instance: Instance) -> str:
    """What the Secret says."""
    return base64.b64decode(instance.get("secret", f"{instance.release}-admin")["data"]["password"]).decode()


def takes(instance: Instance, given: str) -> bool:
    """Whether the server lets the administrator in with this password; a refusal has to be one."""
    command, refusal = LOGINS[instance.addon]
    try:
        instance.with_environment({"PASSWORD": given}, "sh", "-c", command, "sh", instance.host)
    except Failed as error:
        if refusal in str(error):
            return False
        raise
    return True


def counted(instance: Instance) -> tuple[int, int]:
    """Writes so far: those that succeeded, those that failed."""
    written, failed = instance.execute("cat", "/tmp/counted").split()
    return int(written), int(failed)


def more_writes(instance: Instance, number: int) -> None:
    """Wait for so many more."""
    try:
        before, _ = counted(instance)
    except Failed:
        before = 0

    def written() -> bool | None:
        try:
            return counted(instance)[0] >= before + number or None
        except Failed:
            return None

    eventually(written, within_s=120)


def revision(instance: Instance) -> str:
    """The newest revision of the Helm release."""
    return helm("history", instance.release, "-n", instance.namespace, "--max", "1").split("\n")[1].split()[0]


def rotated(instance: Instance, text: str) -> str:
    """Ask for a rotation; the password of before."""
    before = password(instance)
    instance.apply({"admin": {"rotation": text}})
    return before


def test_no_client_notices(instance: Instance, binding: Binding) -> None:
    pod, began = instance.pod_uid(), password(instance)
    ready = instance.get("pod", instance.pod)["status"]["conditions"]
    *_, write = step(instance.addon, "write")
    environment = {key.upper(): value for key, value in binding.credentials.items()} | {"WRITE": write}
    writing = instance.start_with_environment(environment, "sh", "-c", _WRITES)
    more_writes(instance, 3)

    passwords = [began]
    for number in range(3):
        rotated(instance, f"number-{number}")
        passwords.append(password(instance))
        more_writes(instance, 2)

    instance.execute("touch", _STOP)
    writing.communicate(timeout=120)
    assert counted(instance)[1] == 0
    assert len(set(passwords)) == 4
    assert [takes(instance, each) for each in passwords] == [False, False, False, True]
    assert instance.pod_uid() == pod
    assert instance.get("pod", instance.pod)["status"]["conditions"] == ready, "it has been ready all the time"


def test_bindings_come_and_go_afterwards(instance: Instance, binding: Binding) -> None:
    rotated(instance, "before-a-binding")

    other = instance.bind(0x12)

    instance.prove_login(other)
    instance.unbind(other)
    with pytest.raises(Failed):
        instance.prove_login(other)
    instance.prove_login(binding)


def test_the_same_text_changes_nothing(instance: Instance) -> None:
    rotated(instance, "same")
    assert rotated(instance, "same") == password(instance)


def test_what_has_failed_is_undone_and_may_be_asked_for_again(instance: Instance) -> None:
    ran = revision(instance)
    before = rotated(instance, "failing")
    gone = password(instance)

    helm("rollback", instance.release, ran, "-n", instance.namespace)

    assert password(instance) == before
    assert (takes(instance, before), takes(instance, gone)) == (True, False)
    instance.apply({"admin": {"rotation": "same"}})
    assert takes(instance, before)
    assert rotated(instance, "again") == before
    assert (takes(instance, before), takes(instance, password(instance))) == (False, True)


@pytest.mark.parametrize("then", ["asked-again", "given-up", "rolled-back"])
def test_a_crash_between_server_and_secret(instance: Instance, then: str) -> None:
    """The server has the new password, the Secret does not: whatever comes next, they agree."""
    ran, asked = revision(instance), instance.get("secret", f"{instance.release}-admin")["data"]["rotation"]
    before = rotated(instance, f"stopped-{then}")
    made = password(instance)
    helm("rollback", instance.release, ran, "-n", instance.namespace, "--no-hooks")
    assert (password(instance), takes(instance, before)) == (before, False)

    match then:
        case "asked-again":
            rotated(instance, f"stopped-{then}")
        case "given-up":
            rotated(instance, base64.b64decode(asked).decode())
        case _:
            helm("rollback", instance.release, ran, "-n", instance.namespace)

    expected = [made, before] if then == "asked-again" else [before, made]
    assert password(instance) == expected[0]
    assert [takes(instance, each) for each in expected] == [True, False]


def test_a_restart_keeps_the_password(instance: Instance, binding: Binding) -> None:
    before = rotated(instance, "before-a-restart")

    instance.restart()

    assert (takes(instance, before), takes(instance, password(instance))) == (False, True)
    instance.prove_login(binding)


def test_not_with_the_upgrade_of_an_earlier_version(instance: Instance) -> None:
    """Which had no Job to undo it."""
    secret = f"secret/{instance.release}-admin"
    change = '[{"op": "remove", "path": "/data/rotation"}]'
    kubectl("-n", instance.namespace, "patch", secret, "--type=json", "-p", change)

    with pytest.raises(Failed, match="upgrade first, then rotate"):
        rotated(instance, "too-early")
