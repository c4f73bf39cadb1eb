"""Certificates of clients as logins: whose are accepted is decided by name, kind for kind."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from helmbroker.broker.api.auth.certificates import ClientCertificates
from helmbroker.broker.api.auth.chain import Caller, How, Refused
from helmbroker.runtime.listening import PEER_CERTIFICATE

PLATFORM = {
    "subject": ((("organizationName", "x"),), (("commonName", "platform"),)),
    "subjectAltName": (
        ("DNS", "platform.apps.svc"),
        ("URI", "spiffe://cluster/ns/platform"),
        ("IP Address", "::1"),
    ),
}


def caller(subjects: set[str], certificate: Any) -> Caller | None:
    environ = EnvironBuilder(headers=[("X-Helmbroker-Peer-Certificate", "CN:platform")]).get_environ()
    if certificate is not None:
        environ[PEER_CERTIFICATE] = certificate
    return ClientCertificates(frozenset(subjects)).caller(Request(environ))


@pytest.mark.parametrize("subject", ["CN:platform", "DNS:platform.apps.svc", "URI:spiffe://cluster/ns/platform"])
def test_a_subject_that_may_call_is_the_caller(subject: str) -> None:
    assert caller({"CN:x", subject}, PLATFORM) == Caller(subject, How.CERTIFICATE)


@pytest.mark.parametrize(
    "subject", ["CN:platform.apps.svc", "DNS:platform", "CN:x", "O:x", "CN:Platform", "CN:plat"]
)
def test_a_name_of_another_kind_is_another_name(subject: str) -> None:
    with pytest.raises(Refused, match="subject may not call"):
        caller({subject}, PLATFORM)


def test_without_a_certificate_there_is_no_caller() -> None:
    assert caller({"CN:platform"}, None) is None
    assert caller({"CN:platform"}, {}) is None
