"""The addon rabbitmq on a real cluster, beyond its contract. The tests share one instance."""

from __future__ import annotations

import pytest

from tests.addons.live import Instance
from tests.addons.programs import Failed

pytestmark = [pytest.mark.cluster, pytest.mark.night, pytest.mark.timeout(1800)]

_METRICS = 'exec 3<>"/dev/tcp/$1/15692" && printf "GET /metrics HTTP/1.0\\r\\n\\r\\n" >&3 && cat <&3'


@pytest.fixture(scope="module")
def rabbitmq(namespace: str) -> Instance:
    """A RabbitMQ instance of the smallest plan, ready."""
    instance = Instance("rabbitmq", "small", namespace)
    instance.install()
    return instance


def test_read_only_consumes_what_others_have_declared(rabbitmq: Instance) -> None:
    writer = rabbitmq.bind(0x21)
    reader = rabbitmq.bind(0x22, access="read-only", connection_limit=1)
    rabbitmq.prove("write", writer)

    rabbitmq.prove("read", reader)
    with pytest.raises(Failed, match="terminated with exit code"):
        rabbitmq.prove("write", reader)


def test_only_tls_and_metrics_are_served_outside_of_the_pod(rabbitmq: Instance) -> None:
    with pytest.raises(Failed):
        rabbitmq.execute("bash", "-c", 'exec 3<>"/dev/tcp/$1/5672"', "bash", rabbitmq.host)
    assert "rabbitmq_identity_info" in rabbitmq.execute("bash", "-c", _METRICS, "bash", rabbitmq.host)
    address = rabbitmq.get("pod", rabbitmq.pod)["status"]["podIP"]
    for port in ("4369", "25672"):  # epmd and Erlang's own protocol
        with pytest.raises(Failed, match="refused"):
            rabbitmq.execute("bash", "-c", 'exec 3<>"/dev/tcp/$1/$2"', "bash", address, port)


def test_passwords_are_in_no_log_and_no_environment(rabbitmq: Instance) -> None:
    user = rabbitmq.bind(0x31)
    rabbitmq.prove_login(user)
    password = rabbitmq.execute("cat", "/admin/password")
    processes = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; true"
    seen = rabbitmq.log() + rabbitmq.execute("sh", "-c", processes)

    assert user.user in seen
    assert user.password not in seen
    assert password not in seen
