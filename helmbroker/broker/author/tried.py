"""An addon tried on the cluster: the stage is set, and nothing is left of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from helmbroker.broker import wiring
from helmbroker.broker.author import stage
from helmbroker.broker.author.clients import Clients
from helmbroker.broker.author.rendering import defaults
from helmbroker.broker.author.trial import Check, Trial
from helmbroker.broker.settings import CannotStart, Settings
from helmbroker.catalog.contract import Contract
from helmbroker.catalog.model import NOTHING, Addon, Plan
from helmbroker.catalog.values import coalesce, merge
from helmbroker.kubeapi.client import KubeClient


@contextmanager
def on_the_cluster(
    settings: Settings,
    addon: Addon,
    agreed: Contract,
    later: Addon,
    *,
    tell: Callable[[str], None],
    told: Callable[[Check], None] = lambda _check: None,
) -> Iterator[Trial]:
    """A trial in a namespace of its own, that of the settings, and with a broker of its own.

    `later`: what instances are upgraded to. `tell`: gets lines of progress; `told`: every check when it has ended.
    Raises CannotStart, KubeError, HelmError.
    """
    began = time.monotonic()
    kube = KubeClient.from_environment(settings.kubeconfig)
    namespace = settings.instance_namespace
    overrides = wiring.read_overrides(settings).get(addon.name, NOTHING)

    def progress(text: str) -> None:
        tell(f"{time.monotonic() - began:7.1f} s  {text}")

    def ended(check: Check) -> None:
        progress(f"{'FAILED' if check.failure else 'ok'}: {check.name}")
        told(check)

    def image(plan: Plan) -> str:
        return image_of(coalesce(defaults(addon.chart), merge(plan.values, overrides)), agreed)

    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    try:
        with stage.broker(settings, addon, later, progress) as broker:
            cluster = wiring.make_cluster(settings)
            yield Trial(addon, agreed, broker, Clients(kube, namespace), cluster, kube, image, ended)
    finally:
        kube.delete("Namespace", None, namespace)
        kube.close()


def image_of(values: dict[str, Any], agreed: Contract) -> str:
    """The image of the contract's clients. Raises CannotStart."""
    found = agreed.image_in(values)
    if found is None:
        raise CannotStart(f"contract.yaml: image: there is no image at {agreed.image} of the values")
    return found
