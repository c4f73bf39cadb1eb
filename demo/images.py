"""Which images this cluster runs the addons with: its own local ones, or those that the addons name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench import bare
from demo.places import CHECKOUT
from demo.waiting import DemoFailed, happens

SANDBOX = "sandbox.local"
USER = 999  # of both servers, in the local images as in the addons' own
LOCAL = {"postgresql": "15", "redis": "7"}
DEMO_APP = f"{SANDBOX}/demo-app:1"
NEWS_S = 60.0  # the kubelet lists its images every 30 s, and reports what changed 10 s later


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
    def values(self) -> dict[str, Any]:
        """The Helm values of an instance without parameters: the plan's, and over them the operator's."""
        return bare.merged(_read(self.folder / "plans" / f"{self.plan}.yaml")["values"], self.overrides)

    @property
    def image(self) -> str:
        """The image that instances run."""
        image = {**_read(self.folder / "chart" / "values.yaml")["image"], **self.overrides.get("image", {})}
        return f"{image['repository']}:{image['tag']}"


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def is_local(images: set[str]) -> bool:
    """Whether the nodes have the local images of the servers."""
    return {f"{SANDBOX}/{name}:{tag}" for name, tag in LOCAL.items()} <= images


def choose(present: Callable[[], set[str]], app_image: str | None, within_s: float = NEWS_S) -> tuple[str, bool]:
    """The image of the app, and whether the servers' images are the local ones. Raises DemoFailed.

    `present`: the images that the nodes report. Without a word about the app's image it has to be there.
    """
    if app_image is not None:
        return app_image, is_local(present())
    if not happens(lambda: DEMO_APP in present() and is_local(present()), within_s=within_s):
        raise DemoFailed(
            f"this cluster does not have the image {DEMO_APP}, which the sandbox brings. Build one of Python 3.11, "
            "psycopg2 and redis, with the folder demo/app as /app; then: make demo APP_IMAGE=..."
        )
    return DEMO_APP, True


def addon(name: str, *, local: bool) -> Addon:
    """The addon with plan `small`."""
    image = {"repository": f"{SANDBOX}/{name}", "tag": LOCAL[name]}
    ids = {"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER}
    return Addon(name, "small", {"image": image, "podSecurityContext": ids} if local else {})
