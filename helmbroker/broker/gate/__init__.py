"""The gate: what a chart may create. Tenants' parameters must not become rights in the cluster. Pure.

Checked is what will be made, object by object, before every install and upgrade (decision 0028). What an operator
grants an addon is in one file (grants.py); what nothing can grant says so.
"""

from helmbroker.broker.gate.grants import NO_GRANTS, Grants
from helmbroker.broker.gate.manifest import BadManifest, objects, packed
from helmbroker.broker.gate.rbac import Rule
from helmbroker.broker.gate.rules import ALLOWED, Scope, violations
from helmbroker.broker.gate.violation import Violation

__all__ = [
    "ALLOWED",
    "NO_GRANTS",
    "BadManifest",
    "Grants",
    "Rule",
    "Scope",
    "Violation",
    "objects",
    "packed",
    "violations",
]
