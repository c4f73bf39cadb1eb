"""POST /v2/hooks/deploy/: the controller tells of a release, inside the request that makes it. Answered at once."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Response, request

from helmbroker.controller_bridge.api.context import api
from helmbroker.controller_bridge.api.errors import Unauthenticated
from helmbroker.runtime.journal import LoginFault


@dataclass(frozen=True)
class DeployHook:
    """url: as DRYCC_DEPLOY_HOOK_URLS has it. key: DRYCC_DEPLOY_HOOK_SECRET_KEY. hurry: looks at an app soon."""

    url: str
    key: Callable[[], str] = field(repr=False)
    hurry: Callable[[str], None]

    def signed(self, query: str, signature: str) -> bool:
        """Whether the controller has sent it: hex HMAC-SHA1 of the URL as it knows it, not as proxies change it."""
        full = f"{self.url}?{query}".encode()
        wanted = hmac.new(self.key().encode(), full, hashlib.sha1).hexdigest()
        return hmac.compare_digest(wanted.encode(), signature.encode())


def receive() -> Response:
    """204, whether or not the app has resources. What the release is, is asked of the controller later."""
    hook, signature = api().deploy_hook, request.headers.get("Authorization", "")
    if hook is None or not hook.signed(request.query_string.decode("latin-1"), signature):
        raise Unauthenticated("The signature is not that of the controller.", LoginFault.SIGNATURE)
    hook.hurry(request.args.get("app", ""))
    return Response(status=204)
