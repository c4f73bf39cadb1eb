"""Every version of every object in two namespaces, as the cluster tells of them."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

from helmbroker.broker.kube import records
from helmbroker.kubeapi.connect import connect
from helmbroker.kubeapi.kinds import KINDS
from tests.canary.evidence import Evidence
from tests.canary.places import Place
from tests.canary.secrets import Kind, Secret

_HELM = "helm.sh/release.v1"
_OF_A_BINDING = re.compile(r"hb-[0-9a-f]{20}-[0-9a-f]{16}")  # broker/domain/naming.py
_LOOK_S = 5
_WATCHED = [
    *("Pod", "Secret", "ConfigMap", "Service", "ServiceAccount", "PersistentVolumeClaim", "Event", "Deployment"),
    *("StatefulSet", "ReplicaSet", "Job", "NetworkPolicy"),
]


class Cluster:
    """Notes what is in the namespace of the instances and in that of the app; `pods` gets the uids of the app's."""

    def __init__(self, evidence: Evidence, instances: str, app: str, pods: set[str]) -> None:
        self._evidence, self._app = evidence, app
        self.namespaces = (instances, app)
        self.secrets: set[Secret] = set()  # those that charts have made
        self._pods = pods

    def note(self, obj: Mapping[str, Any]) -> None:
        """One version of one object."""
        metadata = obj["metadata"]
        where = f"{obj['kind']} {metadata['name']}"
        named = {key: metadata.get(key) for key in ("name", "labels", "annotations")}
        self._evidence.add(Place.NAMES, where, json.dumps(named, sort_keys=True))
        if obj["kind"] == "Secret":
            self._note_secret(obj, where)
            return
        if obj["kind"] == "Pod" and metadata["namespace"] == self._app:
            self._pods.add(metadata["uid"])
        self._evidence.add(Place.EVENTS if obj["kind"] == "Event" else Place.OBJECTS, where, json.dumps(obj))

    def _note_secret(self, obj: Mapping[str, Any], where: str) -> None:
        place = self._place(obj)
        for key, encoded in (obj.get("data") or {}).items():
            content = base64.b64decode(encoded)
            if obj["type"] == _HELM:
                content = gzip.decompress(base64.b64decode(content))
            self._evidence.add(place, f"{where}, {key}", content)
            if place is Place.CHART_SECRETS:
                self._learn(obj["metadata"]["name"], key, content)

    def _place(self, obj: Mapping[str, Any]) -> Place:
        if obj["metadata"]["namespace"] == self._app:
            return Place.APP_SECRETS
        return {_HELM: Place.HELM, records.TYPE: Place.RECORDS}.get(obj["type"], Place.CHART_SECRETS)

    def _learn(self, name: str, key: str, content: bytes) -> None:
        """What a chart has made up is a secret from now on."""
        kind = Kind.BINDING if _OF_A_BINDING.fullmatch(name) else Kind.ADMIN
        if key == "password":
            self.secrets.add(Secret(kind, f"{name} {key}", content))
        elif key == "tls.key":
            self.secrets.add(Secret(kind, f"{name} {key}", content.splitlines()[1]))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Until the end everything is noted as it comes and changes."""
        stop = Event()
        pairs = [(namespace, kind) for namespace in self.namespaces for kind in _WATCHED]
        with ThreadPoolExecutor(len(pairs)) as threads:
            going = [threads.submit(self._watch, *pair, stop) for pair in pairs]
            try:
                yield
            finally:
                stop.set()
        for each in going:
            each.result()

    def _watch(self, namespace: str, kind: str, stop: Event) -> None:
        """One stream after the other; each begins with what there is."""
        client = connect()
        url = f"{client.configuration.host}{KINDS[kind].path(namespace)}?watch=1&timeoutSeconds={_LOOK_S}"
        while not stop.is_set():
            stream = client.rest_client.pool_manager.request("GET", url, preload_content=False)
            assert stream.status == 200, f"{url}: {stream.status}"
            for line in stream:
                event = json.loads(line)
                if event["type"] != "ERROR":  # the stream begins anew
                    self.note({"kind": kind, **event["object"]})
            stream.release_conn()
        client.rest_client.pool_manager.clear()
