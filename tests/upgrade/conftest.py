"""Fixtures of upgrades."""

from tests.postgresql import postgresql_url
from tests.upgrade.world import previous

__all__ = ["postgresql_url", "previous"]
