"""What the bridge writes on Kubernetes objects, and how it knows its own."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from helmbroker.kubeapi.port import Obj

PROCESS_TYPE = "helmbroker.io/process-type"
"""Label by which the owner of an app hands a workload over: its value is the process type (web, worker)."""

RELEASE = "helmbroker.io/app-release"
"""Label of ledger entries (number) and env Secrets (stamp); annotation of workloads (number of the release they
were last given) and of their pod templates (stamp: the release that introduced this config)."""

OFFERED = "helmbroker.io/offered"
"""Label of Secrets with the credentials of a binding."""

EXTERNAL = "helmbroker.io/external"
"""Label by which the owner of an app gives a Secret to the bridge: its value is `true`."""

STATE = "helmbroker.io/app-release-state"
REASON = "helmbroker.io/app-release-reason"

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "helmbroker-bridge"

LEDGER_TYPE = "helmbroker.io/app-release"
ENV_TYPE = "helmbroker.io/app-env"

_ENV_NAME = re.compile(r"app-env-v[0-9]{1,9}(-[0-9a-f]{10})?")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def ledger_name(number: int) -> str:
    """The Secret that holds a release."""
    return f"app-release-v{number}"


def env_name(stamp: int, process_type: str | None = None) -> str:
    """The Secret that holds the environment a release introduced: the common one, or that of one process type."""
    own = "" if process_type is None else f"-{hashlib.sha256(process_type.encode()).hexdigest()[:10]}"
    return f"app-env-v{stamp}{own}"


def is_env_name(name: object) -> bool:
    """Whether a Secret of that name is one that the bridge puts into `envFrom`."""
    return isinstance(name, str) and _ENV_NAME.fullmatch(name) is not None


def is_namespace(name: str) -> bool:
    """Whether a namespace can have this name."""
    return _NAMESPACE.fullmatch(name) is not None


def is_ours(secret: Obj, secret_type: str) -> bool:
    """Whether the bridge made this Secret: its type and its labels say so. Nothing else is ever written."""
    labels = secret["metadata"].get("labels") or {}
    return secret.get("type") == secret_type and labels.get(MANAGED_BY) == MANAGER and RELEASE in labels


def number_in(metadata: Any) -> int | None:
    """The release number annotated on a workload or a pod template; None when there is none."""
    text = ((metadata or {}).get("annotations") or {}).get(RELEASE)
    return int(text) if isinstance(text, str) and text.isdecimal() else None
