"""JSON logs: one line per event on stderr, from stdlib `logging` and from structlog alike.

A line holds `timestamp` (RFC 3339, UTC), `level`, `service`, `logger`, `event`, what the caller gave as
`extra=`, and `exception` (text) when there is one. Secrets cannot be formatted: only plain values, paths,
times, ids and enums are written; anything else shows as its type's name, and a field whose name says that it
is secret shows as `[hidden]`.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import sys
import uuid
from collections.abc import Mapping, MutableMapping
from enum import Enum
from pathlib import PurePath
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

HIDDEN = "[hidden]"
_SECRET_NAME = re.compile(
    r"pass(word|wd)?$|secret|token|credential|authori[sz]ation|cookie|parameters|private|_key$|^headers?$|^body$",
    re.I,
)
# These libraries put headers, URLs or whole answers into their lines below WARNING.
_QUIET = ("urllib3", "kubernetes", "requests", "sqlalchemy", "asyncio", "werkzeug")
_MAX_DEPTH = 6
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(*, level: str = "info", service: str, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (stderr) as JSON lines. May be repeated; the last call holds.

    `level` is debug, info, warning or error (else ValueError); `service` names the process in every line.
    """
    if level.lower() not in _LEVELS:
        raise ValueError(f"unknown log level {level!r}: use one of {', '.join(_LEVELS)}")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter(shared, service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level.lower()])
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _formatter(shared: list[Processor], service: str) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _service(service),
            _plain_values,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
    )


def _service(service: str) -> Processor:
    def add(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    return add


def _plain_values(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        event[key] = _plain(key, value, 0)
    return event


def _plain(key: str, value: object, depth: int) -> object:
    if _SECRET_NAME.search(key):
        return HIDDEN
    if isinstance(value, Enum | PurePath | uuid.UUID | dt.datetime | dt.date):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        return {str(k): _plain(str(k), v, depth + 1) for k, v in value.items()}
    if depth < _MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_plain(key, item, depth + 1) for item in value]
    return f"<{type(value).__name__}>"


def _dumps(event: object, **_: object) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"), allow_nan=True)
