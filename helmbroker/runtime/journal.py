"""What lines of the log say of requests, in the words of both programs."""

from __future__ import annotations

from enum import StrEnum

_MAX_PATH_CHARACTERS = 2048


class LoginFault(StrEnum):
    """Why a login is refused, for the log. Nothing of what was shown is: a user may be a password gone astray."""

    NOTHING = "no credentials"
    UNREADABLE = "unreadable credentials"
    KIND = "credentials of a kind that is not taken"
    USER = "unknown user"
    PASSWORD = "wrong password"  # noqa: S105  # a reason, no password
    TOKEN = "unknown token"  # noqa: S105
    EXPIRED = "expired token"
    UNTRUSTED = "token that is not trusted"
    SIGNATURE = "wrong signature"
    NOT_HERE = "not allowed here"


def shown(path: str) -> str:
    """The path of a request, whatever a stranger made of it."""
    return path[:_MAX_PATH_CHARACTERS]
