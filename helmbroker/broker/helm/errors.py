"""Helm's stderr -> HelmFault. Texts as helm 4.2 writes them; the first match counts. Pure."""

from __future__ import annotations

import re
import signal

from helmbroker.broker.domain.helm_errors import HelmError, HelmFault

_DETAIL_CHARACTERS = 600

_RULES: tuple[tuple[HelmFault, tuple[str, ...]], ...] = (
    (HelmFault.STORAGE, ("no space left on device", "disk quota exceeded")),
    (HelmFault.STOPPED, ("context canceled",)),
    # before the rules for what helm quotes from the cluster, as these texts stand in front of everything else
    (HelmFault.PENDING, (r"another operation \(install/upgrade/rollback\) is in progress",)),
    (HelmFault.NOT_DEPLOYED, ("has no deployed releases", r"release has no \d+ version")),
    (HelmFault.OWNERSHIP, ("cannot be imported into the current release", "cannot re-?use a name")),
    (HelmFault.VALUES, ("don't meet the specifications of the schema",)),
    (
        HelmFault.UNREACHABLE,  # in the middle of rendering, when a chart looks something up
        (r"error calling lookup: .*(dial tcp|connection re(fused|set)|timeout|TLS handshake|EOF|http2|deadline)",),
    ),
    (
        HelmFault.RENDER,
        (
            "execution error at",
            "nil pointer evaluating",
            "YAML parse error on",
            r"template: .* executing ",
            r'executing ".*" at <',
            "parse error at",
        ),
    ),
    (
        HelmFault.CHART,
        (
            r"Chart\.yaml file is missing",
            "unable to detect chart at",
            "missing in charts/ directory",
            r"chart .* not found",
            r'path ".*" not found',
            "validation: chart",
            "chart requires kubeVersion",
        ),
    ),
    (
        HelmFault.UNREACHABLE,
        (
            "cluster unreachable",
            "connection refused",
            "connection reset by peer",
            "no such host",
            "i/o timeout",
            "TLS handshake timeout",
            "http2: client connection lost",
        ),
    ),
    (
        HelmFault.SERVER,
        (
            "etcdserver",
            "leader changed",
            "too many requests",
            "Internal error occurred",
            "unexpected EOF",
            r"^failed to delete release: [\w.-]+$",  # what helm says when the server goes away meanwhile
        ),
    ),
    (HelmFault.QUOTA, ("exceeded quota", r"(minimum|maximum) .* usage per")),
    (HelmFault.TERMINATING, ("because it is being terminated",)),
    (HelmFault.NAMESPACE, (r'namespaces "[^"]*" not found',)),
    (HelmFault.FORBIDDEN, ("is forbidden", "Unauthorized")),
    (HelmFault.CONFLICT, ("conflict occurred while applying", "Apply failed with")),
    (
        HelmFault.HOOK,
        (
            r"resource Job/\S+ not ready. status: Failed",
            r"(pre|post)-(install|upgrade|delete|rollback).*(failed|not ready)",
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
            "cannot be handled as a",
            r"admission webhook .* denied",
            "unable to build kubernetes objects",
            "no matches for kind",
            "server-side apply failed",
        ),
    ),
)
_COMPILED = tuple((fault, re.compile("|".join(texts), re.IGNORECASE | re.DOTALL)) for fault, texts in _RULES)
_ADVICE = ("Use --debug flag to render out invalid YAML", "ensure CRDs are installed first")  # to who runs helm
_PREFIX = re.compile(r"^(Error: |UPGRADE FAILED: |level=\S+ |time=\S+ |msg=)+")


def classify(stderr: str, status: int = 1) -> HelmError:
    """The error that helm's stderr stands for, with a bounded text of what it said.

    status: helm's exit status; negative: the signal that ended it.
    """
    if status < 0:
        name = signal.Signals(-status).name
        return HelmError(HelmFault.STOPPED, f"it was ended by {name}, perhaps for want of memory")
    said = detail(stderr)
    fault = next((fault for fault, pattern in _COMPILED if pattern.search(said)), HelmFault.OTHER)
    return HelmError(fault, said if len(said) <= _DETAIL_CHARACTERS else said[: _DETAIL_CHARACTERS - 1] + "…")


def detail(stderr: str) -> str:
    """What helm said, without its own log lines, prefixes and advice, in one line."""
    lines = [line for line in stderr.splitlines() if line.strip() and line.strip() not in _ADVICE]
    first = next((index for index, line in enumerate(lines) if line.startswith("Error: ")), max(0, len(lines) - 1))
    return " ".join(" ".join(_PREFIX.sub("", line) for line in lines[first:]).split())
