"""The Secret of a resource in its app's namespace, beside the app's config: kept, put back, removed."""

from __future__ import annotations

from helmbroker.controller_bridge.broker_port import Credentials
from helmbroker.controller_bridge.delivery import secret_entries
from helmbroker.controller_bridge.naming import secret_name
from helmbroker.controller_bridge.operations.work import Work
from helmbroker.durable import Done, Outcome


def keep(work: Work, credentials: Credentials) -> Outcome:
    """Make it, or replace what it holds."""
    resource = work.resource
    entries = secret_entries(resource.service_class, credentials.values)
    work.acting.apps.offer(work.app, secret_name(resource.name), entries)
    return Done()


def put_back(work: Work) -> Outcome:
    """What the app's own binding delivers, if another one may have come to be there."""
    if "await binding" in work.ctx.results:
        keep(work, work.ports.broker.credentials(work.binding(work.resource.binding_id)))
    return Done()


def remove(work: Work) -> Outcome:
    """It may never have been made."""
    work.acting.apps.offer(work.app, secret_name(work.resource.name), None)
    return Done()
