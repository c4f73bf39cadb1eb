"""Secrets cannot be printed by accident, and are compared as JSON."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from typing import Any

import pytest

from helmbroker.broker.domain.credentials import Credentials, Hidden, Parameters
from helmbroker.broker.domain.instance import ServiceBinding
from helmbroker.broker.domain.naming import ReleaseRef

CANARY = "canary-51c0"
SECRETS = [Credentials({"password": CANARY}), Parameters({CANARY: 1})]


@pytest.mark.bug(50, 51)
@pytest.mark.parametrize("secret", SECRETS, ids=["credentials", "parameters"])
def test_no_form_of_printing_shows_them(secret: Hidden, caplog: pytest.LogCaptureFixture) -> None:
    binding = ServiceBinding("b", "i", "s", "p", None, Parameters({}), {}, ReleaseRef("n", "r"), None)
    holder = {"secret": secret, "binding": binding}
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").debug("%s %r", secret, holder)
    printed = [repr(secret), str(secret), f"{secret}", f"{secret!r:>80}", str([secret]), repr(holder), caplog.text]
    assert CANARY not in "".join(printed)
    assert "1 values" in repr(secret)


@pytest.mark.bug(10)
@pytest.mark.parametrize("secret", SECRETS, ids=["credentials", "parameters"])
def test_they_cannot_be_written_out_by_a_serializer(secret: Hidden) -> None:
    for write in (json.dumps, pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            write(secret)


def test_they_are_revealed_on_request_as_a_copy() -> None:
    secret = Credentials({"password": CANARY})
    secret.reveal()["password"] = "other"
    assert secret.reveal() == {"password": CANARY}


@pytest.mark.osb(49)
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1, "b": [1, {}]}, {"b": [1, {}], "a": 1}, True),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 0}, {"a": False}, False),
        ({"a": [1]}, {"a": [True]}, False),
        ({"a": {"b": 1}}, {"a": {"b": True}}, False),
        ({"a": None}, {}, False),
        ({"a": ""}, {"a": None}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": '1,"b":2'}, {"a": 1, "b": 2}, False),
    ],
)
def test_they_are_the_same_when_their_json_means_the_same(
    one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    assert (Parameters(one) == Parameters(other)) is same


def test_they_are_no_keys() -> None:
    with pytest.raises(TypeError):
        hash(Parameters({}))
