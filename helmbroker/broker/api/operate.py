"""What operators do to single operations and instances: cancel, retry, purge, retire."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from flask import request

from helmbroker.broker.api import shown, wire
from helmbroker.broker.api.answers import Answer
from helmbroker.broker.domain.store_ports import Overview
from helmbroker.broker.service.operate import Operate
from helmbroker.broker.service.retirement import Retirement


class OperateView:
    """One method per route; those that begin or stop something answer with the operation that it is about."""

    def __init__(
        self,
        operate: Operate,
        overview: Callable[[], AbstractContextManager[Overview]],
        retirement: Retirement,
    ) -> None:
        self._operate, self._overview, self._retirement = operate, overview, retirement

    def retired(self) -> Answer:
        """What is not offered any more, though a source has it."""
        return {"retired": [self._retirement.named(each) for each in self._retirement.all()]}, 200

    def retire(self) -> Answer:
        """Or, with `undo`, offer it again; what is retired then."""
        self._retirement.change(*wire.retirement(request))
        return self.retired()

    def cancel(self, operation_id: str) -> Answer:
        self._operate.cancel(operation_id)
        return self._shown(operation_id)

    def retry(self, instance_id: str) -> Answer:
        return self._shown(self._operate.retry(instance_id))

    def retry_binding(self, instance_id: str, binding_id: str) -> Answer:
        return self._shown(self._operate.retry(instance_id, binding_id))

    def purge(self) -> Answer:
        ref, with_data = wire.purge(request)
        return self._shown(self._operate.purge(ref, with_data=with_data))

    def _shown(self, operation_id: str) -> Answer:
        with self._overview() as overview:
            found = overview.operation(operation_id)
        if found is None:
            raise LookupError("an operation is not forgotten in the moment in which it begins")
        return shown.operation(found), 202
