"""What can go wrong, as the caller is told it.

    OsbError
      BadRequest 400        the request is not well-formed, or names something that does not exist
        InvalidParameters
      NotFound 404          Gone 410          Conflict 409
      Unprocessable 422
        AsyncRequired  ConcurrencyError  RequiresApp  MaintenanceInfoConflict  NotUsable
      OperationFailed 500
        UpdateNotSupported
          PlanChangeNotSupported
      Unavailable 503
        TooManyWaiting  Stopping
      TookTooLong 504

Texts are for users: no values of parameters, no internals.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import ClassVar


class OsbError(Exception):
    """An answer that is not a success. `word` is the `error` field of the answer (OSB items 10, 11)."""

    status: ClassVar[HTTPStatus]
    word: ClassVar[str]
    retry_after_s: ClassVar[int | None] = None  # when it makes sense to ask again
    flags: ClassVar[Mapping[str, bool]] = MappingProxyType({})  # further fields of the answer (OSB item 13)

    def __init__(self, description: str) -> None:
        super().__init__(description)
        self.description = description


class BadRequest(OsbError):
    status, word = HTTPStatus.BAD_REQUEST, "BadRequest"


class InvalidParameters(BadRequest):
    word = "InvalidParameters"


class NotFound(OsbError):
    status, word = HTTPStatus.NOT_FOUND, "NotFound"


class Gone(OsbError):
    status, word = HTTPStatus.GONE, "Gone"


class Conflict(OsbError):
    status, word = HTTPStatus.CONFLICT, "Conflict"


class Unprocessable(OsbError):
    status, word = HTTPStatus.UNPROCESSABLE_ENTITY, "Unprocessable"


class NotUsable(Unprocessable):
    """The instance is not in a state in which this can be done."""

    word = "InstanceNotUsable"


class _Fixed(Unprocessable):
    """The Kubernetes client compares these descriptions byte for byte (OSB item 12)."""

    text: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(self.text)


class AsyncRequired(_Fixed):
    word = "AsyncRequired"
    text = "This service plan requires client support for asynchronous service operations."


class ConcurrencyError(_Fixed):
    word = "ConcurrencyError"
    text = "The Service Broker does not support concurrent requests that mutate the same resource."


class RequiresApp(_Fixed):
    word = "RequiresApp"
    text = "This service supports generation of credentials through binding an application only."


class MaintenanceInfoConflict(Unprocessable):
    word = "MaintenanceInfoConflict"


class UpdateNotSupported(Unprocessable):
    """The change can never be made (OSB item 71)."""

    word = "UpdateNotSupported"
    flags = MappingProxyType({"update_repeatable": False})


class PlanChangeNotSupported(UpdateNotSupported):
    word = "PlanChangeNotSupported"


class Unavailable(OsbError):
    status, word = HTTPStatus.SERVICE_UNAVAILABLE, "Unavailable"


class TooManyWaiting(Unavailable):
    """Nothing has begun: it may be asked again."""

    word = "TooManyWaiting"
    retry_after_s = 5

    def __init__(self) -> None:
        super().__init__(
            "Too many requests wait for bindings now. Try again, or use accepts_incomplete=true: it never waits."
        )


class Stopping(Unavailable):
    """What was begun goes on in the next broker."""

    word = "Stopping"
    retry_after_s = 2

    def __init__(self) -> None:
        super().__init__("The broker is being stopped or restarted. Ask again; what was begun goes on.")


class OperationFailed(OsbError):
    """Work that the request waited for has failed: for a reason that is not in the request."""

    status, word = HTTPStatus.INTERNAL_SERVER_ERROR, "OperationFailed"


class TookTooLong(OsbError):
    """Work that the request waited for has not ended in time."""

    status, word = HTTPStatus.GATEWAY_TIMEOUT, "TookTooLong"
