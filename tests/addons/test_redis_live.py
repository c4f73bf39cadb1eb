"""The addon redis on a real cluster. The tests share one instance."""

from __future__ import annotations

import re

import pytest

from tests.addons.live import Binding, Instance
from tests.cluster.reach import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

_CLIENT = 'client=$(command -v valkey-cli || command -v redis-cli); exec "$client" -h "$1"'


@pytest.fixture(scope="module")
def users(redis: Instance) -> list[Binding]:
    """Two bindings that no test removes."""
    return redis.bind_all(0x11, 0x12)


def ask(instance: Instance, binding: Binding, *commands: str) -> list[str]:
    """The lines that the server answers to the commands, as the binding's user, over the Service."""
    lines = [f"AUTH {binding.user} {binding.password}", *commands, ""]
    answer = instance.execute("sh", "-c", _CLIENT, "sh", instance.host, stdin="\n".join(lines))
    login, *answers = [line for line in answer.splitlines() if line]
    return answers if login == "OK" else [login]


def admin(instance: Instance, *commands: str) -> list[str]:
    """The same as the administrator."""
    password = instance.execute("cat", "/admin/password")
    return ask(instance, Binding("", "admin", password), *commands)


def test_users_share_the_keys(redis: Instance, users: list[Binding]) -> None:
    one, two = users

    redis.prove_login(one)
    assert ask(redis, one, "SET shared 1") == ["OK"]
    assert ask(redis, two, "INCR shared", "PUBLISH news x", 'EVAL \'return redis.call("GET", "shared")\' 0') == [
        "2",
        "0",
        "2",
    ]


def test_users_do_not_administer(redis: Instance, users: list[Binding]) -> None:
    denied = [
        "CONFIG GET *",
        "ACL LIST",
        "ACL SETUSER x on nopass ~* +@all",
        "SHUTDOWN",
        "FLUSHALL",
        "MONITOR",
        "SAVE",
    ]
    denied += ["REPLICAOF NO ONE", "CLIENT LIST", "CLIENT KILL TYPE normal", "BGREWRITEAOF", "MODULE LIST"]
    denied += ["SWAPDB 0 1", "MIGRATE x 1 k 0 1", "EVAL 'return redis.call(\"FLUSHALL\")' 0"]
    allowed = ["KEYS nothing*", "CLIENT SETNAME shop", "SELECT 1", "FLUSHDB", "INFO server"]

    answers = ask(redis, users[0], *denied)
    assert len(answers) == len(denied)
    for command, answer in zip(denied, answers, strict=True):
        assert re.search("NOPERM|can't run this command", answer), command
    assert "NOPERM" not in "".join(ask(redis, users[0], *allowed))


def test_nobody_comes_in_without_a_user(redis: Instance) -> None:
    answer = redis.execute("sh", "-c", _CLIENT, "sh", redis.host, stdin="PING\nAUTH x\nGET shared\n")

    assert answer.count("NOAUTH") == 2
    assert answer.count("WRONGPASS") == 1


def test_read_only_reads(redis: Instance, users: list[Binding]) -> None:
    reader = redis.bind(0x21, access="read-only")
    ask(redis, users[0], "SET seen 1")

    redis.prove_login(reader)
    assert ask(redis, reader, "GET seen") == ["1"]
    for command in ("SET seen 2", "DEL seen", "FLUSHDB", "PUBLISH news x"):
        assert "NOPERM" in ask(redis, reader, command)[0]


@pytest.mark.osb(115)
@pytest.mark.bug(23)
def test_unbinding_ends_connections_and_refuses_the_login(redis: Instance, users: list[Binding]) -> None:
    gone = redis.bind(0x31)
    listens = redis.start(
        "sh", "-c", _CLIENT, "sh", redis.host, stdin=f"AUTH {gone.user} {gone.password}\nSUBSCRIBE news\n"
    )
    eventually(lambda: admin(redis, "PUBSUB NUMSUB news") == ["news", "1"] or None, within_s=60)

    redis.unbind(gone)

    assert "OK" in listens.communicate(timeout=120)[0]
    assert ask(redis, gone, "PING")[0].startswith("WRONGPASS")
    assert ask(redis, users[1], "PING") == ["PONG"]
    redis.await_left("secret,job,pod", gone.release, [])


def test_both_jobs_may_run_twice(redis: Instance) -> None:
    first = redis.bind(0x41)
    assert redis.bind(0x41) == first
    redis.prove_login(first)

    assert admin(redis, f"ACL DELUSER {first.user}") == ["1"]
    redis.unbind(first)
    redis.await_left("secret,job,pod", first.release, [])


def test_passwords_are_stored_as_hashes(redis: Instance, users: list[Binding]) -> None:
    stored = redis.execute("cat", "/data/users.acl", "/proc/1/environ", "/proc/1/cmdline") + redis.log()

    assert f"user {users[0].user} on" in stored
    assert users[0].password not in stored
    assert redis.execute("cat", "/admin/password") not in stored


def test_a_restart_keeps_data_and_users(redis: Instance, users: list[Binding]) -> None:
    ask(redis, users[0], "SET kept 1")

    redis.restart()

    assert ask(redis, users[1], "GET kept") == ["1"]


def test_the_administrators_password_is_that_of_the_secret(redis: Instance, users: list[Binding]) -> None:
    """The list of users on the volume may be of another time, as when a kept volume is used again."""
    admin(redis, "ACL SETUSER admin resetpass >other")
    redis.execute("sh", "-c", "sed -i '/^user admin /d' /data/users.acl")

    redis.restart()

    assert admin(redis, "PING") == ["PONG"]
    assert ask(redis, users[0], "PING") == ["PONG"]


def test_an_update_changes_settings_and_keeps_the_rest(redis: Instance, users: list[Binding]) -> None:
    ask(redis, users[0], "SET updated 1")
    uid = redis.pod_uid()
    redis.install()
    assert redis.pod_uid() == uid, "the same values restart nothing"

    medium = Instance("redis", "medium", redis.namespace, redis.release)
    medium.install({"settings": {"maxmemory_policy": "allkeys-lru"}})

    assert ask(redis, users[0], "GET updated") == ["1"]
    assert admin(redis, "CONFIG GET maxmemory") == ["maxmemory", str(700 * 1024**2)]
    assert admin(redis, "CONFIG GET maxmemory-policy") == ["maxmemory-policy", "allkeys-lru"]
    eventually(lambda: redis.volume_size() == "4Gi" or None, within_s=60)


def test_a_broken_update_can_be_rolled_back(redis: Instance, users: list[Binding]) -> None:
    """Without podManagementPolicy Parallel the broken pod would block the repair for ever."""
    redis.apply({"image": {"repository": "sandbox.local/none", "tag": "1", "pullPolicy": "Never"}})
    eventually(lambda: redis.waits_for("ErrImageNeverPull") or None, within_s=240)

    redis.install()

    redis.prove_login(users[1])


def test_uninstall_leaves_the_claim_only(redis: Instance, users: list[Binding]) -> None:
    redis.uninstall()

    kinds = "configmap,service,serviceaccount,statefulset,job,pod,networkpolicy,persistentvolumeclaim"
    redis.await_left(kinds, "", [f"persistentvolumeclaim/{redis.release}-data"])
    claim = redis.get("persistentvolumeclaim", f"{redis.release}-data")
    assert claim["metadata"]["labels"]["app.kubernetes.io/instance"] == redis.release
