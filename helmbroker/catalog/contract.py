"""contract.yaml of an addon: what every binding delivers, and how a client proves that it works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helmbroker.catalog.documents import Unreadable, read
from helmbroker.catalog.model import NOTHING, AddonFaults, Object
from helmbroker.catalog.schemas import check, validator

FILE = "contract.yaml"
STEPS = ("login", "write", "read", "tls", "probe")
IN_USE = ("login", "tls", "probe")  # those that an instance with somebody's data may be asked
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_RULES = validator(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["credentials", "image", "steps", "refused"],
        "properties": {
            "credentials": {"type": "array", "items": _TEXT, "uniqueItems": True},
            "image": _TEXT,
            "client": _TEXT,
            "steps": {
                "type": "object",
                "additionalProperties": False,
                "required": ["login"],
                "properties": dict.fromkeys(STEPS, _TEXT),
            },
            "refused": _TEXT,
            "durable": {"type": "boolean"},
            "update": {"type": "object"},
        },
    }
)


@dataclass(frozen=True)
class Contract:
    """Steps are lines of a shell, with the credentials as their environment (names upper-cased).

    image: path of the image in the instance's values. client: lines before those of every step. refused: a regular
    expression that is found in what a login says after the unbind. durable: whether data survive a restart.
    update: parameters of an update. The step probe writes, reads and removes in a place of its own.
    """

    credentials: tuple[str, ...]
    image: str
    client: str
    steps: Mapping[str, str]
    refused: str
    durable: bool = True
    update: Object = field(default_factory=dict)

    def command(self, step: str) -> list[str]:
        """What a pod runs for a step; exit status 0 means that it has succeeded."""
        return ["sh", "-euc", self.script(step)]

    def script(self, step: str) -> str:
        """The step with the lines before it."""
        return f"{self.client}\n{self.steps[step]}"

    def image_in(self, values: Mapping[str, Any]) -> str | None:
        """The image at its path in an instance's values: a text, or a map with repository and digest or tag."""
        found: Any = values
        for key in self.image.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping) and found.get("repository"):
            registry = f"{found['registry']}/" if found.get("registry") else ""
            mark = f"@{found['digest']}" if found.get("digest") else f":{found.get('tag') or 'latest'}"
            return f"{registry}{found['repository']}{mark}"
        return found if isinstance(found, str) else None


def load(folder: Path) -> Contract | None:
    """That of an addon's folder, if it has one. Raises AddonFaults."""
    if not (folder / FILE).exists():
        return None
    try:
        document = read(folder / FILE, FILE)
    except Unreadable as error:
        raise AddonFaults([error.fault]) from None
    if faults := check(document, _RULES):
        raise AddonFaults(faults)
    data: Any = document.data
    return Contract(
        credentials=tuple(data["credentials"]),
        image=data["image"],
        client=data.get("client", ""),
        steps=data["steps"],
        refused=data["refused"],
        durable=data.get("durable", True),
        update=data.get("update", NOTHING),
    )
