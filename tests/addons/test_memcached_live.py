"""The addon memcached on a real cluster, beyond its contract. The tests share one instance."""

from __future__ import annotations

import pytest

from tests.addons.live import Instance
from tests.addons.programs import Failed, kubectl

pytestmark = [pytest.mark.cluster, pytest.mark.night, pytest.mark.timeout(1800)]

_ASK = 'exec 3<>"/dev/tcp/$1/11211" && printf "get note\\r\\n" >&3 && IFS= read -r -t 5 line <&3 && echo "$line"'


@pytest.fixture(scope="module")
def memcached(namespace: str) -> Instance:
    """A Memcached instance of the smallest plan, ready."""
    instance = Instance("memcached", "small", namespace)
    instance.install()
    return instance


def test_nobody_comes_in_without_a_user(memcached: Instance) -> None:
    answer = memcached.execute("bash", "-c", _ASK, "bash", memcached.host)

    assert answer.strip() == "CLIENT_ERROR unauthenticated"


def test_users_outlive_a_restart_and_both_jobs_may_run_twice(memcached: Instance) -> None:
    one, two = memcached.bind_all(0x21, 0x22)
    assert memcached.bind(0x21) == one

    memcached.restart()

    for binding in (one, two):
        memcached.prove_login(binding)
    memcached.execute("sh", "-c", f"sed -i '/^{one.user}:/d' /data/users")
    memcached.unbind(one)
    memcached.prove_login(two)
    memcached.unbind(two)


def test_an_eighth_binding_is_refused(memcached: Instance) -> None:
    """The server would leave it out without a word."""
    memcached.execute("sh", "-c", "for i in 1 2 3 4 5 6 7; do echo other$i:x >>/data/users; done")

    with pytest.raises(Failed, match="hb-live-b49-make not ready"):
        memcached.bind(0x31)
    log = kubectl("-n", memcached.namespace, "logs", "job/hb-live-b49-make")
    assert "cannot have more than 7 bindings: remove one, or make another instance" in log
