"""Rotations that are due: begun by the schedule, in one worker of all; carried out as if a user had asked."""

from __future__ import annotations

from helmbroker.controller_bridge.service import Service
from helmbroker.durable import Context, Handler


def rotate_due(service: Service, at_once: int) -> Handler:
    """The handler of the schedule; it begins none that would make more than `at_once` rotations go on."""

    def run(_ctx: Context) -> str:
        begun, waiting = service.rotate_due(at_once)
        if not begun + waiting:
            return "no credentials are due to be replaced"
        told = f"{begun} resources get new credentials"
        return f"{told}, {waiting} wait: {at_once} rotations go on at a time" if waiting else told

    return run
