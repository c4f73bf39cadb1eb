"""Authority: who owns a token, and what they may do."""

from __future__ import annotations

from typing import Protocol

from helmbroker.controller_bridge.model import Role


class Identity(Protocol):
    """The owner of a token."""

    @property
    def user(self) -> str:
        """Their name, as releases and operations show it."""
        ...

    def role_in(self, app: str) -> Role | None:
        """Their role in this app, which includes the smaller ones; None: they have nothing to do with it.

        Raises AppsUnavailable or KubeError when whoever decides that does not answer.
        """
        ...

    def workspace_of(self, app: str, /) -> str | None:
        """The workspace of the app, as `role_in` has found it; None: the platform has none, or does not tell.

        Raises as `role_in`.
        """
        ...


class Authority(Protocol):
    """Whoever knows the tokens of users."""

    def identify(self, token: str) -> Identity | None:
        """Their owner; None: nobody's.

        Raises TokensError, AppsUnavailable or KubeError when whoever decides that does not answer.
        """
        ...
