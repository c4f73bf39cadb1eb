"""What kubectl answers to jsonpath templates, kept in kubectl.json.

`python -m tests.unit.catalog.kubectl` asks kubectl anew (1.32 was asked). It needs no cluster.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "kubectl.json"

_PORTS = [
    "amqp",
    "amqp-ssl",
    "amqp-tls",
    "cluster",
    "http",
    "https",
    "minio-api",
    "minio-console",
    "tcp-blob",
    "tcp-client",
    "tcp-client-tls",
    "tcp-kvrocks",
    "tcp-proxy",
    "tcp-redis",
    "tcp-rest-api",
    "tcp-rpc",
    "tcp-sentinel",
    "tcp-transport",
    "nessie-http",
    "s3",
]
_KEYS = [
    "GF_SECURITY_ADMIN_PASSWORD",
    "GF_SECURITY_ADMIN_USER",
    "admin-password",
    "admin-user",
    "airflow-fernet-key",
    "airflow-password",
    "airflow-secret-key",
    "client-password",
    "client-passwords",
    "controller-password",
    "etcd-root-password",
    "inter-broker-password",
    "keystore-password",
    "kvrocks-password",
    "logstash-password",
    "mongodb-root-password",
    "opensearch-dashboards-password",
    "opensearch-password",
    "password",
    "port",
    "portro",
    "portrw",
    "quorum-learner-password",
    "quorum-server-password",
    "rabbitmq-password",
    "redis-password",
    "root-password",
    "root-user",
    "server-password",
    "truststore-password",
    "username",
    "ca.crt",
    "s3.json",
]
OBJECTS: dict[str, dict[str, Any]] = {
    "service": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "hb-1", "labels": {"a/b.c": "slashed", "plain": "p"}},
        "spec": {
            "clusterIP": "10.96.0.7",
            "ports": [
                {"name": name, "port": 1000 + number, "targetPort": target}
                for number, (name, target) in enumerate(zip(_PORTS, [*["client", "peer"] * 10], strict=True))
            ],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}]}},
    },
    "waiting": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "hb-2"},
        "spec": {
            "clusterIP": "10.96.0.8",
            "ports": [{"port": 80, "targetPort": "client"}, {"port": 81, "targetPort": 9}],
        },
        "status": {"loadBalancer": {}},
    },
    "secret": {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "hb-1"},
        "data": {key: f"value of {key}" for key in _KEYS},
    },
    "odd": {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "odd"},
        "data": {"empty": "", "blank": " x ", "signs": "<>&\"'\\"},
        "number": 3,
        "float": 1.5,
        "true": True,
        "null": None,
        "list": [5, 7, 9],
        "mixed": [{"v": "1"}, {"v": 1}, {"v": True}],
        "people": [
            {"name": "ann", "age": 30, "tags": ["x"], "home": {"town": "Ulm"}},
            {"name": "bob b", "age": 40, "admin": True, "home": {"town": "Bonn"}},
        ],
    },
}
CORPUS = [
    "{ .spec.clusterIP }",
    "{.spec.clusterIP}",
    "{ .status.loadBalancer.ingress[*].ip }",
    "{.status.loadBalancer.ingress[0].ip}",
    '{ .spec.ports[?(@.name=="amqp")].port }',
    '{ .spec.ports[?(@.name=="amqp-ssl")].port }',
    '{ .spec.ports[?(@.name=="amqp-tls")].port }',
    '{ .spec.ports[?(@.name=="cluster")].port }',
    '{ .spec.ports[?(@.name=="http")].port }',
    '{ .spec.ports[?(@.name=="https")].port }',
    '{ .spec.ports[?(@.name=="minio-api")].port }',
    '{ .spec.ports[?(@.name=="minio-console")].port }',
    '{ .spec.ports[?(@.name=="tcp-blob")].port }',
    '{ .spec.ports[?(@.name=="tcp-client")].port }',
    '{ .spec.ports[?(@.name=="tcp-client-tls")].port }',
    '{ .spec.ports[?(@.name=="tcp-kvrocks")].port }',
    '{ .spec.ports[?(@.name=="tcp-proxy")].port }',
    '{ .spec.ports[?(@.name=="tcp-redis")].port }',
    '{ .spec.ports[?(@.name=="tcp-rest-api")].port }',
    '{ .spec.ports[?(@.name=="tcp-rpc")].port }',
    '{ .spec.ports[?(@.name=="tcp-sentinel")].port }',
    '{ .spec.ports[?(@.name=="tcp-transport")].port }',
    '{.spec.ports[?(@.name=="nessie-http")].port}',
    '{.spec.ports[?(@.name=="s3")].port}',
    ' { .spec.ports[?(@.name=="http")].port }',
    '{ .spec.ports[?(@.targetPort=="client")].port }',
    '{ .spec.ports[?(@.targetPort=="peer")].port }',
    "{ .data.GF_SECURITY_ADMIN_PASSWORD }",
    "{ .data.GF_SECURITY_ADMIN_USER }",
    "{ .data.admin-password }",
    "{ .data.admin-user }",
    "{ .data.airflow-fernet-key }",
    "{ .data.airflow-password }",
    "{ .data.airflow-secret-key }",
    "{ .data.client-password }",
    "{ .data.client-passwords }",
    "{ .data.controller-password }",
    "{ .data.etcd-root-password }",
    "{ .data.inter-broker-password }",
    "{ .data.keystore-password }",
    "{ .data.kvrocks-password }",
    "{ .data.logstash-password }",
    "{ .data.mongodb-root-password }",
    "{ .data.opensearch-dashboards-password }",
    "{ .data.opensearch-password }",
    "{ .data.password }",
    "{ .data.port }",
    "{ .data.portro }",
    "{ .data.portrw }",
    "{ .data.quorum-learner-password }",
    "{ .data.quorum-server-password }",
    "{ .data.rabbitmq-password }",
    "{ .data.redis-password }",
    "{ .data.root-password }",
    "{ .data.root-user }",
    "{ .data.server-password }",
    "{ .data.truststore-password }",
    "{ .data.username }",
    r"{ .data.ca\.crt }",
    r"{.data.s3\.json}",
]
HARDER = [
    ("service", "{.spec.ports[*].name}"),
    ("service", "{.spec.clusterIP}:{.spec.ports[0].port}"),
    ("service", "tcp://{.spec.clusterIP}/{.spec.ports[-1].port}?x=1"),
    ("service", '{range .spec.ports[0:3]}{.name}={.port}{","}{end}'),
    ("service", "{range .status.loadBalancer.ingress[*]}[{.ip}]{end}"),
    ("service", r"{.metadata.labels.a/b\.c}"),
    ("service", r"{.metadata.labels['a/b\.c']}"),
    ("service", "{.spec['clusterIP', 'nothing']}"),
    ("service", "{.spec.ports[0,2].port}"),
    ("service", "{.spec.ports[1:6:2].port}"),
    ("service", "{.spec.ports[?(@.port<1002)].name}"),
    ("service", '{.spec.ports[?(@.name!="amqp")].port}'),
    ("service", "{.spec.ports[0]}"),
    ("service", "{..ip}"),
    ("service", "{$.spec.clusterIP}"),
    ("waiting", "{ .status.loadBalancer.ingress[*].ip }"),
    ("waiting", '{ .spec.ports[?(@.targetPort=="client")].port }'),
    ("odd", "{.number} {.float} {.true} {.data.empty}|"),
    ("odd", "{.data.signs}"),
    ("odd", '{.people[?(@.name=="bob b")].home.town}'),
    ("odd", "{.people[?(@.admin)].name}"),
    ("odd", "{.people[?(@.age>=40)].name}"),
    ("odd", '{.people[?(@.home.town=="Ulm")].tags[0]}'),
    ("odd", '{"\\n"}{.people[*].home.*}'),
]


def cases() -> list[tuple[str, str]]:
    """Object and template: the 60 of the real addons, then the harder ones."""
    return [
        ("service" if "{.spec" in text.replace(" ", "") or ".status" in text else "secret", text) for text in CORPUS
    ] + HARDER


def ask(name: str, template: str) -> str | None:
    """What kubectl prints; None: it fails."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(OBJECTS[name], file)
        file.flush()
        command = ["kubectl", "annotate", "--local", "-f", file.name, "golden=1", "-o", f"jsonpath={template}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    answers = [{"object": name, "template": text, "kubectl": ask(name, text)} for name, text in cases()]
    GOLDEN.write_text(json.dumps(answers, indent=1, ensure_ascii=False) + "\n")
