"""From what came back (or did not) to one of our errors, without ever repeating what was sent."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

from helmbroker.kubeapi.errors import Unreachable, error_class

_SHORTEST_SECRET = 3  # characters; shorter texts are no secrets, and blotting them out would spoil every sentence


def raise_for_status(
    action: str, status: int, headers: Mapping[str, str], content: bytes, sent: Mapping[str, Any] | None
) -> None:
    """Raise the KubeError that an HTTP answer outside 2xx stands for.

    sent: the body of the request, only used to blot its secrets out of the server's words.
    """
    if 200 <= status <= 299:
        return
    answer = _status_object(content)
    reason = str(answer.get("reason") or "")
    message = str(answer.get("message") or "") or f"the server answered HTTP {status} without a Kubernetes Status"
    raise error_class(status, reason, message)(
        action,
        _blotted(message, sent or {}),
        status=status,
        reason=reason,
        retry_after_s=_retry_after_s(answer, headers),
    )


def unreachable(action: str, host: str, timeout_s: float, error: Exception) -> Unreachable:
    """The error for a call that got no answer: where it went, what happened, what to look at."""
    name, text = type(error).__name__, str(error)
    if "Timeout" in name or isinstance(error, TimeoutError):
        cause = f"no answer within {timeout_s:g} s"
    elif "refused" in text:
        cause = "connection refused"
    elif "certificate" in text.lower() or "SSL" in name + text:
        cause = "the TLS handshake failed: check the cluster's certificate authority and server name"
    else:
        cause = f"the connection failed ({name})"
    return Unreachable(action, f"the Kubernetes API at {host} is not reachable: {cause}")


def _status_object(content: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else {}


def _retry_after_s(answer: Mapping[str, Any], headers: Mapping[str, str]) -> float | None:
    details = answer.get("details")
    told = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    told = headers.get("Retry-After") if told is None else told
    try:
        return None if told is None else max(0.0, float(told))
    except ValueError:  # an HTTP date: the caller's own back-off is as good
        return None


def _blotted(message: str, sent: Mapping[str, Any]) -> str:
    """Servers quote what they refuse. Nothing of a Secret's data, and no token, may come back that way."""
    for secret in sorted(_secret_texts(sent), key=len, reverse=True):
        message = message.replace(secret, "***")
    return message


def _secret_texts(sent: Mapping[str, Any]) -> Iterator[str]:
    token = sent["spec"].get("token") if isinstance(sent.get("spec"), dict) else None
    if isinstance(token, str) and len(token) >= _SHORTEST_SECRET:
        yield token
    for part in ("data", "stringData"):
        values = sent.get(part)
        if not isinstance(values, dict):
            continue
        for value in values.values():
            if not isinstance(value, str) or len(value) < _SHORTEST_SECRET:
                continue
            yield value
            try:
                plain = base64.b64decode(value, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                continue
            if part == "data" and len(plain) >= _SHORTEST_SECRET:
                yield plain
