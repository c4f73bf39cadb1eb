"""DryccController: a Drycc controller on the loopback, over real HTTP, that fails as a test wants."""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import requests
from flask import Response, request
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.fakes.drycc.config import Refusal
from tests.fakes.drycc.controller import Controller
from tests.fakes.drycc.http import Throttle, make_app
from tests.fakes.drycc.state import App, Release

Fault = Callable[[], Response | None]
"""Called instead of the controller; None: what it answers is right."""


class Lost(Exception):
    """The request is done, and its answer is lost."""


class DryccController:
    """Listens on a free port of the loopback until `close`.

    throttle: requests a minute of each user. clock: seconds, for the throttle. calls: method and path of every
    request, with who sent it.
    """

    def __init__(
        self,
        *,
        throttle: int = 0,
        clock: Callable[[], float] = time.monotonic,
        error_objects: bool = True,
    ) -> None:
        self.rules = Controller()
        self.rules.on_release = self._tell
        self.staff = self.rules.people.add("bridge", staff=True)
        self.calls: list[tuple[str, str]] = []
        self.hooks: dict[str, str] = {}  # DRYCC_DEPLOY_HOOK_URLS -> the secret key
        self.hurries = False  # pipelines of an app end as soon as somebody has looked at its releases
        self._faults: list[tuple[str, re.Pattern[str], Refusal | type[Lost]]] = []
        app = make_app(self.rules, Throttle(throttle, clock), error_objects=error_objects)
        app.before_request(self._before)
        self._wsgi = app.wsgi_app
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fail(self, method: str, path: str, fault: Refusal | type[Lost], times: int = 1) -> None:
        """The next requests of this method whose path matches `path` end so."""
        self._faults += [(method, re.compile(path), fault)] * times

    def _before(self) -> None:
        self.calls.append((request.method, request.path))
        fault = self._fault(request.method, request.path, lost=False)
        if isinstance(fault, Refusal):
            raise fault

    def _serve(self, environ: Any, start_response: Any) -> Any:
        answer = list(self._wsgi(environ, start_response))
        if self._fault(environ["REQUEST_METHOD"], environ["PATH_INFO"], lost=True):
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError
        looked = re.match("/v2/apps/([^/]+)/releases/", environ["PATH_INFO"])
        if self.hurries and looked and environ["REQUEST_METHOD"] == "GET":
            self.rules.work(looked[1])
        return answer

    def _fault(self, method: str, path: str, *, lost: bool) -> Refusal | type[Lost] | None:
        for each in self._faults:
            if each[0] == method and each[1].fullmatch(path) and (each[2] is Lost) is lost:
                self._faults.remove(each)
                return each[2]
        return None

    def _tell(self, app: App, release: Release, _user: str) -> None:
        """Inside the request that makes the release; what the receiver answers changes nothing."""
        for url, key in self.hooks.items():
            requests.post(hook_url(url, app, release), headers=hook_login(url, app, release, key), timeout=5)


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


def hook_url(url: str, app: App, release: Release) -> str:
    """Where the controller tells of a release: parameters in the order of their names."""
    told = {"app": app.id, "release": f"v{release.version}", "release_summary": release.summary}
    return f"{url}?{urlencode(told | {'sha': '', 'user': app.workspace})}"


def hook_login(url: str, app: App, release: Release, key: str) -> dict[str, str]:
    """The header by which a receiver knows the controller."""
    digest = hmac.new(key.encode(), hook_url(url, app, release).encode(), hashlib.sha1)
    return {"Authorization": digest.hexdigest()}
