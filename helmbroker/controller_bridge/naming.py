"""Names: what a resource may be called, its config group, and the environment variables of its credentials."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from helmbroker.durable import JSON

BINDING_GROUP = "addon_"  # what the config group of every binding begins with
MIN_NAME, MAX_NAME, MAX_PLAN = 3, 63, 128
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_RESERVED = re.compile(r"drycc(-[a-z0-9-]+)?|kube(-[a-z0-9-]+)?|default")
# Kubernetes and Drycc put variables of these families into every container.
_FOREIGN_FAMILIES = ("KUBERNETES_", "DRYCC_", "WORKFLOW_")


class BadCredentials(Exception):
    """Credentials that cannot become environment variables; a sentence without any value."""


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


def environment(resource: str, credentials: Mapping[str, JSON]) -> dict[str, str]:
    """Credentials as environment variables: `<RESOURCE>_<KEY>`, nothing unprefixed.

    Upper case, `_` for every other character, one more `_` in front of a leading digit. Strings stay as they are,
    other values become JSON text, null is left out. Raises BadCredentials when two keys become one name, when a
    name belongs to the platform, or when nothing is left.
    """
    variables: dict[str, str] = {}
    origin: dict[str, str] = {}
    for key, value in sorted(credentials.items()):
        if value is None:
            continue
        name = variable(resource, key)
        if name in origin:
            raise BadCredentials(
                f"the credentials {origin[name]!r} and {key!r} both become {name}; the addon has to rename one"
            )
        if name.startswith(_FOREIGN_FAMILIES):
            raise BadCredentials(f"{name} belongs to the platform; choose another name for the resource")
        origin[name] = key
        variables[name] = value if isinstance(value, str) else json.dumps(value)
    if not variables:
        raise BadCredentials("the broker gave no credentials with this binding")
    return variables


def variable(resource: str, key: str) -> str:
    """The name of the environment variable for `key`."""
    name = re.sub(r"[^A-Z0-9_]", "_", f"{resource}_{key}".upper())
    return f"_{name}" if name[0].isdigit() else name
