"""Spans: whose child each is, what hinders them, and that there are none where nobody asked for them."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from helmbroker.telemetry.carried import carried, carrying
from helmbroker.telemetry.traces import Role, Traces, from_environment
from tests.unit.telemetry.spans import Spans

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
VARIABLES = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)


def test_a_span_is_the_child_of_what_the_thread_carries() -> None:
    spans = Spans()
    with carrying({"request_identity": "r1", "traceparent": PARENT}):
        with spans.traces.span("outer", Role.SERVER, {"a": 1, "b": None}) as span:
            inside = carried()
            with spans.traces.span("inner"):
                """Nothing to do."""
            span.fail("because")
        assert carried()["traceparent"] == PARENT
    assert spans.tree() == {"outer": None, "inner": "outer"}
    assert spans.traces_seen() == {PARENT.split("-")[1]}
    assert (inside["request_identity"], inside["traceparent"][:35]) == ("r1", PARENT[:35])
    outer = spans.named("outer")
    assert (dict(outer.attributes or {}), outer.status.description) == ({"a": 1}, "because")


def test_the_text_of_an_exception_is_in_no_span() -> None:
    spans = Spans()
    with pytest.raises(ValueError, match="canary"), spans.traces.span("breaks"):
        raise ValueError("canary-secret")
    (span,) = spans.ended
    assert "canary" not in span.to_json()


def test_nobody_asked_for_traces() -> None:
    assert type(from_environment("x")) is Traces


def test_an_endpoint_asks_for_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    assert type(from_environment("x")) is not Traces


@pytest.mark.parametrize("switch", [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")])
def test_traces_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, switch: tuple[str, str]) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(*switch)
    assert type(from_environment("x")) is Traces


def test_an_exporter_that_is_not_known_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    with caplog.at_level(logging.ERROR):
        assert type(from_environment("x")) is Traces
    assert "OTEL_TRACES_EXPORTER is 'zipkin': use otlp, console or none" in caplog.text


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_without_traces_nothing_of_opentelemetry_is_loaded() -> None:
    code = """
import sys
import helmbroker.broker.telemetry_wiring as wiring
wiring.requests_of_api()
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    assert python(code) == "[]\n"


def test_without_the_extra_the_log_says_how_to_get_it() -> None:
    code = """
import os, sys
sys.modules["opentelemetry"] = None
os.environ["OTEL_TRACES_EXPORTER"] = "console"
from helmbroker.telemetry.traces import Traces, from_environment
print(type(from_environment("x")) is Traces)
"""
    said = python(code)
    assert said.startswith("True\n")
    assert "pip install 'helmbroker[traces]'" in said


def test_the_console_gets_what_ends() -> None:
    code = """
import os
os.environ["OTEL_TRACES_EXPORTER"] = "console"
from helmbroker.telemetry.traces import from_environment
with from_environment("the-service").span("the-span"):
    pass
"""
    said = python(code)
    assert '"name": "the-span"' in said
    assert '"service.name": "the-service"' in said
