"""Fixtures of the contracts."""

from tests.postgresql import postgresql_url

__all__ = ["postgresql_url"]
