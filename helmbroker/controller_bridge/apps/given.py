"""Secrets of an app's namespace that its owner gives to the bridge: credentials of services that live elsewhere."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable

from helmbroker.controller_bridge.apps.cluster import translated
from helmbroker.controller_bridge.apps.names import EXTERNAL, MANAGED_BY, MANAGER, is_namespace
from helmbroker.controller_bridge.apps.port import CannotRelease
from helmbroker.kubeapi.port import Kube

_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")


class GivenSecrets:
    """Those of one cluster. The label is the owner's consent: the bridge may read more than its users may."""

    def __init__(self, kube: Callable[[], Kube]) -> None:
        """`kube`: the cluster's client, made when it is needed first."""
        self._kube = kube

    def read(self, app: str, name: str) -> dict[str, str]:
        """The entries of Secret `name`, as texts.

        Raises CannotRelease: there is none, it is not given, or it holds what is no text; AppsUnavailable.
        """
        place = f"Secret {app}/{name}"
        if not (is_namespace(app) and _NAME.fullmatch(name)):
            raise CannotRelease(f"{place} cannot be: a Secret has a name of a-z, 0-9, hyphens and dots")
        with translated():
            found = self._kube().get("Secret", app, name)
        if found is None:
            raise CannotRelease(f"there is no {place}")
        labels = found["metadata"].get("labels") or {}
        if labels.get(EXTERNAL) != "true" or labels.get(MANAGED_BY) == MANAGER:
            raise CannotRelease(
                f"{place} is not given to the bridge: kubectl label secret -n {app} {name} {EXTERNAL}=true"
            )
        try:
            return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}
        except (binascii.Error, UnicodeDecodeError):
            raise CannotRelease(f"{place} holds what is no text: credentials are texts") from None
