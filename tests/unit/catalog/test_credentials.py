"""Rendered credentials templates: values and references, or every fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.catalog import jsonpath
from helmbroker.catalog.credentials import read, written_faults
from helmbroker.catalog.delivery import Credential, Delivery
from helmbroker.catalog.model import JSON, AddonFaults
from helmbroker.catalog.references import Ref, RefKind

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
    valueFrom: {configMapKeyRef: {name: hb-1-ca, key: ca.crt, optional: true}}
  - name: address
    valueFrom: {serviceRef: {name: hb-1, jsonpath: "{.status.loadBalancer.ingress[*]['ip','hostname']}"}}
  - name: ports
    valueFrom: {serviceRef: {name: hb-1, jsonpath: "{.spec.ports[*].port}", all: true}}
"""
PASSWORD = Ref(RefKind.SECRET, "hb-1", jsonpath.lead("data", "password"))
AUTHORITY = Ref(RefKind.CONFIG_MAP, "hb-1-ca", jsonpath.lead("data", "ca.crt"))
ADDRESS = Ref(RefKind.SERVICE, "hb-1", jsonpath.parse("{.status.loadBalancer.ingress[*]['ip','hostname']}"))
PORTS = Ref(RefKind.SERVICE, "hb-1", jsonpath.parse("{.spec.ports[*].port}"), every=True)


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
        Credential("password", PASSWORD),
        Credential("ca", AUTHORITY, optional=True),
        Credential("address", ADDRESS),
        Credential("ports", PORTS),
    )


FOUND: dict[Ref, JSON] = {PASSWORD: "<>&\"'\\ \n", ADDRESS: "192.0.2.1", PORTS: [80, 443]}


@pytest.mark.bug(30, 38)
def test_credentials_are_texts_and_nothing_in_them_is_lost() -> None:
    """What is optional and not there is left out."""
    assert read(RENDERED).assembled(FOUND) == {
        "host": "hb-1.demo.svc",
        "port": "5432",
        "version": "3.10",
        "enabled": "yes",
        "offset": "012",
        "empty": "",
        "zero": "0",
        "off": "false",
        "password": "<>&\"'\\ \n",
        "address": "192.0.2.1",
        "ports": "80,443",
    }


@pytest.mark.bug(38)
def test_types_are_kept_for_who_asks_for_them() -> None:
    """As Helm types YAML; what is in quotes is text."""
    items = """
      - {name: port, value: 5432}
      - {name: quoted, value: "5432"}
      - {name: version, value: 3.10}
      - {name: enabled, value: yes}
      - {name: hosts, value: [a, 1, {b: no}]}
      - {name: map, value: {a: 0}}
      - {name: ports, valueFrom: {serviceRef: {name: hb-1, jsonpath: "{.spec.ports[*].port}", all: true}}}
    """
    delivery = read(f"types: native\ncredentials:{items}")
    assert delivery.assembled(FOUND) == {
        "port": 5432,
        "quoted": "5432",
        "version": 3.1,
        "enabled": True,
        "hosts": ["a", 1, {"b": False}],
        "map": {"a": 0},
        "ports": [80, 443],
    }


def test_what_is_referred_to_is_looked_up_once() -> None:
    ref = "valueFrom: {secretKeyRef: {name: hb-1, key: password}}"
    delivery = read(f"credentials: [{{name: a, {ref}}}, {{name: b, {ref}}}]")
    assert delivery.refs == [PASSWORD]
    assert delivery.assembled({PASSWORD: "x"}) == {"a": "x", "b": "x"}


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
    "another key": ("credits: []", ":1: missing: credentials"),
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
        ":2: credentials.0.valueFrom: unknown 'fieldRef'; allowed: configMapKeyRef, secretKeyRef, serviceRef",
    ),
    "no key": (
        one("{name: a, valueFrom: {secretKeyRef: {name: a}}}"),
        ":2: credentials.0.valueFrom.secretKeyRef: give either key or jsonpath, to say what of the Secret is meant",
    ),
    "a key and a path": (
        one("{name: a, valueFrom: {secretKeyRef: {name: a, key: b, jsonpath: '{.data.b}'}}}"),
        ":2: credentials.0.valueFrom.secretKeyRef: give either key or jsonpath",
    ),
    "a key of a Service": (
        one("{name: a, valueFrom: {serviceRef: {name: a, key: b}}}"),
        ":2: credentials.0.valueFrom.serviceRef: give jsonpath, to say what of the Service is meant",
    ),
    "a path that is none": (
        one("{name: a, valueFrom: {serviceRef: {name: a, jsonpath: .spec}}}"),
        ":2: credentials.0.valueFrom.serviceRef.jsonpath: '.spec' has no expression",
    ),
    "all of a text": (
        one("{name: a, valueFrom: {serviceRef: {name: a, jsonpath: '{.a}{.b}', all: true}}}"),
        ":2: credentials.0.valueFrom.serviceRef.all: needs a jsonpath of one expression",
    ),
    "perhaps optional": (
        one("{name: a, valueFrom: {serviceRef: {name: a, jsonpath: '{.a}', optional: maybe}}}"),
        ":2: credentials.0.valueFrom.serviceRef.optional: must be one of true, false",
    ),
    "null of some type": (f"types: native\n{one('{name: a, value: ~}')}", ":3: credentials.0.value: must be of"),
    "other types": ("types: json\ncredentials: []", ":1: types: must be one of text, native"),
    "another namespace": (
        one("{name: a, valueFrom: {secretKeyRef: {name: a, key: b, namespace: kube-system}}}"),
        ":2: credentials.0.valueFrom.secretKeyRef: unknown 'namespace'; allowed: all, jsonpath, key, name,",
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
    assert any(str(found).startswith(f"credentials template (rendered){fault}") for found in error.value.faults)


@pytest.mark.bug(86)
def test_a_fault_never_tells_a_value() -> None:
    with pytest.raises(AddonFaults) as error:
        read(one("{name: canary-1 x, value: [canary-2]}"))
    assert "canary" not in str(error.value)


def test_a_path_that_cannot_be_understood_is_found_before_anything_is_rendered(tmp_path: Path) -> None:
    """When the catalogue is read, so that no user meets it."""
    text = """\
credentials:
{{- range until 3 }}
  - {name: a, valueFrom: {serviceRef: {name: x, jsonpath: '{.spec.ports[?(@.a=="x" && @.b=="y")].port}'}}}
  - name: b
    valueFrom:
      secretKeyRef:
        name: {{ include "x" . }}
        jsonpath: "{.data.a\\\\.b}"  # fine
  - name: c
    valueFrom: {secretKeyRef: {name: x, jsonpath: {{ printf "{.data.%s}" .Values.key | quote }} }}
  - {name: d, valueFrom: {serviceRef: {name: x, jsonpath: '{.spec.ports[?(@.name=="{{ .Values.port }}")].port}'}}}
        jsonpath: .spec.clusterIP
{{- end }}
"""
    (tmp_path / "bind.yaml").write_text(text)
    joined, bare = map(str, written_faults(tmp_path, "bind.yaml"))
    assert joined.startswith("bind.yaml:3: jsonpath: ")
    assert "conditions cannot be joined" in joined
    assert bare.startswith("bind.yaml:12: jsonpath: '.spec.clusterIP' has no expression")
    assert written_faults(tmp_path, "absent.yaml") == []
