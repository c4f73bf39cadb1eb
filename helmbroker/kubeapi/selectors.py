"""Label selectors: as requests have them, and as objects have them (`matchLabels`, `matchExpressions`). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def equalities(wanted: Mapping[str, str]) -> str:
    """A selector that asks for all of the equalities: `a=b,c=d`."""
    return ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector matches labels; an empty one matches all. ValueError for an operator there is not."""
    equal = (selector.get("matchLabels") or {}).items()
    return all(labels.get(key) == value for key, value in equal) and all(
        _holds(requirement, labels) for requirement in selector.get("matchExpressions") or ()
    )


def _holds(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = requirement.get("key", ""), requirement.get("values") or ()
    match requirement.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case other:
            raise ValueError(f"a selector has no operator {other!r}")
