"""Helm's stderr -> HelmFault. Texts as helm 4.2 writes them; the first match counts. Pure."""

from __future__ import annotations

import re

from helmbroker.broker.domain.helm_errors import HelmError, HelmFault

_DETAIL_CHARACTERS = 600

_RULES: tuple[tuple[HelmFault, tuple[str, ...]], ...] = (
    (HelmFault.STORAGE, ("no space left on device",)),
    (HelmFault.STOPPED, ("context canceled",)),
    (
        HelmFault.UNREACHABLE,
        ("cluster unreachable", "connection refused", "no such host", "i/o timeout", "TLS handshake timeout"),
    ),
    (
        HelmFault.SERVER,
        ("etcdserver", "leader changed", "too many requests", "Internal error occurred", "unexpected EOF"),
    ),
    (HelmFault.PENDING, (r"another operation \(install/upgrade/rollback\) is in progress",)),
    (HelmFault.OWNERSHIP, ("cannot be imported into the current release", "cannot re-?use a name")),
    (HelmFault.VALUES, ("don't meet the specifications of the schema",)),
    (
        HelmFault.RENDER,
        (
            "execution error at",
            "nil pointer evaluating",
            "YAML parse error on",
            "template: .* executing ",
            "parse error at",
        ),
    ),
    (
        HelmFault.CHART,
        (r"Chart\.yaml file is missing", "missing in charts/ directory", "chart .* not found", "validation: chart"),
    ),
    (HelmFault.QUOTA, ("exceeded quota", "maximum .* usage per")),
    (HelmFault.FORBIDDEN, ("is forbidden", "Unauthorized")),
    (HelmFault.CONFLICT, ("conflict occurred while applying", "Apply failed with")),
    (
        HelmFault.HOOK,
        (
            "(pre|post)-(install|upgrade|delete|rollback).*(failed|not ready)",
            "BackoffLimitExceeded",
            "DeadlineExceeded",
        ),
    ),
    (
        HelmFault.TIMEOUT,
        ("timed out waiting for the condition", "context deadline exceeded", "status: InProgress"),
    ),
    (
        HelmFault.INVALID,
        (
            "is invalid",
            "admission webhook .* denied",
            "unable to build kubernetes objects",
            "no matches for kind",
        ),
    ),
)
_COMPILED = tuple((fault, re.compile("|".join(texts), re.IGNORECASE | re.DOTALL)) for fault, texts in _RULES)
_PREFIX = re.compile(r"^(Error: |level=\S+ |time=\S+ |msg=)+", re.MULTILINE)


def classify(stderr: str) -> HelmError:
    """The error that helm's stderr stands for, with a bounded text of what it said."""
    fault = next((fault for fault, pattern in _COMPILED if pattern.search(stderr)), HelmFault.OTHER)
    return HelmError(fault, detail(stderr))


def detail(stderr: str) -> str:
    """What helm said, without its own log lines: one bounded line."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    first = next((index for index, line in enumerate(lines) if line.startswith("Error: ")), max(0, len(lines) - 1))
    text = " ".join(_PREFIX.sub("", line).strip() for line in lines[first:])
    return text if len(text) <= _DETAIL_CHARACTERS else text[: _DETAIL_CHARACTERS - 1] + "…"
