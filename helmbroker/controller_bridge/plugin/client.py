"""The plugin's door to the network: JSON over HTTP, and the errors in words."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.request
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast
from urllib.error import URLError
from urllib.parse import quote, urlencode

from helmbroker.controller_bridge.plugin.settings import Service
from helmbroker.controller_bridge.plugin.terminal import CommandError, printable

API_VERSION = "2.3"
REQUEST_TIMEOUT_S = 60.0
LONGEST_ANSWER = 8 * 1024 * 1024  # bytes
TRANSIENT = frozenset({429, 502, 503, 504})

Json = Mapping[str, object]


class ApiError(CommandError):
    """The service refused; `status` is the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Unreachable(CommandError):
    """No answer, or one that promises a better one later."""


class Heard(NamedTuple):
    """An answer as it came."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes = b""


class Bridge:
    """The `resources` REST API. Every method raises ApiError or Unreachable."""

    def __init__(self, service: Service, warn: Callable[[str], None], timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        """`warn` is told what is not as it should be: once, that client and server do not fit together."""
        self._service, self._timeout_s, self._warn = service, timeout_s, warn
        self._unfit_told = False
        # No redirect handler: a redirect would carry the token to another host.
        self._opener = urllib.request.OpenerDirector()
        self._opener.add_handler(urllib.request.ProxyHandler())
        self._opener.add_handler(urllib.request.HTTPHandler())
        if service.url.startswith("https:"):  # to load the certificates takes a while
            context = ssl.create_default_context()
            if not service.verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._opener.add_handler(urllib.request.HTTPSHandler(context=context))

    def services(self, limit: int) -> list[Json]:
        """All services: id, name, updateable; brokers that could not be asked are told."""
        return self._results("/resources/services/", limit)

    def plans(self, service: str, limit: int) -> list[Json]:
        """All plans of a service: id, name, description."""
        return self._results(f"/resources/services/{quote(service, safe='')}/plans/", limit)

    def resources(self, app: str, limit: int) -> list[Json]:
        """The resources of an app, newest first."""
        return self._results(f"/apps/{quote(app, safe='')}/resources/", limit)

    def resource(self, app: str, name: str) -> Json:
        """One resource, with its live message."""
        return self._object("GET", self._path(app, name))

    def operations(self, app: str, name: str, limit: int) -> list[Json]:
        """What was done with a resource, newest first."""
        return self._results(f"{self._path(app, name)}operations/", limit)

    def access(self, app: str) -> Json:
        """What the user may do with an app: app, user, role."""
        return self._object("GET", f"/apps/{quote(app, safe='')}/access/")

    def create(self, app: str, name: str, plan: str, options: Json) -> Json:
        """Begin to make a resource; `plan` is SERVICE:PLAN."""
        body = {"name": name, "plan": plan} | ({"options": options} if options else {})
        return self._object("POST", f"/apps/{quote(app, safe='')}/resources/", body)

    def share(self, app: str, name: str, source: str) -> Json:
        """Make a resource with the instance of another one; `source` is APP/RESOURCE."""
        return self._object("POST", f"/apps/{quote(app, safe='')}/resources/", {"name": name, "from": source})

    def update(self, app: str, name: str, plan: str, options: Json) -> Json:
        """Begin to change a resource."""
        body: Json = {"plan": plan} | ({"options": options} if options else {})
        return self._object("PUT", self._path(app, name), body)

    def binding(self, app: str, name: str, action: str, env: Json | None = None) -> Json:
        """Begin to `bind` or `unbind`; `env`: how the app gets the credentials."""
        body: Json = {"bind_action": action} | ({"env": env} if env else {})
        return self._object("PATCH", f"{self._path(app, name)}binding/", body)

    def rotate(self, app: str, name: str, *, force: bool) -> Json:
        """Begin to replace the credentials; `force`: revoke the old ones at once."""
        return self._object("POST", f"{self._path(app, name)}rotate/", {"force": force})

    def rotate_admin(self, app: str, name: str) -> Json:
        """Begin to replace the password of the instance's own administrator."""
        return self._object("POST", f"{self._path(app, name)}rotate/", {"admin": True})

    def rotate_every(self, app: str, name: str, every_s: float | None) -> Json:
        """Have the credentials replaced every so many seconds; None: no more."""
        return self._object("PUT", f"{self._path(app, name)}rotate/", {"every_s": every_s})

    def destroy(self, app: str, name: str) -> None:
        """Begin to remove a resource."""
        self._request("DELETE", self._path(app, name), None)

    def releases(self, app: str, limit: int) -> list[Json]:
        """The app releases, newest first."""
        return self._results(f"/apps/{quote(app, safe='')}/releases/", limit)

    def rollback(self, app: str, version: int) -> Json:
        """Begin to go back to an app release; the answer names the operation."""
        path = f"/apps/{quote(app, safe='')}/releases/rollback/"
        return self._object("POST", path, {"version": version})

    def rollback_operation(self, app: str, operation: str) -> Json:
        """How a rollback goes on: state, description, and the version that it made."""
        path = f"/apps/{quote(app, safe='')}/releases/rollback/{quote(operation, safe='')}/"
        return self._object("GET", path)

    @staticmethod
    def _path(app: str, name: str) -> str:
        return f"/apps/{quote(app, safe='')}/resources/{quote(name, safe='')}/"

    def _results(self, path: str, limit: int) -> list[Json]:
        body = self._object("GET", f"{path}?{urlencode({'limit': limit})}")
        results = body.get("results")
        if not isinstance(results, list) or not all(isinstance(one, dict) for one in results):
            raise self._foreign("a list without results")
        away = body.get("unavailable")
        for sentence in away if isinstance(away, list) else ():
            self._warn(f"!    WARNING: {printable(str(sentence))}: what it offers is not listed")
        return cast("list[Json]", results[:limit])

    def _object(self, method: str, path: str, body: Json | None = None) -> Json:
        answer = self._request(method, path, body)
        if not isinstance(answer, dict):
            raise self._foreign("no JSON object")
        return answer

    def _foreign(self, what: str) -> CommandError:
        return CommandError(
            f"{self._service.url} answered {what}: it is no resources service; set DRYCC_RESOURCES_URL"
        )

    def _request(self, method: str, path: str, body: Json | None) -> object:
        answer = self.hear(method, f"/v2{path}", body)
        self._check_version(answer.headers.get("DRYCC_API_VERSION", ""))
        if not 200 <= answer.status < 300:
            text = error_text(answer.status, answer.content.decode(errors="replace"))
            raise Unreachable(text) if answer.status in TRANSIENT else ApiError(answer.status, text)
        try:
            return json.loads(answer.content) if answer.content.strip() else None
        except ValueError as error:
            raise self._foreign("no JSON") from error

    def hear(self, method: str, path: str, body: Json | None = None, *, login: bool = True) -> Heard:
        """Any answer of the service, also one of an error; `login`: with the token. Raises Unreachable."""
        token = {"Authorization": f"token {self._service.token}"} if login else {}
        request = urllib.request.Request(  # noqa: S310 - the address is http or https: settings saw to it
            f"{self._service.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                **token,
                "Content-Type": "application/json",
                "User-Agent": "Drycc Client helmbroker",
            },
        )
        try:
            with cast("http.client.HTTPResponse", self._opener.open(request, timeout=self._timeout_s)) as answer:
                return Heard(answer.status, answer.headers, answer.read(LONGEST_ANSWER))
        except (OSError, http.client.HTTPException) as error:
            cause = error.reason if isinstance(error, URLError) else error
            raise Unreachable(
                f"cannot reach the resources service at {self._service.url}: {cause or type(error).__name__}"
                " (its address comes from DRYCC_RESOURCES_URL, else from the controller's)"
            ) from error

    def _check_version(self, server: str) -> None:
        if not self._unfit_told and not compatible(server):
            self._warn(
                "!    WARNING: Client and server API versions do not match. Please consider upgrading.\n"
                f"!    Client version: {API_VERSION}\n"
                f"!    Server version: {printable(server)}"
            )
            self._unfit_told = True


def compatible(server: str) -> bool:
    """Whether a server of that API version serves this client: same major, and a minor not below ours."""
    try:
        major, minor = (int(part) for part in server.split(".")[:2])
    except ValueError:
        return False
    our_major, our_minor = (int(part) for part in API_VERSION.split("."))
    return major == our_major and minor >= our_minor


def _detail(body: str) -> str:
    try:
        parsed = json.loads(body)
    except ValueError:
        return ""
    detail = parsed.get("detail") if isinstance(parsed, dict) else None
    return detail if isinstance(detail, str) else ""


def _name_error(body: str) -> str:
    """The sentence about a bad name, when that is what the service complains about."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return ""
    names = parsed.get("name") if isinstance(parsed, dict) else None
    return f"name {names[0][:1].lower()}{names[0][1:]}" if isinstance(names, list) and names else ""


def error_text(status: int, body: str) -> str:
    """What `drycc` says about an answer with an error status."""
    body = printable(body.strip())
    detail = _detail(body)
    also = f": {detail}" if detail else ""
    html = body[:1] == "<"
    sentences = {
        401: "unauthorized: missing or invalid token",
        403: "you do not have permission to perform this action",
        404: "Not Found" if html or not body else detail or body,
        405: "method not allowed",
        409: f"this action could not be completed due to a conflict{also}",
        422: f"unable to process your request{also}",
        500: "internal server error",
    }
    if status == http.client.BAD_REQUEST and (bad_name := _name_error(body)):
        return bad_name
    return sentences.get(status) or f"unknown error ({status}): {'' if html else body[:2000]}"
