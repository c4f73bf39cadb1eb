"""The OpenAPI document is valid, is served, and describes what is served: no more and no less.

That every single answer is one of those that it describes is held by the desk, for all tests of this folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_spec_validator import validate

from helmbroker.broker.api import wire
from helmbroker.broker.domain.errors import OsbError
from tests.api.broker.described import document, faults, operations, resolved
from tests.api.broker.desk import INSTANCE, Desk, refusal

ADMIN = Path(wire.__file__).with_name("admin.yaml")  # the only paths that tell a login that it is another's
CONVERTER = re.compile(r"<osb:(\w+)>")
ERRORS = {400: "BadRequest", 404: "NotFound", 409: "Conflict", 410: "Gone", 422: "Unprocessable"}


def test_it_is_valid() -> None:
    validate(document())


def test_it_is_served_as_it_is(broker: Desk) -> None:
    response = broker.call("GET", "/openapi.yaml", headers={"X-Broker-API-Version": None})
    assert response.status_code == 200
    assert response.mimetype == "application/yaml"
    assert yaml.safe_load(response.data) == document()
    again = broker.call("GET", "/openapi.yaml", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.osb(1)
def test_it_is_for_those_who_can_log_in(broker: Desk) -> None:
    response = broker.call("GET", "/openapi.yaml", headers={"Authorization": None})
    assert refusal(response) == (401, "Unauthorized")


def test_it_lists_the_routes(broker: Desk) -> None:
    served = {
        (method, CONVERTER.sub(r"{\1}", rule.rule))
        for rule in broker.client.application.url_map.iter_rules()
        for method in rule.methods or ()
        if method != "HEAD"  # GET without a body
    }
    assert served == set(operations())


def errors(kind: type[OsbError] = OsbError) -> Iterator[type[OsbError]]:
    """Every error that has a word."""
    for each in kind.__subclasses__():
        if hasattr(each, "word"):
            yield each
        yield from errors(each)


def test_it_lists_every_error_word() -> None:
    told: dict[int, str] = {}
    for operation in operations().values():
        for status, answer in operation["responses"].items():
            told[int(status)] = told.get(int(status), "") + resolved(answer)["description"]
    told[403] = ADMIN.read_text()
    missing = [each.__name__ for each in errors() if f"`{each.word}`" not in told.get(each.status, "")]
    assert missing == []


@pytest.mark.parametrize(
    ("name", "model"),
    [("ProvisionRequest", wire._Provision), ("UpdateRequest", wire._Update), ("BindRequest", wire._Bind)],
    ids=str,
)
def test_it_lists_every_field_that_is_read(name: str, model: type[Any]) -> None:
    assert set(document()["components"]["schemas"][name]["properties"]) == set(model.model_fields)


@pytest.mark.osb(10, 21)
def test_a_judge_finds_what_is_not_described() -> None:
    json_type = {"Content-Type": "application/json"}
    assert faults("GET", INSTANCE, 200, json_type, b'{"service_id": "s", "plan_id": "p", "parameters": {}}') == []
    assert faults("GET", INSTANCE, 200, json_type, b'{"service_id": "s", "plan_id": "p", "new": {}}') != []
    assert faults("GET", INSTANCE, 404, json_type, b'{"error": "NotFound"}') != []
    assert faults("GET", INSTANCE, 418, json_type, b"{}") != []
    assert faults("GET", INSTANCE, 404, {"Content-Type": "text/html"}, b"<p>") != []
    assert faults("GET", INSTANCE, 401, json_type, b'{"error": "Unauthorized", "description": "who?"}') != []
    assert faults("GET", "/nothing", 200, json_type, b"{}") != []
