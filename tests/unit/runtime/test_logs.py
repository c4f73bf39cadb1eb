"""Logs: one JSON line per event, and nothing secret in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from helmbroker.runtime import logs

CANARY = "canary-7f3a"


class Colour(StrEnum):
    RED = "red"


class Opaque:
    def __repr__(self) -> str:
        return CANARY


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    text = io.StringIO()
    logs.configure(level="info", service="test", stream=text)
    yield text
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_stdlib_line_has_its_extras(stream: io.StringIO) -> None:
    logging.getLogger("room").info(
        "step %s done",
        "await",
        extra={"operation": "op1", "attempt": 2, "colour": Colour.RED, "file": Path("/a")},
    )
    (line,) = lines(stream)
    stamp = line.pop("timestamp")
    assert stamp.endswith("Z")
    assert line == {
        "event": "step await done",
        "level": "info",
        "logger": "room",
        "service": "test",
        "operation": "op1",
        "attempt": 2,
        "colour": "red",
        "file": "/a",
    }


def test_a_structlog_line_looks_the_same(stream: io.StringIO) -> None:
    structlog.get_logger("room").warning("slow %s", "step", instance="i1")
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["logger"], line["instance"]) == (
        "slow step",
        "warning",
        "room",
        "i1",
    )


def test_an_exception_is_text_in_one_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("bad number")
    except ValueError:
        logging.getLogger("room").exception("it failed")
    (line,) = lines(stream)
    assert "ValueError: bad number" in line["exception"]


@pytest.mark.parametrize(
    "extra",
    [
        {"value": SecretStr(CANARY)},
        {"value": Opaque()},
        {"value": {"deep": [Opaque()]}},
        {"password": CANARY},
        {"db_password": CANARY},
        {"Authorization": CANARY},
        {"value": {"token": CANARY}},
        {"parameters": {"a": CANARY}},
        {"headers": {"a": CANARY}},
        {"credentials": [CANARY]},
    ],
)
def test_secrets_cannot_be_formatted(stream: io.StringIO, extra: dict[str, Any]) -> None:
    logging.getLogger("room").info("look", extra=extra)
    logging.getLogger("room").info("look at %s", SecretStr(CANARY))
    assert len(lines(stream)) == 2
    assert CANARY not in stream.getvalue()


def test_debug_is_quiet_below_its_level_and_libraries_stay_quiet() -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    text = io.StringIO()
    try:
        logs.configure(level="debug", service="test", stream=text)
        logging.getLogger("room").debug("seen")
        logging.getLogger("kubernetes.client.rest").debug("response body: %s", CANARY)
        logging.getLogger("urllib3.connectionpool").debug("GET /?%s", CANARY)
        logs.configure(level="info", service="test", stream=text)
        logging.getLogger("room").debug("unseen")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert [line["event"] for line in lines(text)] == ["seen"]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown log level 'loud'"):
        logs.configure(level="loud", service="test")
