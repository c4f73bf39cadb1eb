"""The addon rabbitmq on a real cluster, beyond its contract. The tests share one instance."""

from __future__ import annotations

import pytest

from tests.addons.live import Instance
from tests.addons.programs import Failed
from tests.cluster.addons import step

pytestmark = [pytest.mark.cluster, pytest.mark.night, pytest.mark.timeout(1800)]

_METRICS = 'exec 3<>"/dev/tcp/$1/15692" && printf "GET /metrics HTTP/1.0\\r\\n\\r\\n" >&3 && cat <&3'

# In front of the server: closes two connections at once, and serves the third one.
_BUSY = """
{ok, Listener} = gen_tcp:listen(5999, [binary, {active, true}, {ip, {127, 0, 0, 1}}]),
io:format("listening~n"),
Next = fun() -> {ok, Socket} = gen_tcp:accept(Listener), Socket end,
[begin gen_tcp:close(Next()), io:format("closed~n") end || _ <- [1, 2]],
Client = Next(),
{ok, Server} = gen_tcp:connect({127, 0, 0, 1}, 5671, [binary, {active, true}]),
Relay = fun Again() -> receive
  {tcp, Client, Sent} -> gen_tcp:send(Server, Sent), Again();
  {tcp, Server, Said} -> gen_tcp:send(Client, Said), Again();
  {tcp_closed, _} -> io:format("served~n"), halt(0)
end end,
Relay().
"""


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


def test_a_client_waits_for_a_server_that_closes_connections_and_for_none_that_refuses(
    rabbitmq: Instance,
) -> None:
    user = rabbitmq.bind(0x23)
    environment = {key.upper(): value for key, value in user.credentials.items()}
    environment["URI"] = environment["URI"].replace(f"@{user.credentials['host']}:5671/", "@localhost:5999/")
    busy = rabbitmq.start("erl", "-noinput", "-eval", _BUSY, stdin="")
    assert busy.stdout is not None
    assert busy.stdout.readline() == "listening\n"
    rabbitmq.with_environment(environment, *step("rabbitmq", "tls"))
    assert busy.communicate()[0] == "closed\nclosed\nserved\n"

    wrong = user.credentials | {"uri": user.credentials["uri"].replace(user.password, "0")}
    with pytest.raises(Failed, match="ACCESS_REFUSED"):
        rabbitmq.with_environment({key.upper(): value for key, value in wrong.items()}, *step("rabbitmq", "tls"))
    assert rabbitmq.log().count(f"user '{user.user}' - invalid credentials") == 1


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
