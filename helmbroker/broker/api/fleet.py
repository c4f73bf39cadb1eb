"""/admin/upgrades: runs over the fleet, begun, looked at, stopped and resumed."""

from __future__ import annotations

from flask import request

from helmbroker.broker.api import shown, wire
from helmbroker.broker.api.answers import Answer
from helmbroker.broker.service.fleet import Fleet


class FleetView:
    """One method per route."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def runs(self) -> Answer:
        """The newest first, without their instances."""
        found = [shown.run(each) for each in self._fleet.runs()]
        return {"upgrades": [{name: run[name] for name in run if name != "instances"} for run in found]}, 200

    def begin(self) -> Answer:
        """Or, with `dry_run`, only whom it would be about."""
        asked, dry_run = wire.fleet(request)
        if not dry_run:
            return shown.run(self._fleet.begin(asked)), 202
        target = self._fleet.target(asked)
        instances = [shown.candidate(target, each) for each in target.candidates]
        return {"service_id": target.service_id, "version": target.version, "instances": instances}, 200

    def run(self, run_id: str) -> Answer:
        return shown.run(self._fleet.run(run_id)), 200

    def stop(self, run_id: str) -> Answer:
        return shown.run(self._fleet.stop(run_id)), 202

    def resume(self, run_id: str) -> Answer:
        return shown.run(self._fleet.resume(run_id)), 202
