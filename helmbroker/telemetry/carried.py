"""What goes with a piece of work through threads, operations and calls: who asked for it, and its trace.

A context variable of the thread. It is kept as `carrier` of each operation that is enqueued meanwhile, and goes on
from there in the worker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

IDENTITY = "request_identity"  # X-Broker-API-Request-Identity (OSB item 15), or what stands for it
TRACEPARENT, TRACESTATE = "traceparent", "tracestate"  # https://www.w3.org/TR/trace-context/
HEADERS = {IDENTITY: "X-Broker-API-Request-Identity", TRACEPARENT: "traceparent", TRACESTATE: "tracestate"}
_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_LONGEST_STATE, _LONGEST_IDENTITY, _LONGEST_FIELD = 512, 256, 255
_CARRIED: ContextVar[Mapping[str, str]] = ContextVar("carried", default={})  # noqa: B039  # never written to


def carried() -> dict[str, str]:
    """What this thread's work carries; nothing outside of `carrying`."""
    return dict(_CARRIED.get())


def read(header: Callable[[str], str | None]) -> dict[str, str]:
    """What the headers of a request bring along, as far as it can be believed: bounded, and of the right form."""
    found = {}
    identity = header(HEADERS[IDENTITY])
    if identity and len(identity) <= _LONGEST_IDENTITY and identity.isprintable():
        found[IDENTITY] = identity
    parent, state = header(TRACEPARENT), header(TRACESTATE)
    if parent is not None and _PARENT.fullmatch(parent):
        found[TRACEPARENT] = parent
        if state and len(state) <= _LONGEST_STATE and state.isascii() and state.isprintable():
            found[TRACESTATE] = state
    return found


def as_headers() -> dict[str, str]:
    """The same for a request that we make."""
    return {HEADERS[name]: value for name, value in _CARRIED.get().items() if name in HEADERS}


@contextmanager
def carrying(carrier: Mapping[str, str], **fields: object) -> Iterator[None]:
    """Within, this thread's work carries `carrier`, and each line of its log has `fields`, those that are not None.

    Lines have the identity too, and the id of the trace.
    """
    shown = {name: value[:_LONGEST_FIELD] if isinstance(value, str) else value for name, value in fields.items()}
    shown[IDENTITY] = carrier.get(IDENTITY)
    shown["trace_id"] = carrier[TRACEPARENT].split("-")[1] if TRACEPARENT in carrier else None
    token = _CARRIED.set(dict(carrier))
    try:
        with structlog.contextvars.bound_contextvars(**{n: v for n, v in shown.items() if v is not None}):
            yield
    finally:
        _CARRIED.reset(token)
