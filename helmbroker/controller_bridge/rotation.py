"""Rotations that are due: begun by the schedule, in one worker of all; carried out as if a user had asked."""

from __future__ import annotations

import time

from helmbroker.controller_bridge.service import Service
from helmbroker.durable import Context, Handler


def rotate_due(service: Service) -> Handler:
    """The handler of the schedule."""

    def run(_ctx: Context) -> str:
        number = service.rotate_due(time.time())
        return f"{number} resources get new credentials" if number else "no credentials are due to be replaced"

    return run
