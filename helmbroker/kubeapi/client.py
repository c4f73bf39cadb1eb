"""KubeClient: the port Kube over the official client's transport (TLS, pool, tokens), without its models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from helmbroker.kubeapi.answers import raise_for_status, unreachable
from helmbroker.kubeapi.connect import connect
from helmbroker.kubeapi.errors import KubeError, NotFound
from helmbroker.kubeapi.kinds import ObjectRef, kind_named, served
from helmbroker.kubeapi.port import Obj, Propagation

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

PAGE_SIZE = 500  # objects per list request
_DRY_RUN = {"dryRun": "All", "fieldValidation": "Strict"}  # who tries wants to hear of fields that would be lost
_JSON = "application/json"
_DISCOVERY = f"{_JSON};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,{_JSON}"
_MERGE_PATCH = "application/merge-patch+json"
_APPLY_PATCH = "application/apply-patch+yaml"  # JSON is YAML; the +json variant is newer than clusters in use


class KubeClient:
    """One Kubernetes API server. Thread-safe; connections are pooled; nothing is retried by itself.

    timeout_s: seconds to connect, and seconds without a byte while reading.
    """

    def __init__(self, api_client: ApiClient, *, timeout_s: float = 15.0) -> None:
        # Heavy, and loaded already by whoever made the client: the door itself stays light to import.
        from kubernetes.client.exceptions import ApiException  # noqa: PLC0415
        from kubernetes.config import ConfigException  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        self._transport_errors = (HTTPError, ApiException, ConfigException, OSError)
        self._api: Any = api_client
        self._timeout_s = timeout_s

    @classmethod
    def from_environment(cls, kubeconfig: str | None = None, *, timeout_s: float = 15.0) -> KubeClient:
        """For the cluster that `kubeconfig`, else $KUBECONFIG, else the pod, else ~/.kube/config names.

        Raises NoCluster; nothing is sent yet.
        """
        return cls(connect(kubeconfig), timeout_s=timeout_s)

    def __repr__(self) -> str:
        return f"KubeClient({self.server_url})"

    @property
    def server_url(self) -> str:
        """Where the server is, for messages."""
        return str(self._api.configuration.host)

    def close(self) -> None:
        """Close pooled connections."""
        self._api.close()

    def get(self, kind: str, namespace: str | None, name: str) -> Obj | None:
        """See Kube.get."""
        ref = ObjectRef(kind_named(kind), namespace, name)
        try:
            return self._call("GET", ref.kind.path(namespace, name), f"get {ref}")
        except NotFound:
            return None

    def list(
        self,
        kind: str,
        namespace: str | None,
        *,
        labels: Mapping[str, str] | str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Obj]:
        """See Kube.list. Read in pages of PAGE_SIZE."""
        described = kind_named(kind)
        path = described.path(namespace)
        query: dict[str, str | int] = {"limit": PAGE_SIZE}
        if labels:
            query["labelSelector"] = labels if isinstance(labels, str) else equalities(labels)
        if fields:
            query["fieldSelector"] = equalities(fields)
        action = f"list {kind}s" + (f" in {namespace}" if namespace else "")
        found: list[Obj] = []
        while True:
            page = self._call("GET", f"{path}?{urlencode(query)}", action)
            found += page.get("items") or []
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                # Items of a list come without these two; callers want to hand them back to apply and replace.
                return [{"apiVersion": described.api_version, "kind": kind, **item} for item in found]
            query["continue"] = token

    def create(self, obj: Obj, *, dry_run: bool = False) -> Obj:
        """See Kube.create."""
        ref = ObjectRef.of(obj)
        path = ref.kind.path(ref.namespace)
        return self._call("POST", f"{path}?{urlencode(_DRY_RUN)}" if dry_run else path, f"create {ref}", obj)

    def apply(self, obj: Obj, *, field_manager: str, force: bool = False, dry_run: bool = False) -> Obj:
        """See Kube.apply."""
        ref = ObjectRef.of(obj)
        asked = {"fieldManager": field_manager, "force": str(force).lower(), **(_DRY_RUN if dry_run else {})}
        query = urlencode(asked)
        path = f"{ref.kind.path(ref.namespace, ref.name)}?{query}"
        return self._call("PATCH", path, f"apply {ref}", obj, _APPLY_PATCH)

    def replace(self, obj: Obj) -> Obj:
        """See Kube.replace."""
        ref = ObjectRef.of(obj)
        return self._call("PUT", ref.kind.path(ref.namespace, ref.name), f"replace {ref}", obj)

    def patch(
        self, kind: str, namespace: str | None, name: str, patch: Obj, *, resource_version: str | None = None
    ) -> Obj:
        """See Kube.patch."""
        ref = ObjectRef(kind_named(kind), namespace, name)
        if resource_version is not None:
            patch = {**patch, "metadata": {**patch.get("metadata", {}), "resourceVersion": resource_version}}
        return self._call("PATCH", ref.kind.path(namespace, name), f"patch {ref}", patch, _MERGE_PATCH)

    def delete(
        self,
        kind: str,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        propagation: Propagation = Propagation.BACKGROUND,
    ) -> bool:
        """See Kube.delete."""
        ref = ObjectRef(kind_named(kind), namespace, name)
        options: Obj = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": str(propagation)}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            self._call("DELETE", ref.kind.path(namespace, name), f"delete {ref}", options)
        except NotFound:
            return False
        return True

    def review(self, obj: Obj) -> Obj:
        """See Kube.review."""
        kind = kind_named(str(obj.get("kind")))
        return self._call("POST", kind.path(None), f"ask for a {kind.name}", obj)

    def server_version(self) -> str:
        """See Kube.server_version."""
        return str(self._call("GET", "/version", "read the server's version").get("gitVersion", ""))

    def api_versions(self) -> tuple[str, ...]:
        """See Kube.api_versions."""
        found: set[str] = set()
        for path in ("/api", "/apis"):
            for group in self._call("GET", path, "read what is served", accept=_DISCOVERY).get("items") or ():
                found |= served(group)
        return tuple(sorted(found))

    def _call(
        self,
        method: str,
        path: str,
        action: str,
        body: Obj | None = None,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> Obj:
        headers = {"Accept": accept, "User-Agent": self._api.user_agent}
        if body is not None:
            headers["Content-Type"] = content_type
        host = self.server_url
        try:
            self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
            response = self._api.rest_client.request(
                method,
                host + path,
                headers=headers,
                body=body,
                _request_timeout=(self._timeout_s, self._timeout_s),
            )
            content: bytes = response.read()
        except self._transport_errors as error:
            # No chain: the transport's own text may quote the request.
            raise unreachable(action, host, self._timeout_s, error) from None
        raise_for_status(action, response.status, response.headers, content, body)
        return self._parsed(action, content)

    def _parsed(self, action: str, content: bytes) -> Obj:
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise KubeError(
                action, f"{self.server_url} did not answer with a JSON object; is it a Kubernetes API server?"
            )
        return answer


def equalities(wanted: Mapping[str, str]) -> str:
    """A selector that asks for all of the equalities: `a=b,c=d`."""
    return ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))
