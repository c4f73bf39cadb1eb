"""FakeAddonRevisions: the port AddonRevisions over addons that are there."""

from __future__ import annotations

from helmbroker.catalog.model import Addon


class FakeAddonRevisions:
    """See broker.domain.ports.AddonRevisions."""

    def __init__(self, *addons: Addon) -> None:
        self._addons = {addon.digest: addon for addon in addons}

    def put(self, addon: Addon) -> None:
        """One more is offered."""
        self._addons[addon.digest] = addon

    def addon(self, digest: str) -> Addon:
        return self._addons[digest]
