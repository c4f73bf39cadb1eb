"""Fixtures of the canary search."""

from tests.cluster.conftest import kube

__all__ = ["kube"]
