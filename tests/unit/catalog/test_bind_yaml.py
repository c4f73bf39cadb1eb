"""The bind.yaml of Drycc and Kyma, as Helm renders it: what their addons deliver."""

from __future__ import annotations

import pytest

from helmbroker.catalog import jsonpath
from helmbroker.catalog.credentials import read
from helmbroker.catalog.delivery import Credential, Delivery
from helmbroker.catalog.model import JSON, AddonFaults
from helmbroker.catalog.references import Ref, RefKind

DRYCC = """\
---
# Source: redis/templates/credentials.yaml
credential:
  - name: DOMAIN
    value: hb-1.demo
  - name: PORT
    value: 6379
  - {name: VERSION, value: 3.10}
  - {name: EMPTY, value: ""}
  - {name: OFF, value: no}
  - name: HOST
    valueFrom:
      serviceRef:
        name: hb-1-master
        jsonpath: '{ .spec.clusterIP }'
  - name: EXTRANET_HOST
    valueFrom: {serviceRef: {name: hb-1-master, jsonpath: '{ .status.loadBalancer.ingress[*].ip }'}}
  - name: PASSWORD
    valueFrom: {secretKeyRef: {name: hb-1, jsonpath: '{ .data.redis-password }'}}
  - name: S3
    valueFrom: {configMapRef: {name: hb-1, jsonpath: '{.data.s3\\.json}'}}
  - name: HOST
    valueFrom: {serviceRef: {name: hb-1-tls, jsonpath: '{ .spec.clusterIP }'}}
more: ignored
"""


def service(name: str, path: str) -> Ref:
    return Ref(RefKind.SERVICE, name, jsonpath.parse(path))


def secret(path: str) -> Ref:
    return Ref(RefKind.SECRET, "hb-1", jsonpath.parse(path))


@pytest.mark.bug(30, 38)
def test_drycc() -> None:
    """A name that comes again replaces the one before: alternatives in templates are written so."""
    delivery = read(DRYCC)
    found: dict[Ref, JSON] = {
        service("hb-1-master", "{ .spec.clusterIP }"): "10.0.0.1",
        service("hb-1-master", "{ .status.loadBalancer.ingress[*].ip }"): "192.0.2.1",
        secret("{ .data.redis-password }"): "0123",
        Ref(RefKind.CONFIG_MAP, "hb-1", jsonpath.parse(r"{.data.s3\.json}")): '{"a": "<&>"}',
        service("hb-1-tls", "{ .spec.clusterIP }"): "10.0.0.2",
    }
    assert (delivery.refs, delivery.twice) == (list(found), ("HOST",))
    assert delivery.assembled(found) == {
        "DOMAIN": "hb-1.demo",
        "PORT": "6379",
        "VERSION": "3.10",
        "EMPTY": "",
        "OFF": "no",
        "HOST": "10.0.0.2",
        "EXTRANET_HOST": "192.0.2.1",
        "PASSWORD": "0123",
        "S3": '{"a": "<&>"}',
    }


@pytest.mark.parametrize("nothing", ["credential: {}", "credential: []", "credential:", "credentialFrom: []"])
def test_nothing_to_deliver(nothing: str) -> None:
    assert read(nothing) == Delivery(())


KYMA = """\
credential:
  - name: HOST
    value: hb-1.demo
  - {name: PASSWORD, valueFrom: {secretKeyRef: {name: hb-1, key: redis-password}}, value: ""}
  - {name: PORT, valueFrom: {serviceRef: {name: hb-1, jsonpath: '{ .spec.ports[?(@.name=="redis")].port }'}}}
  - {name: CA, valueFrom: {configMapKeyRef: {name: hb-1, key: ca.crt}}}
credentialFrom:
  - configMapRef: {name: hb-1}
  - secretRef:
    name: hb-1
"""


def test_kyma() -> None:
    """What is named counts more than what comes along, and the later more than the earlier."""
    delivery = read(KYMA)
    settings, all_secrets, password, port, authority = delivery.refs
    assert (settings, all_secrets) == (
        Ref(RefKind.CONFIG_MAP, "hb-1", jsonpath.lead("data")),
        Ref(RefKind.SECRET, "hb-1", jsonpath.lead("data")),
    )
    assert password == Ref(RefKind.SECRET, "hb-1", jsonpath.lead("data", "redis-password"))
    assert delivery.assembled(
        {
            settings: {"HOST": "of the map", "MODE": "of the map", "ONLY": "map"},
            all_secrets: {"MODE": "of the Secret", "redis-password": "s3cret"},
            password: "s3cret",
            port: 6379,
            authority: "PEM",
        }
    ) == {
        "HOST": "hb-1.demo",
        "MODE": "of the Secret",
        "ONLY": "map",
        "redis-password": "s3cret",
        "PASSWORD": "s3cret",
        "PORT": "6379",
        "CA": "PEM",
    }


KEY = "{name: b, valueFrom: {secretKeyRef: {name: hb-1, key: b}}}"
FAULTS = {
    "Kyma: a name twice": (f"credential: [{KEY}, {{name: b, value: c}}]", ":1: credential: given twice: b"),
    "Kyma: a name twice beside all of a Secret": (
        "credential: [{name: b, value: a}, {name: b, value: c}]\ncredentialFrom: [{secretRef: {name: x}}]",
        ":1: credential: given twice: b",
    ),
    "Kyma: an empty value": (f"credential: [{KEY}, {{name: c, value: ''}}]", ":1: credential.1: needs a value, or"),
    "no value": ("credential: [{name: b}]", ":1: credential.0: needs a value, or valueFrom with one of"),
    "null": ("credential: [{name: b, value: }]", ":1: credential.0.value: must be of type string"),
    "both": (
        "credential: [{name: b, value: c, valueFrom: {serviceRef: {name: b, jsonpath: '{.a}'}}}]",
        ":1: credential.0: has both value and valueFrom",
    ),
    "two sources": (
        "credential: [{name: b, valueFrom: {serviceRef: {name: b, jsonpath: '{.a}'}, configMapRef: {name: b}}}]",
        ":1: credential.0: needs a value, or valueFrom with one of",
    ),
    "another source": (
        "credential: [{name: b, valueFrom: {fieldRef: {name: x}}}]",
        ":1: credential.0: needs a value",
    ),
    "a path that is none": (
        "credential: [{name: b, valueFrom: {serviceRef: {name: b, jsonpath: x}}}]",
        ":1: credential.0.valueFrom.serviceRef.jsonpath: 'x' has no expression",
    ),
    "a name with blanks": ("credential: [{name: b c, value: d}]", ":1: credential.0.name: must match"),
    "a map of credentials": ("credential: {a: b}", ":1: credential: must be of type array"),
    "a list in a list": ("credential: [[]]", ":1: credential.0: must be of type object"),
    "whole what": (
        "credentialFrom: [{other: {name: x}}]",
        ":1: credentialFrom.0: must have one of configMapRef, sec",
    ),
    "whole without a name": ("credentialFrom: [{secretRef: }]", ":1: credentialFrom.0.secretRef: missing: name"),
    "B57 a second document": ("credential: []\n---\ncredential: [{name: a, value: b}]", ":2: is not valid YAML"),
    "B31 a warning among it": ("walk.go: 75: found symbolic link\ncredential: []", ":1: is not valid YAML"),
    "B9 python": ("credential: !!python/object/apply:os.system [x]", ":1: is not valid YAML"),
}


@pytest.mark.bug(9, 29, 31, 57)
@pytest.mark.parametrize(("rendered", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_fault_says_where_and_what(rendered: str, fault: str) -> None:
    with pytest.raises(AddonFaults) as error:
        read(rendered)
    assert any(str(found).startswith(f"credentials template (rendered){fault}") for found in error.value.faults)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(AddonFaults) as error:
        read("credential: [{name: a}, {name: b}]\ncredentialFrom: [{}]")
    assert len(error.value.faults) == 3


def test_a_value_only() -> None:
    assert read("credential: [{name: A, value: ''}]").credentials == (Credential("A", ""),)
