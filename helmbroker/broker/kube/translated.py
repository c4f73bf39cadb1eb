"""The Kubernetes API's errors as the operations know them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from helmbroker.broker.domain.helm_errors import ClusterRefused, ClusterUnavailable
from helmbroker.kubeapi.errors import KubeError, Unauthorized, Unreachable


@contextmanager
def translated() -> Iterator[None]:
    """Raises ClusterUnavailable for what may be otherwise in a while, ClusterRefused for the rest."""
    try:
        yield
    except (Unreachable, Unauthorized) as error:  # tokens are rotated: the next one may be accepted
        raise ClusterUnavailable(f"The cluster cannot be used now: {error.message}.") from error
    except KubeError as error:
        raise ClusterRefused(f"The cluster refused a call of the broker: {error}.") from error
