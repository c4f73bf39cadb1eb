"""What the broker would make of an addon, without a cluster: values of a plan, and the manifests of its charts."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helmbroker.broker.domain import naming
from helmbroker.broker.domain.cluster import Capabilities
from helmbroker.broker.helm.releases import HelmCli
from helmbroker.catalog.documents import read
from helmbroker.catalog.formats import native
from helmbroker.catalog.model import JSON, NOTHING, Addon, Object, Plan
from helmbroker.catalog.values import coalesce, of_instance

INSTANCE = naming.instance_release("helmbroker-instances", "author", "instance")
BINDING = naming.binding_release(INSTANCE, "instance", "binding")
KUBERNETES = "1.36.0"  # the version that charts are shown
_SERVED = Capabilities(f"v{KUBERNETES}", ())  # what helm itself takes a cluster to serve is served besides


@dataclass(frozen=True)
class Rendering:
    """An addon as the operator's overrides would have it."""

    addon: Addon
    helm: HelmCli
    overrides: Object = field(default_factory=dict)

    def values(self, plan: Plan, parameters: Object = NOTHING) -> dict[str, JSON]:
        """What is given to the chart of an instance."""
        return of_instance(self.addon, plan, parameters, self.overrides, INSTANCE.name)

    def instance(self, plan: Plan, parameters: Object = NOTHING) -> str:
        """The manifest of an instance. Raises HelmError."""
        return self.helm.template(self.addon.chart, self.values(plan, parameters), INSTANCE)

    def binding(self, plan: Plan) -> str:
        """The manifest of a binding of an instance of this plan. Raises HelmError, Unreadable."""
        return self.helm.template(self.addon.binding_chart, self.binding_values(plan), BINDING)

    def delivery(self, plan: Plan) -> str:
        """The credentials template of a binding of an instance of this plan. Raises HelmError, Unreadable."""
        addon, never = self.addon, threading.Event()
        if plan.credentials_template is not None:  # bindings share what the instance's own chart has made
            template, own = addon.folder / plan.credentials_template, self.values(plan)
            return self.helm.render_alone(template, addon.chart, own, INSTANCE, _SERVED, never)
        template, values = addon.folder / native.TEMPLATE, self.binding_values(plan)
        return self.helm.render_alone(template, addon.binding_chart, values, BINDING, _SERVED, never)

    def binding_values(self, plan: Plan) -> Object:
        """What is given to the chart of a binding. Raises Unreadable."""
        known = coalesce(defaults(self.addon.chart), self.values(plan))
        instance: Object = {"release": INSTANCE.name, "namespace": INSTANCE.namespace, "values": known}
        key = naming.binding_key("instance", "binding")
        return {"instance": instance, "binding": {"id": key, "parameters": {}}}


def defaults(chart: Path) -> Mapping[str, Any]:
    """The default values of a chart. Raises Unreadable."""
    if not (chart / "values.yaml").exists():
        return {}
    data = read(chart / "values.yaml", f"{chart.name}/values.yaml").data
    return data if isinstance(data, dict) else {}
