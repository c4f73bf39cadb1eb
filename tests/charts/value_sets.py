"""Values with which the product's chart is tried."""

from __future__ import annotations

from typing import Any

from tests.charts.product import HA

POSTGRESQL: dict[str, Any] = {
    "database": {
        "kind": "postgresql",
        "broker": {"secretName": "db", "key": "broker"},
        "bridge": {"secretName": "db", "key": "bridge"},
    }
}
TLS: dict[str, Any] = {"tls": {"enabled": True, "secretName": "our-tls"}}
DRYCC: dict[str, Any] = {
    "bridge": {
        "platform": "drycc",
        "drycc": {"url": "https://drycc.example.com", "secretName": "c", "hookUrl": "https://b.example.com/hook/"},
    }
}
WATCH: dict[str, Any] = {"bridge": {"watch": {"enabled": True}}, "rights": {"namespaces": ["shop", "blog"]}}
EVERYTHING: dict[str, Any] = {
    "image": {"digest": "sha256:" + "ab" * 32},
    "imagePullSecrets": [{"name": "pull"}],
    "storage": {"className": "fast"},
    "logins": {"users": ["ci:" + "0" * 64], "admins": ["me:" + "1" * 64], "watchers": ["it:" + "2" * 64]},
    "addons": {
        "sources": [{"name": "team", "kind": "oci", "location": "oci://registry.example.com/addons/queue:1.0.0"}],
        "overrides": {"redis": {"settings": {"maxmemory": "1gb"}}},
        "grants": {"redis": {"pod_security": "baseline"}},
    },
    "broker": {
        "settings": {"CONCURRENCY": 4, "OIDC_ISSUER": "https://id"},
        "secrets": ["pull"],
        "configMaps": ["a"],
    },
    "bridge": {"secrets": ["more-brokers"], "watch": {"enabled": True}},
    "rights": {"mode": "all"},
    "tls": {
        "enabled": True,
        "certManager": {"enabled": True, "issuerRef": {"name": "ours"}, "dnsNames": ["b.org"]},
    },
    "ingress": {"enabled": True, "className": "n", "brokerHost": "broker.org", "bridgeHost": "bridge.org"},
    "gateway": {"enabled": True, "parentRefs": [{"name": "g"}], "brokerHost": "broker.org"},
    "networkPolicy": {
        "from": [{"namespaceSelector": {}}],
        "metricsFrom": [{"podSelector": {}}],
        "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}],
    },
    "environment": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "NO_PROXY": ".svc"},
    "metrics": {
        "monitors": {"enabled": True},
        "prometheusRule": {"enabled": True, "runbooks": "https://git.example.com/helmbroker/blob/main/"},
        "dashboard": {"enabled": True},
    },
    "serviceCatalog": {"register": True},
    "scheduling": {"antiAffinity": "hard", "nodeSelector": {"a": "b"}, "priorityClassName": "high"},
    "podAnnotations": {"a": "b"},
    "podLabels": {"c": "d"},
}
SETS = {
    "default": ({}, ()),
    "without bridge": ({"bridge": {"enabled": False}}, ()),
    "drycc": (DRYCC, ()),
    "watch": (WATCH, ()),
    "tls": (TLS, ()),
    "everything": (EVERYTHING, ()),
    "ha": ({}, (HA,)),
    "ha with everything": (EVERYTHING, (HA,)),
    "ha, drycc": (DRYCC, (HA,)),
}
