"""OSB 2.17 over HTTP, as a client: bounded times and sizes, typed answers, no body in any log, no redirects."""

from __future__ import annotations

import base64
import json
import logging
import ssl
import threading
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

import pydantic
import requests
from requests.auth import AuthBase

from helmbroker.controller_bridge import osb_wire as wire
from helmbroker.controller_bridge.broker_port import (
    Answer,
    BindingRef,
    BrokerError,
    Caller,
    Credentials,
    InstanceRef,
    Offering,
    Progress,
    Status,
    Unreachable,
)
from helmbroker.controller_bridge.osb_tls import BrokerTls, ClientTls, TlsAdapter
from helmbroker.controller_bridge.retry_after import retry_after_s
from helmbroker.durable import JSON
from helmbroker.telemetry.carried import as_headers

_LOG = logging.getLogger("helmbroker.bridge")
API_VERSION = "2.17"
_CONNECT_S = 5.0
_READ_S = 30.0
_MAX_BODY_BYTES = 8 * 1024 * 1024
# The broker, or something before it, says "not now" (OSB item 17); 500 is a fault that a repetition will not mend.
_NOT_NOW = frozenset({408, 429, 502, 503, 504})


class OsbBroker:
    """`broker_port.Broker` over HTTP. Safe for threads: each has its own connections."""

    def __init__(
        self,
        url: str,
        auth: AuthBase | None,
        *,
        cluster_id: str,
        tls: ClientTls | None = None,
        read_s: float = _READ_S,
    ) -> None:
        self._url = url.rstrip("/")
        self._auth, self._cluster_id, self._read_s = auth, cluster_id, read_s
        self._tls = BrokerTls(tls or ClientTls()) if url.startswith("https:") else None
        self._place = urlsplit(url).netloc.rpartition("@")[2]
        self._local = threading.local()
        self._known: tuple[str, tuple[Offering, ...]] = ("", ())  # the catalog, and its ETag if it had one

    def catalog(self) -> tuple[Offering, ...]:
        etag, known = self._known
        with self._response("GET", "/v2/catalog", {}, None, None, etag=etag) as response:
            if etag and response.status_code == 304:
                return known
            known = self._parse(response, wire.Catalog, {200}).offerings()
            self._known = (response.headers.get("ETag", ""), known)
            return known

    def provision(self, ref: InstanceRef, parameters: Mapping[str, JSON], caller: Caller) -> Answer:
        place: dict[str, JSON] = {"organization_guid": self._cluster_id, "space_guid": ref.app}
        return self._ask("PUT", ref, ref.plan_id, {"plan_id": ref.plan_id, **place}, parameters, caller)

    def update(self, ref: InstanceRef, parameters: Mapping[str, JSON], caller: Caller, *, plan_id: str) -> Answer:
        wanted: dict[str, JSON] = {"previous_values": {"plan_id": ref.plan_id}}
        if plan_id != ref.plan_id:  # one that is offered no more must not be named (items 65, 66)
            wanted["plan_id"] = plan_id
        return self._ask("PATCH", ref, plan_id, wanted, parameters, caller)

    def deprovision(self, ref: InstanceRef, caller: Caller) -> Answer:
        return self._delete(_instance(ref), ref, caller)

    def instance_status(self, ref: InstanceRef, operation: str | None) -> Status:
        return self._status(_instance(ref), ref, operation)

    def instance_parameters(self, ref: InstanceRef) -> Mapping[str, JSON]:
        _, answer = self._call("GET", _instance(ref), wire.Instance, {200})
        return answer.parameters or {}

    def bind(
        self, ref: BindingRef, caller: Caller, *, predecessor: str | None = None
    ) -> tuple[Answer, Credentials | None]:
        body: dict[str, JSON] = {
            "service_id": ref.instance.service_id,
            "plan_id": ref.instance.plan_id,
            "bind_resource": {"app_guid": ref.instance.app},
            "context": self._context(ref.instance),
        }
        if predecessor is not None:
            body["predecessor_binding_id"] = predecessor
        longest_s = self._longest_s(ref.instance.service_id, ref.instance.plan_id)
        response, answer = self._call(
            "PUT", _binding(ref), wire.Binding, {200, 201, 202}, query=_ASYNC, body=body, caller=caller
        )
        begun = _begun(response, answer.operation, longest_s)
        return begun, None if begun.pending else answer.delivered()

    def unbind(self, ref: BindingRef, caller: Caller) -> Answer:
        return self._delete(_binding(ref), ref.instance, caller)

    def binding_status(self, ref: BindingRef, operation: str | None) -> Status:
        return self._status(_binding(ref), ref.instance, operation)

    def credentials(self, ref: BindingRef) -> Credentials:
        _, answer = self._call("GET", _binding(ref), wire.Binding, {200})
        return answer.delivered()

    def _ask(
        self,
        method: str,
        ref: InstanceRef,
        plan_id: str,
        wanted: dict[str, JSON],
        parameters: Mapping[str, JSON],
        caller: Caller,
    ) -> Answer:
        context = {**self._context(ref), "instance_name": ref.name}
        body = {"service_id": ref.service_id, **wanted, "context": context}
        if parameters:
            body["parameters"] = parameters
        longest_s = self._longest_s(ref.service_id, plan_id)
        response, answer = self._call(
            method, _instance(ref), wire.Accepted, {200, 201, 202}, query=_ASYNC, body=body, caller=caller
        )
        return _begun(response, answer.operation, longest_s)

    def _context(self, ref: InstanceRef) -> dict[str, JSON]:
        return {"platform": "kubernetes", "clusterid": self._cluster_id, "namespace": ref.app}

    def _delete(self, path: str, ref: InstanceRef, caller: Caller) -> Answer:
        query = {**_ASYNC, **_hints(ref)}
        longest_s = self._longest_s(ref.service_id, ref.plan_id)
        response, answer = self._call("DELETE", path, wire.Accepted, {200, 202, 410}, query=query, caller=caller)
        return _begun(response, answer.operation, longest_s)

    def _longest_s(self, service_id: str, plan_id: str) -> float | None:
        """What the catalog says of the plan; what it said last, while it is broken. Raises Unreachable.

        Asked before anything is: between a broker's acceptance and its record nothing may fail.
        """
        try:
            known = self.catalog()
        except BrokerError as error:
            _LOG.warning("the maximum_polling_duration of a plan is that of before: %s", error)
            known = self._known[1]
        plans = (plan for one in known if one.id == service_id for plan in one.plans if plan.id == plan_id)
        return next((plan.longest_s for plan in plans), None)

    def _status(self, path: str, ref: InstanceRef, operation: str | None) -> Status:
        query = _hints(ref) | ({"operation": operation} if operation else {})
        with self._response("GET", f"{path}/last_operation", query, None, None) as response:
            status = response.status_code
            if status == 410:
                return Status(Progress.SUCCEEDED, "it is gone", gone=True)
            answer = self._parse(response, wire.LastOperation, {200})
            return Status(answer.state, answer.description or "", retry_after_s(response.headers))

    def _call(
        self,
        method: str,
        path: str,
        model: type[wire.M],
        accepted: set[int],
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, JSON] | None = None,
        caller: Caller | None = None,
    ) -> tuple[requests.Response, wire.M]:
        """The answer, which is read to its end, and what it says."""
        with self._response(method, path, query or {}, body, caller) as response:
            return response, self._parse(response, model, accepted)

    def _response(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, JSON] | None,
        caller: Caller | None,
        *,
        etag: str = "",
    ) -> requests.Response:
        headers = {"X-Broker-API-Version": API_VERSION, "Accept": "application/json"}
        headers |= as_headers() | ({"If-None-Match": etag} if etag else {})
        if caller is not None and caller.user is not None:
            headers["X-Broker-API-Originating-Identity"] = _identity(caller.user)
        try:
            return self._session().request(
                method,
                self._url + path,
                params=dict(query),
                json=body,
                headers=headers,
                timeout=(_CONNECT_S, self._read_s),
                allow_redirects=False,
                stream=True,
            )
        except requests.RequestException as error:
            if self._tls is not None and (meaning := self._tls.meaning(error, self._place)):
                raise meaning from None
            raise Unreachable(
                f"the broker at {self._place} does not answer ({_cause(error, self._read_s)})"
            ) from None

    def _parse(self, response: requests.Response, model: type[wire.M], accepted: set[int]) -> wire.M:
        """The answer as `model`. An empty body of a 410 counts as `{}`: some brokers send none."""
        status = response.status_code
        if status in _NOT_NOW:
            after_s = retry_after_s(response.headers) or 0.0
            raise Unreachable(f"the broker at {self._place} cannot answer now (HTTP {status})", after_s=after_s)
        data = self._json(response)
        if status not in accepted:
            raise wire.refusal(status, data)
        if data is None and status == 410:
            data = {}
        try:
            return model.model_validate(data)
        except pydantic.ValidationError as error:
            places = sorted({".".join(map(str, item["loc"])) or "the body" for item in error.errors()})
            raise BrokerError(status, "MalformedAnswer", f"it does not follow OSB: {', '.join(places)}") from None

    def _json(self, response: requests.Response) -> object:
        """The parsed body; None when there is none or it is not JSON."""
        raw = bytearray()
        try:
            for part in response.iter_content(65536):
                raw += part
                if len(raw) > _MAX_BODY_BYTES:
                    raise BrokerError(response.status_code, "MalformedAnswer", "its answer is too long")
        except requests.RequestException:
            raise Unreachable(f"the broker at {self._place} broke off its answer") from None
        try:
            return json.loads(raw) if raw else None
        except ValueError:
            return None

    def _session(self) -> requests.Session:
        """This thread's connections; new ones when the files for TLS have changed. Raises BrokerError."""
        context = self._tls.context() if self._tls is not None else None
        known: tuple[ssl.SSLContext | None, requests.Session] | None = getattr(self._local, "known", None)
        if known is not None and known[0] is context:
            return known[1]
        if known is not None:
            known[1].close()
        session = requests.Session()
        session.trust_env = False  # no proxy and no netrc between the platform and its broker
        session.auth = self._auth
        if context is not None:
            session.mount("https://", TlsAdapter(context))
        self._local.known = context, session
        return session


_ASYNC = {"accepts_incomplete": "true"}


def _instance(ref: InstanceRef) -> str:
    return f"/v2/service_instances/{quote(ref.instance_id, safe='')}"


def _binding(ref: BindingRef) -> str:
    return f"{_instance(ref.instance)}/service_bindings/{quote(ref.binding_id, safe='')}"


def _begun(response: requests.Response, operation: str | None, longest_s: float | None) -> Answer:
    if response.status_code != 202:
        return Answer(pending=False, operation=operation)
    return Answer(True, operation, longest_s, retry_after_s(response.headers))


def _hints(ref: InstanceRef) -> dict[str, str]:
    return {"service_id": ref.service_id, "plan_id": ref.plan_id}


def _identity(user: str) -> str:
    value = {"username": user, "uid": "", "groups": [], "extra": {}}
    return "kubernetes " + base64.b64encode(json.dumps(value).encode()).decode("ascii")


def _cause(error: requests.RequestException, read_s: float) -> str:
    """What went wrong, without the library's text: that may hold the URL."""
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {_CONNECT_S:.0f} s"
    if isinstance(error, requests.ReadTimeout):
        return f"no answer within {read_s:.0f} s"
    return "the connection failed"
