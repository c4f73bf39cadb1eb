"""What an update is to lead to: the plan, the parameters, and the revision of the addon. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import semver

from helmbroker.broker.domain.credentials import Parameters
from helmbroker.broker.domain.errors import (
    BadRequest,
    InvalidParameters,
    MaintenanceInfoConflict,
    PlanChangeNotSupported,
    UpdateNotSupported,
)
from helmbroker.broker.domain.instance import ServiceInstance
from helmbroker.broker.domain.requests import UpdateRequest
from helmbroker.broker.service.base import written_out
from helmbroker.catalog import changes
from helmbroker.catalog.model import Addon, Plan


@dataclass(frozen=True)
class Target:
    """pinned: the revision that the instance runs; offered: that of the catalog; addon: the one it will run."""

    instance: ServiceInstance  # as it will be
    before: ServiceInstance
    pinned: Addon
    offered: Addon | None
    addon: Addon


def target(request: UpdateRequest, before: ServiceInstance, pinned: Addon, offered: Addon | None) -> Target:
    """What the request asks for, well-formed (OSB items 65, 66). Raises BadRequest, InvalidParameters.

    The revision stays the one that is pinned, unless the request names the version of a newer one (item 72).
    """
    if request.service_id != pinned.id:
        raise BadRequest(f"service_id is not that of the service instance, which is {pinned.id}.")
    plan_id = request.plan_id or before.plan_id
    if not any(addon is not None and addon.plan(plan_id) for addon in (pinned, offered)):
        raise BadRequest(f"plan_id is not a plan of {pinned.name}. Fetch the catalog again.")
    upgrades = offered is not None and request.maintenance_version == offered.version and newer(offered, pinned)
    addon = offered if offered is not None and upgrades else pinned
    recorded = before.parameters.reveal()
    given = written_out(addon, request.parameters.reveal()) if request.parameters else {}
    schemas = addon.parameters(plan_id) if addon.plan(plan_id) else pinned.parameters(before.plan_id)
    others = schemas != pinned.parameters(before.plan_id)
    found = changes.problems(schemas, recorded, given) if given or others else []
    if found:
        raise InvalidParameters("; ".join(found))
    instance = replace(
        before,
        plan_id=plan_id,
        parameters=Parameters(changes.patched(recorded, given)),
        context=before.context if request.context is None else request.context,
        addon_digest=addon.digest,
    )
    return Target(instance, before, pinned, offered, addon)


def check_version(version: str | None, offered: Addon | None, plan_id: str) -> None:
    """OSB items 50, 72: `version`, if given, is that of the plan in the catalog. Raises MaintenanceInfoConflict."""
    if version is None:
        return
    if offered is None or offered.plan(plan_id) is None:
        raise MaintenanceInfoConflict(
            "This plan is not in the catalog any more, so it has no maintenance_info; leave it out."
        )
    if version != offered.version:
        raise MaintenanceInfoConflict(
            f"maintenance_info.version of this plan is {offered.version} in the catalog. Fetch the catalog again."
        )


def supported_plan(wanted: Target, version: str | None) -> Plan:
    """The plan that the instance will have. Raises UpdateNotSupported, PlanChangeNotSupported (OSB item 71)."""
    pinned, offered = wanted.pinned, wanted.offered
    if version is not None and offered is not None and newer(pinned, offered):
        raise UpdateNotSupported(
            f"The service instance runs version {pinned.version}, which is newer than {version} of the catalog; "
            "it cannot go back. Leave maintenance_info out."
        )
    plan, old = wanted.addon.plan(wanted.instance.plan_id), wanted.before.plan_id
    if plan is None:
        raise UpdateNotSupported(
            f"This plan is not part of version {wanted.addon.version}, which the service instance runs. "
            "Upgrade it in the same request, by the maintenance_info of the catalog, if that is newer."
        )
    if plan.id != old:
        rules = wanted.addon if wanted.addon.plan(old) is not None else pinned
        before = rules.plan(old)
        allowed = [] if before is None else [other.name for other in rules.updates_to(before)]
        if plan.name not in allowed:
            raise PlanChangeNotSupported(
                f"{pinned.name} cannot change from plan {before.name if before else old} to plan {plan.name}; "
                f"possible from there: {', '.join(allowed) or 'no other plan'}."
            )
    return plan


def newer(one: Addon, other: Addon) -> bool:
    """Whether the first is a later version of the addon, as SemVer orders them."""
    return semver.Version.parse(one.version) > semver.Version.parse(other.version)
