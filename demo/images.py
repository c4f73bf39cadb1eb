"""Which images this cluster runs the addons with: its own local ones, or those that the addons name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from demo.places import CHECKOUT

SANDBOX = "sandbox.local"
USER = 999  # of both servers, in the local images as in the addons' own
LOCAL = {"postgresql": "15", "redis": "7"}
DEMO_APP = f"{SANDBOX}/demo-app:1"


@dataclass(frozen=True)
class Addon:
    """An addon of the checkout with one of its plans, and the operator's overrides for it."""

    name: str
    plan: str
    overrides: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Where the addon is."""
        return CHECKOUT / "addons" / self.name

    @property
    def plan_values(self) -> dict[str, Any]:
        """The plan's Helm values."""
        values: dict[str, Any] = _read(self.folder / "plans" / f"{self.plan}.yaml")["values"]
        return values

    @property
    def image(self) -> str:
        """The image that instances run."""
        image = {**_read(self.folder / "chart" / "values.yaml")["image"], **self.overrides.get("image", {})}
        return f"{image['repository']}:{image['tag']}"


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def is_local(images: set[str]) -> bool:
    """Whether the nodes have the local images."""
    wanted = {f"{SANDBOX}/{name}:{tag}" for name, tag in LOCAL.items()}
    return wanted <= images


def addon(name: str, *, local: bool) -> Addon:
    """The addon with plan `small`."""
    image = {"repository": f"{SANDBOX}/{name}", "tag": LOCAL[name]}
    ids = {"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER}
    return Addon(name, "small", {"image": image, "podSecurityContext": ids} if local else {})
