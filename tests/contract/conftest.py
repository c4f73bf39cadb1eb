"""Fixtures of the contracts."""

from tests.contract.kube_server import kube, namespace
from tests.postgresql import postgresql_url

__all__ = ["kube", "namespace", "postgresql_url"]
