"""In whose name charts are applied: service accounts of operators, by what platforms say of instances. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from helmbroker.catalog.model import Object


class NoAccount(Exception):
    """There are accounts for tenants, and none for this one."""


@dataclass(frozen=True)
class Tenant:
    """A service account in the namespace of instances, for those whose context says all of this.

    The account's name is the operator's; what clients say is only compared.
    """

    context: Mapping[str, str]
    account: str

    def fits(self, context: Object) -> bool:
        """Whether the context of an instance (OSB `context`) is this tenant's."""
        return all(context.get(key) == value for key, value in self.context.items())


def user(tenants: Sequence[Tenant], context: Object, namespace: str) -> str | None:
    """The first tenant's account, as Kubernetes calls it; None where there are no tenants. Raises NoAccount."""
    found = next((each.account for each in tenants if each.fits(context)), None)
    if found is None and tenants:
        raise NoAccount
    return None if found is None else f"system:serviceaccount:{namespace}:{found}"
