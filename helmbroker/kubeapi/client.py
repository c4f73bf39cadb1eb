"""KubeClient: the port Kube over the official client's transport (TLS, pool, tokens), without its models."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from helmbroker.kubeapi.answers import raise_for_status, unreachable
from helmbroker.kubeapi.connect import connect
from helmbroker.kubeapi.errors import KubeError, NotFound
from helmbroker.kubeapi.kinds import KINDS, Kind, ObjectRef, described, parted, served
from helmbroker.kubeapi.port import Change, Obj, Propagation, Watched
from helmbroker.kubeapi.selectors import equalities

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

PAGE_SIZE = 500  # objects per list request
_DRY_RUN = {"dryRun": "All", "fieldValidation": "Strict"}  # who tries wants to hear of fields that would be lost
_Objects = list[Obj]
_Listed = tuple[_Objects, str | None]
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
        self._asked: Mapping[str, str] = {}  # headers of every request
        self._found = dict(KINDS)  # what the server told of other kinds is kept: it stays true

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
        ref = ObjectRef(self._kind(kind), namespace, name)
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
        query: dict[str, str | int] = {}
        if labels:
            query["labelSelector"] = labels if isinstance(labels, str) else equalities(labels)
        if fields:
            query["fieldSelector"] = equalities(fields)
        return self._list(kind, namespace, query)[0]

    def watch(self, kind: str, namespace: str | None, *, for_s: float) -> Watched:
        """See Kube.watch."""
        found, version = self._list(kind, namespace, {})
        return found, self._changes(kind, namespace, version, for_s)

    def create(self, obj: Obj, *, dry_run: bool = False) -> Obj:
        """See Kube.create."""
        ref = ObjectRef.of(obj, self._kind)
        path = ref.kind.path(ref.namespace)
        return self._call("POST", f"{path}?{urlencode(_DRY_RUN)}" if dry_run else path, f"create {ref}", obj)

    def apply(self, obj: Obj, *, field_manager: str, force: bool = False, dry_run: bool = False) -> Obj:
        """See Kube.apply."""
        ref = ObjectRef.of(obj, self._kind)
        asked = {"fieldManager": field_manager, "force": str(force).lower(), **(_DRY_RUN if dry_run else {})}
        query = urlencode(asked)
        path = f"{ref.kind.path(ref.namespace, ref.name)}?{query}"
        return self._call("PATCH", path, f"apply {ref}", obj, _APPLY_PATCH)

    def replace(self, obj: Obj) -> Obj:
        """See Kube.replace."""
        ref = ObjectRef.of(obj, self._kind)
        return self._call("PUT", ref.kind.path(ref.namespace, ref.name), f"replace {ref}", obj)

    def patch(
        self, kind: str, namespace: str | None, name: str, patch: Obj, *, resource_version: str | None = None
    ) -> Obj:
        """See Kube.patch."""
        ref = ObjectRef(self._kind(kind), namespace, name)
        if resource_version is not None:
            patch = {**patch, "metadata": {**patch.get("metadata", {}), "resourceVersion": resource_version}}
        return self._call("PATCH", ref.kind.path(namespace, name), f"patch {ref}", patch, _MERGE_PATCH)

    def patch_status(
        self, kind: str, namespace: str | None, name: str, status: Obj, *, resource_version: str | None = None
    ) -> Obj:
        """See Kube.patch_status."""
        ref = ObjectRef(self._kind(kind), namespace, name)
        patch: Obj = {"status": status}
        if resource_version is not None:
            patch["metadata"] = {"resourceVersion": resource_version}
        path = f"{ref.kind.path(namespace, name)}/status"
        return self._call("PATCH", path, f"patch the status of {ref}", patch, _MERGE_PATCH)

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
        ref = ObjectRef(self._kind(kind), namespace, name)
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
        kind = KINDS[obj["kind"]]
        return self._call("POST", kind.path(None), f"ask for a {kind.name}", obj)

    def acting_as(self, user: str) -> KubeClient:
        """See Kube.acting_as."""
        found = copy.copy(self)
        found._asked = {"Impersonate-User": user}  # noqa: SLF001  # one of us
        return found

    def find_kind(self, name: str) -> Kind | None:
        """See Kube.find_kind."""
        if name not in self._found:
            api_version, bare = parted(name)
            path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            try:
                told = self._call("GET", path, f"read what is served of {api_version}")
            except NotFound:
                return None
            found = described(told, api_version, bare)
            if found is None:
                return None
            self._found[name] = found
        return self._found[name]

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

    def _kind(self, name: str) -> Kind:
        found = self.find_kind(name)
        if found is None:
            raise NotFound(f"find kind {name}", f"the server at {self.server_url} does not serve it", status=404)
        return found

    def _list(self, kind: str, namespace: str | None, query: Mapping[str, str | int]) -> _Listed:
        """All objects, and the version of the list."""
        known = self._kind(kind)
        action = f"list {known.name}s" + (f" in {namespace}" if namespace else "")
        asked = {"limit": PAGE_SIZE, **query}
        found: _Objects = []
        while True:
            page = self._call("GET", f"{known.path(namespace)}?{urlencode(asked)}", action)
            found += page.get("items") or []
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                # Items of a list come without these two; callers want to hand them back to apply and replace.
                items = [{"apiVersion": known.api_version, "kind": known.name, **item} for item in found]
                return items, metadata.get("resourceVersion")
            asked["continue"] = metadata["continue"]

    def _changes(self, kind: str, namespace: str | None, version: str | None, for_s: float) -> Iterator[Change]:
        known = self._kind(kind)
        action = f"watch {known.name}s" + (f" in {namespace}" if namespace else "")
        query = {"watch": 1, "timeoutSeconds": max(1, int(for_s)), "resourceVersion": version or "0"}
        path = f"{known.path(namespace)}?{urlencode(query)}"
        response = self._send("GET", path, action, read_s=for_s + self._timeout_s)
        try:
            if response.status != HTTPStatus.OK:
                raise_for_status(action, response.status, response.headers, response.read(), None)
            for line in _lines(response.response):
                event = self._parsed(action, line)
                obj = event["object"]
                if event["type"] == "ERROR":
                    raise_for_status(action, int(obj.get("code") or 0), {}, json.dumps(obj).encode(), None)
                yield Change(obj, deleted=event["type"] == "DELETED")
        except self._transport_errors as error:
            raise unreachable(action, self.server_url, for_s + self._timeout_s, error) from None
        finally:
            response.response.close()

    def _call(
        self,
        method: str,
        path: str,
        action: str,
        body: Obj | None = None,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> Obj:
        response = self._send(method, path, action, body, content_type, accept)
        try:
            content: bytes = response.read()
        except self._transport_errors as error:
            raise unreachable(action, self.server_url, self._timeout_s, error) from None
        raise_for_status(action, response.status, response.headers, content, body)
        return self._parsed(action, content)

    def _send(
        self,
        method: str,
        path: str,
        action: str,
        body: Obj | None = None,
        content_type: str = _JSON,
        accept: str = _JSON,
        read_s: float | None = None,
    ) -> Any:
        """The answer, of which nothing but the headers is read."""
        headers = {"Accept": accept, "User-Agent": self._api.user_agent, **self._asked}
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
            return self._api.rest_client.request(
                method,
                self.server_url + path,
                headers=headers,
                body=body,
                _request_timeout=(self._timeout_s, read_s or self._timeout_s),
            )
        except self._transport_errors as error:
            # No chain: the transport's own text may quote the request.
            raise unreachable(action, self.server_url, read_s or self._timeout_s, error) from None

    def _parsed(self, action: str, content: bytes) -> Obj:
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            told = f"{self.server_url} did not answer with a JSON object; is it a Kubernetes API server?"
            raise KubeError(action, told)
        return answer


def _lines(transport: Any) -> Iterator[bytes]:
    """The lines of an answer, each as soon as it is there."""
    rest = b""
    for chunk in transport.stream(None):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from filter(None, lines)
    if rest:
        yield rest
