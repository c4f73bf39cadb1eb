"""NetworkPolicies are enforced: some connections get through, others do not."""

import time
from pathlib import Path

import pytest

from tests.sandbox.own import Own

HERE = Path(__file__).parent
WITHIN_SECONDS = 90

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.sandbox,
    pytest.mark.timeout(1200),
]


def reaches(own: Own, client: str) -> bool:
    """Whether the client gets an answer of the server's within two seconds."""
    return own.kubectl("exec", client, "--", "sh", "-c", "timeout 2 redis-cli -h server ping || true") == "PONG\n"


def settles(own: Own, client: str, *, reached: bool) -> bool:
    """Rules follow a policy by some milliseconds; a look takes longer than that, so a few looks are enough."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while reaches(own, client) is not reached:
        if time.monotonic() > deadline:
            return False
    return True


def test_policies_let_some_connections_through_and_not_others(own: Own) -> None:
    own.do("up")
    own.kubectl("apply", "--filename", str(HERE / "policies.yaml"))
    own.kubectl("wait", "--for=condition=Ready", "--timeout=240s", "pod", "--all")
    assert settles(own, "friend", reached=True)
    assert settles(own, "stranger", reached=True)

    own.kubectl("apply", "--filename", str(HERE / "policy-ingress.yaml"))
    assert settles(own, "stranger", reached=False)
    assert settles(own, "friend", reached=True)
    own.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/server")  # the kubelet's probes get through

    own.kubectl("apply", "--filename", str(HERE / "policy-egress.yaml"))
    assert settles(own, "friend", reached=False)
    assert own.kubectl("exec", "friend", "--", "getent", "hosts", "server"), "names still resolve"

    own.kubectl("delete", "networkpolicy", "--all")
    assert settles(own, "stranger", reached=True)
    assert settles(own, "friend", reached=True)
