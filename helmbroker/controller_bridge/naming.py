"""Names: what a resource may be called, its config group, and its Secret."""

from __future__ import annotations

import re

BINDING_GROUP = "addon_"  # what the config group of every binding begins with
MIN_NAME, MAX_NAME, MAX_PLAN = 3, 63, 128
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_RESERVED = re.compile(r"drycc(-[a-z0-9-]+)?|kube(-[a-z0-9-]+)?|default")


def name_error(name: object) -> str | None:
    """Why `name` cannot be a resource's name; None when it can."""
    if not isinstance(name, str) or not name:
        return "This field is required."
    if len(name) > MAX_NAME:
        return f"Ensure this field has no more than {MAX_NAME} characters."
    if len(name) < MIN_NAME:
        return f"Ensure this field has at least {MIN_NAME} characters."
    if not _NAME.fullmatch(name):
        return "name can only supports: a-z (lowercase), 0-9 and single hyphens between them"
    if _RESERVED.fullmatch(name):
        return f"{name} is a reserved name. Choose one that does not begin with drycc or kube."
    return None


def is_resource_name(name: str) -> bool:
    """Whether a path may name a resource like this."""
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None


def config_group(resource: str) -> str:
    """The config group of a resource's credentials: hyphens break references in an app file."""
    return BINDING_GROUP + resource.replace("-", "_")


def foreign_group(binding: str) -> str:
    """The config group of a binding of service-catalog: no resource's, as none begins with a hyphen."""
    return f"{BINDING_GROUP}_{binding.replace('-', '_')}"


def secret_name(resource: str) -> str:
    """The Secret of a resource's credentials, in the app's namespace."""
    return f"{resource}-binding"
