"""Requests that no document would yield: any bytes where a method, a path, a header or a body should be.

Each gets a 4xx (or is right by chance), as JSON with both fields, and never a 5xx.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.api.broker.described import faults
from tests.fuzz.adapted import BINDINGS, IDENTITY, INSTANCES
from tests.fuzz.broker import CATALOG, USER, Fuzzed, fuzzed

LOGIN = "Basic " + base64.b64encode(":".join(USER).encode()).decode()
ADDON = CATALOG.addons[0]
IDS: dict[str, Any] = {
    "service_id": ADDON.id,
    "plan_id": ADDON.plans[0].id,
    "organization_guid": "org",
    "space_guid": "space",
}
LATIN = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=40)
ODD = ["", " ", "null", "x" * 300, "\x00", "\u202e", "../..", "${HOME}", "'--"]
TEXTS = st.text(max_size=300) | st.sampled_from(ODD)
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(2**63) - 1, 1e308, -0.0])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        *IDS,
        *("parameters", "context", "maintenance_info", "previous_values", "bind_resource", "app_guid"),
        *("predecessor_binding_id", "self", "__class__", "accepts_incomplete"),
    ]
)
OBJECTS = st.dictionaries(FIELDS, VALUES, max_size=5).map(lambda odd: {**IDS, **odd})


def _deep(depth: int, opening: bytes, closing: bytes) -> bytes:
    inside = opening * depth + b"1" + closing * depth
    return json.dumps(IDS).encode()[:-1] + b', "parameters": {"a": ' + inside + b"}}"


BODIES = st.one_of(
    OBJECTS.map(lambda body: json.dumps(body).encode()),
    VALUES.map(lambda body: json.dumps(body).encode()),
    OBJECTS.map(lambda body: json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    OBJECTS.map(lambda body: json.dumps(body).encode("utf-16")),
    OBJECTS.map(lambda body: json.dumps(body).encode()[:-2]),
    st.binary(max_size=200),
    st.integers(1, 20_000).map(lambda depth: _deep(depth, b"[", b"]")),
    st.integers(1, 20_000).map(lambda depth: _deep(depth, b'{"a":', b"}")),
    st.sampled_from([0, 1 << 19, (1 << 20) + 1, 1 << 21]).map(lambda size: b'{"a": "' + b"x" * size + b'"}'),
    st.sampled_from([b"", b"null", b"[]", b"\xef\xbb\xbf{}", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\ud800"}']),
)
SEGMENTS = st.one_of(
    st.sampled_from([*INSTANCES, *BINDINGS]).map(lambda text: quote(text, safe="")),
    st.binary(max_size=20).map(lambda raw: quote_from_bytes(raw, safe="")),
    st.sampled_from(["..", ".", "%", "%zz", "%2e%2e", "x" * 300, "a%00b", "%ff", "a;b=c", "%25%32%46", "~", "*"]),
)
ENDS = st.sampled_from(["", "/", "/last_operation", "/service_bindings", "/service_bindings/", "//", "/nothing"])


@st.composite
def _paths(draw: st.DrawFn) -> str:
    path = f"/v2/service_instances/{draw(SEGMENTS)}"
    if draw(st.booleans()):
        path += f"/service_bindings/{draw(SEGMENTS)}"
    return path + draw(ENDS)


PATHS = _paths() | st.sampled_from(["/v2/catalog", "/v2/catalog/", "//v2/catalog", "/v2", "/healthz", "*", "/", ""])
QUERIES = st.one_of(
    st.sampled_from(["accepts_incomplete=true", f"accepts_incomplete=true&service_id={ADDON.id}&plan_id=p", ""]),
    st.sampled_from(
        ["accepts_incomplete=TRUE", "accepts_incomplete", "operation=", "operation=%00", "operation=%f"]
    ),
    LATIN.map(lambda text: quote(text, safe="&=%+", encoding="latin-1")),
)
METHODS = st.sampled_from(["PUT"] * 4 + ["PATCH"] * 3 + ["DELETE", "GET"] * 2 + ["HEAD", "POST", "OPTIONS", "BREW"])
VERSIONS = ["2.17"] * 8 + ["2.13", "3.0", "2", "", "2.x", "2.-1", "2." + "9" * 500]
IDENTITIES = [IDENTITY] * 4 + ["kubernetes", "kubernetes !!!", "kubernetes bnVsbA==", "", "a b c"]
TYPES = ["application/json"] * 6 + ["", "text/plain", "application/json; charset=utf-16", "/", "a/b;="]
LOGINS = [LOGIN] * 12 + ["", "Basic", "Basic !!!", "Bearer x", "Basic Og==", "Digest a=b"]


def header(values: list[str]) -> st.SearchStrategy[str]:
    """One of these, or anything."""
    return st.sampled_from(values) | LATIN


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """A WSGI environment."""
    body = draw(BODIES)
    path, query = draw(PATHS), draw(QUERIES)
    environ = EnvironBuilder(method=draw(METHODS), path="/", input_stream=BytesIO(body)).get_environ()
    environ |= {
        "RAW_URI": f"{path}?{query}" if query else path,
        "REQUEST_URI": f"{path}?{query}" if query else path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": draw(st.sampled_from(TYPES)),
        "HTTP_AUTHORIZATION": draw(header(LOGINS)),
        "HTTP_X_BROKER_API_VERSION": draw(header(VERSIONS)),
        "HTTP_X_BROKER_API_ORIGINATING_IDENTITY": draw(header(IDENTITIES)),
        "HTTP_X_BROKER_API_REQUEST_IDENTITY": draw(LATIN),
    }
    if draw(st.integers(0, 3)):
        environ["CONTENT_LENGTH"] = str(len(body))
    else:  # in chunks, as a server hands them on
        environ.pop("CONTENT_LENGTH", None)
        environ |= {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    return environ


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    with fuzzed(tmp_path_factory.mktemp("raw"), 1) as made:
        yield made


@pytest.mark.fuzz
@pytest.mark.timeout(1800)
@pytest.mark.osb(3, 4, 5, 7, 8, 10, 16, 19, 20, 21, 117)
@seed(20261123)
@settings(max_examples=4000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(environ=requests())
def test_bytes_that_are_no_request_get_an_answer_that_is_described(broker: Fuzzed, environ: dict[str, Any]) -> None:
    method, target = environ["REQUEST_METHOD"], environ["RAW_URI"]
    content, status, headers = run_wsgi_app(broker.app.wsgi_app, environ, buffered=True)
    broker.work()
    code = int(status.split()[0])
    assert code < 500 or json.loads(b"".join(content))["error"] in ("OperationFailed", "TookTooLong")
    assert faults(method, target, code, dict(headers), b"".join(content)) == []
