"""The Secret of a resource in its app's namespace, beside the app's config: kept, put back, removed."""

from __future__ import annotations

from collections.abc import Mapping

from helmbroker.controller_bridge.apps.port import AppReleaseError, AppsUnavailable
from helmbroker.controller_bridge.broker_port import BrokerError, Credentials
from helmbroker.controller_bridge.delivery import secret_entries
from helmbroker.controller_bridge.naming import secret_name
from helmbroker.controller_bridge.operations.delivered import delivered
from helmbroker.controller_bridge.operations.work import Work
from helmbroker.durable import JSON, Done, Outcome


def keep(work: Work, credentials: Credentials) -> Outcome:
    """Make it, or replace what it holds."""
    resource = work.resource
    entries = secret_entries(resource.service_class, credentials.values)
    work.acting.apps.offer(work.app, secret_name(resource.name), entries)
    return Done()


def put_back(work: Work) -> Outcome:
    """What the app's own binding delivers, if another one may have come to be there.

    What cannot be is noted: the new credentials are delivered on then, and must not end.
    """
    if not {"check", "offer"} & work.ctx.results.keys():  # the first is missing in those of a release before
        return Done()
    try:
        given = delivered(work, work.binding(work.resource.binding_id), work.caller)
        return keep(work, given)
    except AppsUnavailable:
        raise
    except (AppReleaseError, BrokerError) as error:
        if isinstance(error, BrokerError) and error.busy:
            raise
        name = secret_name(work.resource.name)
        told = f"the Secret {name} still delivers the new credentials, which stay valid: {error}"
        return Done({"problem": told} if "offer" in work.ctx.results else None)


def not_put_back(results: Mapping[str, JSON]) -> str | None:
    """Why the Secret still delivers the credentials of a rotation that was undone; None: it does not."""
    found = results.get("put offer back")
    return str(found["problem"]) if isinstance(found, Mapping) and "problem" in found else None


def remove(work: Work) -> Outcome:
    """It may never have been made."""
    work.acting.apps.offer(work.app, secret_name(work.resource.name), None)
    return Done()
