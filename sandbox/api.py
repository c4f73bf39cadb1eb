"""Questions to the API server, without the cost of starting kubectl for each."""

import json
import ssl
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 5.0


class Api:
    """The API server on the machine's loopback, as cluster administrator."""

    def __init__(self, port: int, pki: Path) -> None:
        self._port = port
        self._context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._context.load_cert_chain(str(pki / "admin.crt"), str(pki / "admin.key"))

    def get(self, path: str) -> Any | None:
        """The decoded answer (a text when it is not JSON); None when there is none or it is no success."""
        connection = HTTPSConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS, context=self._context)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()
        if response.status != 200:
            return None
        is_json = response.getheader("Content-Type", "").startswith("application/json")
        return json.loads(body) if is_json else body.decode()

    def ready(self) -> bool:
        """Whether the server is, including its RBAC bootstrap."""
        return self.get("/readyz") == "ok"

    def node_ready(self, node: str) -> bool:
        """Whether pods can run on the node."""
        answer = self.get(f"/api/v1/nodes/{node}")
        conditions = answer["status"].get("conditions", []) if isinstance(answer, dict) else []
        return any(row["type"] == "Ready" and row["status"] == "True" for row in conditions)

    def default_service_account(self) -> bool:
        """Whether pods can be made in the namespace `default`."""
        return self.get("/api/v1/namespaces/default/serviceaccounts/default") is not None
