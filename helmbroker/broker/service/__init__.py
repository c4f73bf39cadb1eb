"""What the API may ask. Stores intent and operation in one transaction; never touches helm or the cluster."""

from __future__ import annotations

from helmbroker.broker.service.answers import Accepted, BindingView, InstanceView, Unbound, Unchanged
from helmbroker.broker.service.bindings import BindingUseCases
from helmbroker.broker.service.expiry import Expiry
from helmbroker.broker.service.instances import InstanceUseCases
from helmbroker.broker.service.waiting import WaitingRoom

__all__ = ["Accepted", "BindingView", "Expiry", "InstanceView", "Service", "Unbound", "Unchanged", "WaitingRoom"]


class Service(InstanceUseCases, BindingUseCases):
    """The broker's use cases."""
