"""Requests of commands that change something, and what the service says of the resource meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from tests.unit.plugin.service import Answer, Ended

Drycc = Callable[..., Ended]
RESOURCES = "/v2/apps/example-go/resources/"
ONE = f"{RESOURCES}myredis/"
GET = f"GET {ONE}"
CREATE = f"POST {RESOURCES}"
BINDING = f"PATCH {ONE}binding/"
ROTATE = f"POST {ONE}rotate/"
FRAMES = "...\b\b\b"
ADVICE = "See: drycc resources describe myredis --details --app example-go\n"
REMOVE = "Or remove it: drycc resources destroy myredis --app example-go\n"


def resource(**fields: object) -> Answer:
    """The resource in some state."""
    return Answer({"name": "myredis", "status": "Ready", "binding": None, "message": "", **fields})


def provisioning(message: str) -> Answer:
    """The resource while it is made."""
    return resource(status="Provisioning", message=message)


def steps(text: str) -> list[str]:
    """The lines of a plain progress without their times."""
    return [line.split("s ", 1)[1] for line in text.splitlines() if line.startswith("  ")]
