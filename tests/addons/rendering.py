"""What helm makes of the addons' charts, without a cluster, and the golden copies of it.

`python -m tests.addons.rendering` writes the golden copies anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.addons.programs import helm
from tests.addons.tree import ADDONS, FIRST_PLAN, NAMES, PLANS, binding_values, instance_values

GOLDEN = Path(__file__).parent / "golden"
RELEASE = "hb-0123456789ab"
BINDING = f"{RELEASE}-ba9876543210"
NAMESPACE = "instances"
BINDING_ID = "00112233445566ff"
_RANDOM = r"password|exporter|(?:tls_)?uri|jdbc|(?:ca|tls)\.(?:crt|key)|renew-after"


def render(addon: str, chart: str, release: str, values: Mapping[str, Any]) -> str:
    """The manifest and hooks of one chart (`chart` or `binding`). Raises programs.Failed."""
    return helm(
        "template", release, str(ADDONS / addon / chart), "--namespace", NAMESPACE, "--kube-version", "1.36.0",
        values=values,
    )  # fmt: skip


def instance(addon: str, plan: str, *more: dict[str, Any]) -> str:
    """The manifest of an instance."""
    return render(addon, "chart", RELEASE, instance_values(addon, plan, *more))


def binding(addon: str, parameters: dict[str, Any] | None = None, *more: dict[str, Any]) -> str:
    """The manifest of a binding of an instance of the addon's first plan."""
    values = instance_values(addon, FIRST_PLAN[addon], *more)
    return render(addon, "binding", BINDING, binding_values(RELEASE, NAMESPACE, values, BINDING_ID, parameters))


def parsed(manifest: str) -> list[dict[str, Any]]:
    """The objects of a manifest."""
    return [found for found in yaml.safe_load_all(manifest) if found is not None]


def goldens() -> Iterator[tuple[str, str]]:
    """File names and what belongs into them: random passwords, keys and what depends on them are taken out."""
    for addon, plan in PLANS:
        yield f"{addon}-{plan}.yaml", _steady(instance(addon, plan))
    for addon in NAMES:
        yield f"{addon}-binding.yaml", _steady(binding(addon))


def _steady(manifest: str) -> str:
    return re.sub(rf"^(  (?:{_RANDOM})): [A-Za-z0-9+/=]+$", r"\1: (random)", manifest, flags=re.MULTILINE)


if __name__ == "__main__":
    for name, content in goldens():
        (GOLDEN / name).write_text(content)
