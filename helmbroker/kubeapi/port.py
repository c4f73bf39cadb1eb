"""Kube: what helmbroker asks of a Kubernetes API server. Objects are plain dicts as in the API's JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from helmbroker.kubeapi.kinds import Kind

Obj = dict[str, Any]
"""One Kubernetes object as the API's JSON has it: apiVersion, kind, metadata, and the rest."""


class Propagation(StrEnum):
    """What happens to the objects that belong to a deleted one."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


@dataclass(frozen=True)
class Change:
    """One change to an object: as it is now, or as it was when it was deleted."""

    obj: Obj
    deleted: bool = False


Watched = tuple[list[Obj], Iterator[Change]]
"""What is there, and what changes."""


class Kube(Protocol):
    """A Kubernetes API server.

    Every method is bounded in time and raises `errors.KubeError`; any may raise Unreachable (worth another
    try), Unauthorized and Forbidden. `kind` is a name from `kinds.KINDS`, or `Name.version.group` of any other
    kind (`kinds.named`): NotFound when the server does not serve it. Anything else is a ValueError.
    What is returned belongs to the caller. Methods may be called from several threads at once.
    """

    def get(self, kind: str, namespace: str | None, name: str) -> Obj | None:
        """The object, or None when it (or its namespace) is not there."""
        ...

    def list(
        self,
        kind: str,
        namespace: str | None,
        *,
        labels: Mapping[str, str] | str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Obj]:
        """All objects that match, in no promised order, each with apiVersion and kind.

        namespace: None for all namespaces. labels: equalities, or a selector as kubectl takes it.
        fields: equalities on fields the server can select.
        """
        ...

    def watch(self, kind: str, namespace: str | None, *, for_s: float) -> Watched:
        """What is there, as `list` tells it, and every change since, as it comes.

        The changes end after `for_s` seconds, or earlier: then ask again. Reading them may raise KubeError, also
        when the server has forgotten what came since (status 410): asking again helps.
        """
        ...

    def create(self, obj: Obj, *, dry_run: bool = False) -> Obj:
        """Create it. AlreadyExists, Invalid; NotFound when the namespace is not there. dry_run: only try."""
        ...

    def apply(self, obj: Obj, *, field_manager: str, force: bool = False, dry_run: bool = False) -> Obj:
        """Server-side apply: fields named here become this manager's, fields it named before and not now go.

        Conflict when another manager owns a field with another value, unless `force`. dry_run: only try.
        """
        ...

    def replace(self, obj: Obj) -> Obj:
        """Replace it whole. Conflict when metadata.resourceVersion is given and is not the stored one."""
        ...

    def patch(
        self, kind: str, namespace: str | None, name: str, patch: Obj, *, resource_version: str | None = None
    ) -> Obj:
        """JSON merge patch (RFC 7386): None removes, lists are replaced whole. NotFound, Invalid.

        Conflict when `resource_version` is given and is not the stored one.
        """
        ...

    def patch_status(
        self, kind: str, namespace: str | None, name: str, status: Obj, *, resource_version: str | None = None
    ) -> Obj:
        """JSON merge patch of the status alone, of a kind that keeps it apart. Otherwise as `patch`."""
        ...

    def delete(
        self,
        kind: str,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        propagation: Propagation = Propagation.BACKGROUND,
    ) -> bool:
        """Ask for its deletion; False when it was not there. Conflict when its uid is not `uid`.

        The object may stay for a while: until its finalizers and (Foreground) its dependents are gone.
        """
        ...

    def review(self, obj: Obj) -> Obj:
        """Ask what a TokenReview or SubjectAccessReview asks: it comes back with its status, and is not kept."""
        ...

    def acting_as(self, user: str) -> Kube:
        """The same server, asked in the name of that user; whoever asks needs the right to impersonate him."""
        ...

    def find_kind(self, name: str) -> Kind | None:
        """The kind of that name, see above; None when the server does not serve it."""
        ...

    def server_version(self) -> str:
        """The server's version, such as v1.34.2."""
        ...

    def api_versions(self) -> tuple[str, ...]:
        """What the server serves, in order: `v1`, `apps/v1` and `apps/v1/Deployment`, as charts ask for it.

        Empty when the server is too old to tell it at once (before Kubernetes 1.30).
        """
        ...
