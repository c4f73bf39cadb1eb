"""The calls of the bridge itself at a controller, as a staff user: typed answers, statuses in the port's words."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import pydantic

from helmbroker.controller_bridge.apps.drycc import wire
from helmbroker.controller_bridge.apps.drycc.budget import Turns
from helmbroker.controller_bridge.apps.drycc.client import Answer, ControllerClient
from helmbroker.controller_bridge.apps.drycc.config import Detach, Post
from helmbroker.controller_bridge.apps.names import is_namespace
from helmbroker.controller_bridge.apps.port import AppNotFound, AppReleaseError, AppsUnavailable, CannotRelease

_LOG = logging.getLogger("helmbroker.bridge")
_PAGE = 100
_BUSY_S = 5.0  # the first pause when a pipeline executes
# Two requests that computed the same number of a release: the database of the controller refuses one of them.
_RACES = ("unique constraint", "duplicate key")
M = TypeVar("M", bound=pydantic.BaseModel)


class PipelineBusy(AppsUnavailable):
    """The app is being deployed: nothing was changed."""


class NoSuchRelease(CannotRelease):
    """The app has no release of this number."""


class Calls:
    """One controller, one user of it. Every request waits for its turn."""

    def __init__(self, client: ControllerClient, token: Callable[[], str], turns: Turns) -> None:
        self._client, self._token, self._turns = client, token, turns

    def config(self, app: str, version: int | None = None) -> wire.HeldConfig:
        """That of the newest release that has not failed, or of `version`."""
        query = "" if version is None else f"?version=v{version}"
        return self._get(wire.HeldConfig, app, f"config/{query}")

    def change(self, app: str, change: Post | Detach) -> str | None:
        """The uuid of the new config, or "" after a DELETE, which is answered without a body.

        None: the controller says that this is what succeeded last, build and all.
        Raises PipelineBusy, CannotRelease.
        """
        answer = self._call("POST" if isinstance(change, Post) else "DELETE", app, "config/", change.body())
        if answer.status == HTTPStatus.CONFLICT:
            return None
        if isinstance(change, Detach) and answer.status == HTTPStatus.OK:
            return ""
        return self._read(wire.HeldConfig, app, answer, {201}).uuid

    def roll_back(self, app: str, version: int) -> int:
        """The number of the new release. Raises PipelineBusy, CannotRelease."""
        answer = self._call("POST", app, "releases/rollback/", {"version": version, "ptypes": ""})
        return self._read(wire.RolledBack, app, answer, {201}).version

    def newest(self, app: str, limit: int) -> list[wire.Release]:
        """The newest releases, newest first: at least v1."""
        found = list(self._get(wire.Releases, app, f"releases/?limit={limit}").results)
        if not found:
            raise AppsUnavailable(f"the controller at {self._client.place} shows no release of app {app}")
        return found

    def page(self, app: str, limit: int, offset: int) -> wire.Releases:
        """Some of them, newest first."""
        return self._get(wire.Releases, app, f"releases/?limit={limit}&offset={offset}")

    def releases(self, app: str) -> Iterator[wire.Release]:
        """All of them, newest first; read as far as the caller goes."""
        offset, count = 0, 1
        while offset < count:
            page = self.page(app, _PAGE, offset)
            yield from page.results
            offset, count = offset + _PAGE, page.count

    def release(self, app: str, version: int) -> wire.Release:
        """That one. Raises NoSuchRelease."""
        answer = self._call("GET", app, f"releases/v{version}/")
        if answer.status == HTTPStatus.NOT_FOUND:
            newest = self.newest(app, 1)[0].version
            raise NoSuchRelease(f"app {app} has no release v{version}: the newest is v{newest}")
        return self._read(wire.Release, app, answer, {200})

    def ptypes(self, app: str) -> list[str]:
        """The names of its process types; none before the first build."""
        return [each.name for each in self._get(wire.ProcessTypes, app, "ptypes/").results]

    def autodeploy(self, app: str) -> bool:
        """Whether a new release is deployed by itself."""
        return self._get(wire.AppSettings, app, "settings/").autodeploy is not False

    def accepted(self) -> bool:
        """Whether the controller serves and knows our user, so that a 404 of an app can be believed."""
        return self._send("GET", "/v2/auth/whoami/", None).status == HTTPStatus.OK

    def _get(self, model: type[M], app: str, path: str) -> M:
        return self._read(model, app, self._call("GET", app, path), {200})

    def _call(self, method: str, app: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        if not is_namespace(app):
            raise AppNotFound(f"there cannot be an app {app!r}")
        return self._send(method, f"/v2/apps/{quote(app, safe='')}/{path}", body)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        token = self._token()
        self._turns.wait()
        try:
            answer = self._client.call(method, path, token, body)
        except AppsUnavailable as error:
            if error.after_s:
                self._turns.rest(error.after_s)
            raise
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise self._not_staff(answer.status)
        return answer

    def _read(self, model: type[M], app: str, answer: Answer, accepted: set[int]) -> M:
        if answer.status not in accepted:
            raise self._refusal(app, answer)
        try:
            return model.model_validate(answer.data)
        except pydantic.ValidationError as error:
            places = sorted({".".join(map(str, each["loc"])) or "the body" for each in error.errors()})
            # No chain: what could not be read may be secret.
            raise AppReleaseError(
                f"the controller at {self._client.place} answers in a way the bridge does not know "
                f"({', '.join(places[:3])}): it may be of another version"
            ) from None

    def _refusal(self, app: str, answer: Answer) -> AppReleaseError:
        """What is said about an error answer. Its body repeats what was sent: only known sentences are taken."""
        if answer.status == HTTPStatus.NOT_FOUND:
            return AppNotFound(f"there is no app {app} at the controller at {self._client.place}")
        detail = answer.data.get("detail") if isinstance(answer.data, dict) else None
        if isinstance(detail, str) and "executing pipeline" in detail:
            return PipelineBusy(f"app {app} is being deployed", after_s=_BUSY_S)
        if answer.status == HTTPStatus.BAD_REQUEST and any(race in json.dumps(answer.data) for race in _RACES):
            return AppsUnavailable(f"app {app} got another release at the same moment")
        return CannotRelease(
            f"the controller at {self._client.place} refuses the change of app {app} (HTTP {answer.status}); "
            "its answer is not shown, because it repeats the values"
        )

    def _not_staff(self, status: int) -> AppsUnavailable:
        _LOG.error("the controller at %s answers the bridge's own user with HTTP %d", self._client.place, status)
        return AppsUnavailable(
            f"the controller at {self._client.place} does not let the bridge's own user in (HTTP {status}): "
            "its operator has to put the token of a staff user into the bridge's token file",
            after_s=60.0,
        )
