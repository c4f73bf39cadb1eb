"""What a call to the Kubernetes API can end with, each as one sentence: verb, object, cause."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

MESSAGE_LIMIT = 1000  # characters of the server's own words that are kept


class ErrorKind(StrEnum):
    """The kinds of failure callers tell apart (also good as a metric label)."""

    NOT_FOUND = "not-found"
    ALREADY_EXISTS = "already-exists"
    CONFLICT = "conflict"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    INVALID = "invalid"
    UNREACHABLE = "unreachable"
    CONFIGURATION = "configuration"
    OTHER = "other"


class KubeError(Exception):
    """A call to the Kubernetes API failed. `str()` is one sentence; it never holds what was sent.

    action: what was tried ("create Secret shop/app-release-v3"); message: the server's words, bounded;
    status: HTTP status, None when there was no answer; reason: the `reason` of the server's Status object;
    retry_after_s: seconds the server asked to wait, if it did.
    """

    kind: ClassVar[ErrorKind] = ErrorKind.OTHER

    def __init__(
        self,
        action: str,
        message: str,
        *,
        status: int | None = None,
        reason: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        self.action = action
        self.message = message if len(message) <= MESSAGE_LIMIT else message[:MESSAGE_LIMIT] + "..."
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(f"cannot {action}: {self.message}")


class NotFound(KubeError):
    """The object, its namespace or its whole API is not there (404)."""

    kind = ErrorKind.NOT_FOUND


class AlreadyExists(KubeError):
    """An object of that name is there already (409)."""

    kind = ErrorKind.ALREADY_EXISTS


class Conflict(KubeError):
    """Another resourceVersion or uid than the expected one, or fields that another manager owns (409)."""

    kind = ErrorKind.CONFLICT


class Unauthorized(KubeError):
    """The credentials are not accepted (401)."""

    kind = ErrorKind.UNAUTHORIZED


class Forbidden(KubeError):
    """Not allowed: by RBAC, by a quota, or because the namespace is being deleted (403)."""

    kind = ErrorKind.FORBIDDEN

    @property
    def terminating(self) -> bool:
        """Whether the namespace is being deleted; the server gives it no reason of its own."""
        return "because it is being terminated" in self.message


class Invalid(KubeError):
    """The server does not accept the object (400, 422)."""

    kind = ErrorKind.INVALID


class Unreachable(KubeError):
    """No usable answer: refused, timed out, TLS, 408, 429 or 5xx. Trying again later may help.

    A write may have happened nevertheless.
    """

    kind = ErrorKind.UNREACHABLE


class NoCluster(KubeError):
    """There is no usable configuration that says which cluster to talk to."""

    kind = ErrorKind.CONFIGURATION


_BY_STATUS: dict[int, type[KubeError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: Unreachable,
    409: Conflict,
    422: Invalid,
    429: Unreachable,
}


# of server-side apply: a field that the kind does not have; a text that is no quantity, no base64, no time
_NOT_OF_THE_SCHEMA = "failed to create typed patch object"
_NOT_OF_THE_TYPE = "unable to convert unstructured object"


def error_class(status: int, reason: str, message: str) -> type[KubeError]:
    """The error for an HTTP status, and the `reason` and `message` of the Status object that came with it."""
    if reason == "AlreadyExists":
        return AlreadyExists
    if message.startswith(_NOT_OF_THE_SCHEMA) or _NOT_OF_THE_TYPE in message:
        return Invalid  # server-side apply says 500 for that
    if status >= 500:
        return Unreachable
    return _BY_STATUS.get(status, KubeError)
