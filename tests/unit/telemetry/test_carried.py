"""What goes with a piece of work: who asked for it, and its trace."""

from __future__ import annotations

import pytest

from helmbroker.telemetry.carried import as_headers, carried, carrying, read

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_what_a_request_brings_along() -> None:
    headers = {"X-Broker-API-Request-Identity": "r1", "traceparent": PARENT, "tracestate": "a=b"}
    assert read(headers.get) == {"request_identity": "r1", "traceparent": PARENT, "tracestate": "a=b"}


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Broker-API-Request-Identity": "x" * 257},
        {"X-Broker-API-Request-Identity": "two\nlines"},
        {"traceparent": PARENT.replace("4bf9", "4BF9")},
        {"traceparent": f"{PARENT}-more"},
        {"traceparent": "00-" + "0" * 32 + "-00f067aa0ba902b7-01"},
        {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01"},
        {"traceparent": f"ff{PARENT[2:]}"},
        {"tracestate": "a=b"},
    ],
)
def test_what_cannot_be_believed_is_left_out(headers: dict[str, str]) -> None:
    assert read(headers.get) == {}


def test_a_state_that_cannot_be_believed_leaves_the_trace() -> None:
    assert read({"traceparent": PARENT, "tracestate": "x" * 513}.get) == {"traceparent": PARENT}


def test_within_and_after() -> None:
    assert carried() == {}
    with carrying({"request_identity": "r1", "traceparent": PARENT}):
        with carrying({"request_identity": "r2"}):
            assert carried() == {"request_identity": "r2"}
        assert as_headers() == {"X-Broker-API-Request-Identity": "r1", "traceparent": PARENT}
    assert (carried(), as_headers()) == ({}, {})
