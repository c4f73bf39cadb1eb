"""FakeKube behind HTTP, for processes: the part of a Kubernetes API that helmbroker asks for."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from helmbroker.kubeapi.errors import KubeError
from helmbroker.kubeapi.kinds import KINDS
from tests.fakes.kube import FakeKube

_KINDS = {(kind.api_version, kind.plural): kind for kind in KINDS.values()}


class PlayKube:
    """Serves `kube` on 127.0.0.1 until `end`."""

    def __init__(self, kube: FakeKube) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(kube))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def end(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(kube: FakeKube) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            apply = "apply-patch" in (self.headers.get("Content-Type") or "")
            try:
                status, answer = 200, _ask(kube, self.command, self.path, body, apply=apply)
            except KubeError as error:
                status = error.status or 500
                answer = {"kind": "Status", "reason": error.reason, "message": error.message, "code": status}
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the library's words

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's word
            """Say nothing."""

    return Handler


def _ask(kube: FakeKube, method: str, target: str, body: dict[str, Any], *, apply: bool) -> Mapping[str, Any]:
    """One request. Raises KubeError."""
    url = urlsplit(target)
    if url.path == "/version":
        return {"gitVersion": kube.server_version()}
    if url.path in ("/api", "/apis"):
        return {}
    query = {key: values[0] for key, values in parse_qs(url.query).items()}
    kind, namespace, name = _place(url.path)
    if method == "POST":
        return kube.create(body)
    if method == "PUT":
        return kube.replace(body)
    if method == "GET" and name is None:
        fields = dict(each.split("=", 1) for each in query.get("fieldSelector", "").split(",") if each)
        found = kube.list(kind, namespace, labels=query.get("labelSelector"), fields=fields)
        return {"kind": f"{kind}List", "metadata": {}, "items": found}
    assert name is not None, target
    if method == "PATCH":
        if apply:
            return kube.apply(body, field_manager=query["fieldManager"], force=query.get("force") == "true")
        return kube.patch(kind, namespace, name, body)
    if method == "DELETE":
        gone = kube.delete(kind, namespace, name, uid=(body.get("preconditions") or {}).get("uid"))
        return {"kind": "Status", "status": "Success"} if gone else _gone(kind, name)
    return kube.get(kind, namespace, name) or _gone(kind, name)


def _gone(kind: str, name: str) -> Mapping[str, Any]:
    raise KubeError("", f'{kind} "{name}" not found', status=404, reason="NotFound")


def _place(path: str) -> tuple[str, str | None, str | None]:
    """Kind, namespace and name of a path such as /apis/apps/v1/namespaces/NAMESPACE/deployments/NAME."""
    first, *parts = path.strip("/").split("/")
    version = parts.pop(0) if first == "api" else f"{parts.pop(0)}/{parts.pop(0)}"
    namespace = parts[1] if parts[0] == "namespaces" and len(parts) > 2 else None
    plural, *rest = parts[2:] if namespace else parts
    return _KINDS[version, plural].name, namespace, rest[0] if rest else None
