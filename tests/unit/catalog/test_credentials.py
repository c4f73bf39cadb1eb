"""Rendered credentials templates: values and references, or every fault."""

from __future__ import annotations

import pytest

from helmbroker.catalog.credentials import Credential, Delivery, Ref, RefKind, read
from helmbroker.catalog.model import AddonFaults

RENDERED = """\
---
# Source: demo-binding/credentials.yaml
credentials:
  - name: host
    value: hb-1.demo.svc
  - {name: port, value: 5432}
  - {name: version, value: 3.10}
  - {name: enabled, value: yes}
  - {name: offset, value: 012}
  - {name: empty, value: ""}
  - {name: zero, value: 0}
  - {name: off, value: false}
  - name: password
    valueFrom: {secretKeyRef: {name: hb-1, key: password}}
  - name: ca
    valueFrom: {configMapKeyRef: {name: hb-1-ca, key: ca.crt}}
"""


@pytest.mark.bug(30, 38)
def test_values_are_texts_as_they_were_written_and_references_name_an_object_and_a_key() -> None:
    """What is empty, zero or false is a value; no number is written anew."""
    assert read(RENDERED).credentials == (
        Credential("host", "hb-1.demo.svc"),
        Credential("port", "5432"),
        Credential("version", "3.10"),
        Credential("enabled", "yes"),
        Credential("offset", "012"),
        Credential("empty", ""),
        Credential("zero", "0"),
        Credential("off", "false"),
        Credential("password", Ref(RefKind.SECRET, "hb-1", "password")),
        Credential("ca", Ref(RefKind.CONFIG_MAP, "hb-1-ca", "ca.crt")),
    )


def test_a_template_may_deliver_nothing() -> None:
    assert read("credentials: []\n") == Delivery(())


ENDPOINTS = """\
credentials: []
endpoints:
  - {host: hb-1.demo.svc, ports: [5432]}
  - {host: hb-1.demo.svc, ports: ["9000-9010", 80], protocol: udp}
"""


@pytest.mark.osb(105)
def test_endpoints_are_as_the_wire_wants_them() -> None:
    """Ports are texts."""
    assert read(ENDPOINTS).endpoints == (
        {"host": "hb-1.demo.svc", "ports": ["5432"]},
        {"host": "hb-1.demo.svc", "ports": ["9000-9010", "80"], "protocol": "udp"},
    )


def one(item: str) -> str:
    return f"credentials:\n- {item}\n"


def endpoint(text: str) -> str:
    return f"credentials: []\nendpoints:\n- {text}\n"


FAULTS = {
    "an endpoint without ports": (endpoint("{host: x}"), ":3: endpoints.0: missing: ports"),
    "an endpoint with no port": (endpoint("{host: x, ports: []}"), ":3: endpoints.0.ports: "),
    "an endpoint with no host": (endpoint("{host: '', ports: [1]}"), ":3: endpoints.0.host: "),
    "a port that is none": (
        endpoint("{host: x, ports: [80, 65536]}"),
        ":3: endpoints.0.ports.1: 65536 is neither a port nor a range of ports",
    ),
    "a range the wrong way round": (endpoint("{host: x, ports: [9-8]}"), ":3: endpoints.0.ports.0: 9-8 is neither"),
    "a port of words": (endpoint("{host: x, ports: [http]}"), ":3: endpoints.0.ports.0: "),
    "another protocol": (endpoint("{host: x, ports: [1], protocol: sctp}"), ":3: endpoints.0.protocol: "),
    "nothing rendered": ("", ": must be of type object"),
    "no list": ("credentials: {}", ":1: credentials: must be of type array"),
    "another key": ("credential: []", ":1: missing: credentials"),
    "no value": (one("{name: a}"), ":2: credentials.0: is too small: minProperties is 2"),
    "null": (one("{name: a, value: null}"), ":2: credentials.0.value: must be of type string"),
    "nothing behind the colon": (one("{name: a, value: }"), ":2: credentials.0.value: must be of type string"),
    "a list": (one("{name: a, value: [1]}"), ":2: credentials.0.value: must be of type string"),
    "no name": (one("{value: a, valueFrom: {}}"), ":2: credentials.0: missing: name"),
    "a name with blanks": (one("{name: a b, value: c}"), ":2: credentials.0.name: must match ^[-._a-zA-Z0-9]+$"),
    "a name with a last newline": (one('{name: "a\\n", value: c}'), ":2: credentials.0.name: must match"),
    "both": (
        one("{name: a, value: b, valueFrom: {secretKeyRef: {name: a, key: b}}}"),
        ":2: credentials.0: breaks the schema's rule 'not'",
    ),
    "two references": (
        one("{name: a, valueFrom: {secretKeyRef: {name: a, key: b}, configMapKeyRef: {name: a, key: b}}}"),
        ":2: credentials.0.valueFrom: is too large: maxProperties is 1",
    ),
    "another kind": (
        one("{name: a, valueFrom: {fieldRef: {name: a, key: b}}}"),
        ":2: credentials.0.valueFrom: unknown 'fieldRef'; allowed: configMapKeyRef, secretKeyRef",
    ),
    "no key": (
        one("{name: a, valueFrom: {secretKeyRef: {name: a}}}"),
        ":2: credentials.0.valueFrom.secretKeyRef: missing: key",
    ),
    "another namespace": (
        one("{name: a, valueFrom: {secretKeyRef: {name: a, key: b, namespace: kube-system}}}"),
        ":2: credentials.0.valueFrom.secretKeyRef: unknown 'namespace'; allowed: key, name",
    ),
    "a name twice": (one("{name: a, value: b}\n- {name: a, value: c}"), ": given twice: a"),
    "B57 a second document": (
        "credentials: []\n---\ncredentials: []\n",
        ":2: is not valid YAML: but found another",
    ),
    "B31 a warning among it": (
        "walk.go:75: found symbolic link\ncredentials: []\n",
        ":1: unknown 'walk.go:75'; allowed: credentials",
    ),
    "B9 python": ("credentials: !!python/object/apply:os.system [x]", ":1: is not valid YAML"),
}


@pytest.mark.parametrize(("rendered", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_fault_of_the_template_says_where_and_what(rendered: str, fault: str) -> None:
    with pytest.raises(AddonFaults) as error:
        read(rendered)
    assert any(str(found).startswith(f"credentials.yaml (rendered){fault}") for found in error.value.faults)


@pytest.mark.bug(86)
def test_a_fault_never_tells_a_value() -> None:
    with pytest.raises(AddonFaults) as error:
        read(one("{name: canary-1 x, value: [canary-2]}"))
    assert "canary" not in str(error.value)
