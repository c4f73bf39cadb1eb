"""What must be true when everything is quiet again. Each check gives sentences about what is not."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from helmbroker.durable import State
from helmbroker.kubeapi.port import Kube
from tests.chaos.clients import Client
from tests.chaos.fleet import Fleet
from tests.chaos.platform import Journal
from tests.chaos.watch import Watch
from tests.cluster.inventory import objects
from tests.cluster.logins import refusal, start_pod
from tests.cluster.reach import pause

_RELEASE = re.compile(r"hb-[0-9a-f]{20}(?:-[0-9a-f]{16}(?![0-9a-f]))?")
_GONE_S = 60.0
_OPEN = (State.QUEUED, State.RUNNING)


def operations(journal: Journal, watch: Watch) -> Iterator[str]:
    """Every accepted operation has ended; none by an error of ours."""
    rows = {row["id"]: row for row in watch.ends()}
    for operation, kind in journal.accepted.items():
        row = rows.get(operation)
        if row is None:
            yield f"{kind} {operation} was accepted and is not in the records"
        elif row["state"] in _OPEN:
            yield f"{kind} {operation} was accepted and is still {row['state']}: {row['description']}"
        elif "internal error" in row["description"].lower():
            yield f"{kind} {operation}: {row['description']}"


def records(fleet: Fleet, clients: Iterable[Client]) -> Iterator[str]:
    """The broker remembers what the platform remembers."""
    listed = {(line["instance"], line.get("binding", "")) for line in _listed(fleet)}
    alive = {(instance.id, "") for client in clients for instance in client.instances if not instance.gone}
    alive |= {(one.id, each.id) for client in clients for one in client.instances for each in one.alive}
    yield from (f"the platform has {ids} and the broker has no record" for ids in sorted(alive - listed))
    yield from (f"the broker has a record of {ids} and the platform deleted it" for ids in sorted(listed - alive))


def cluster(fleet: Fleet, namespace: str) -> Iterator[str]:
    """Nothing without a record; no record without its Helm release, deployed, and every object of that."""
    expected = {line["release"]: line for line in _listed(fleet)}
    found, releases = _settled(namespace, set(expected)), _releases(namespace)
    for name in sorted(_strange(found, set(expected))):
        yield f"{name} is in the cluster and belongs to no record"
    yield from (
        f"the Helm release {release} belongs to no record" for release in sorted(set(releases) - set(expected))
    )
    there = {f"{name.partition('/')[0].partition('.')[0]}/{name.partition('/')[2]}" for name in found}
    for release, line in expected.items():
        secret = releases.get(release)
        status = "not there" if secret is None else secret["metadata"]["labels"]["status"]
        if status != "deployed":
            yield f"the Helm release {release} of a record ({line['phase']}) is {status}"
        for name in sorted(_made_by(secret) - there):
            yield f"{name} of the Helm release {release} of a record ({line['phase']}) is not there"


def _strange(found: set[str], releases: set[str]) -> set[str]:
    """What is no object of these Helm releases."""
    return {name for name in found if (match := _RELEASE.search(name)) is None or match.group() not in releases}


def _settled(namespace: str, releases: set[str]) -> set[str]:
    """The objects, once those of deleted releases are gone, or after a while: pods of Jobs go in the background."""
    end = time.monotonic() + _GONE_S
    while _strange(found := objects(namespace), releases) and time.monotonic() < end:
        pause(0.5)
    return found


def _releases(namespace: str) -> dict[str, Any]:
    """The Secret of the newest revision of each Helm release, by its name."""
    secrets = json.loads(_kubectl("get", "secret", "-n", namespace, "-l", "owner=helm", "-o", "json"))["items"]
    secrets.sort(key=lambda secret: int(secret["metadata"]["labels"]["version"]))
    return {secret["metadata"]["labels"]["name"]: secret for secret in secrets}


def _made_by(secret: Any) -> set[str]:
    """What the chart of a Helm release makes, as kind/name."""
    if secret is None:
        return set()
    content = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    manifest = yaml.load_all(content["manifest"], Loader=yaml.CSafeLoader)
    return {f"{each['kind'].lower()}/{each['metadata']['name']}" for each in manifest if each}


def _listed(fleet: Fleet) -> list[dict[str, str]]:
    return [json.loads(line) for line in fleet.command("list", "-o", "json").splitlines()]


def logins(kube: Kube, apps: str, clients: Iterable[Client]) -> tuple[int, list[str]]:
    """Each surviving binding logs in, each removed one cannot; how many were tried, and what is wrong."""
    tried, wrong = 0, []
    for client in clients:
        if not client.keeps:
            continue
        start_pod(kube, apps, client.service)
        for instance, binding in client.delivered:
            said = refusal(apps, client.service, binding.credentials or {})
            tried += 1
            if (said is None) == binding.gone:
                state = "removed" if binding.gone else "surviving"
                wrong.append(f"login of a {state} binding of {client.service} {instance.id}: {said or 'accepted'}")
    return tried, wrong


def secrets(journal: Journal, watch: Watch, logs: Iterable[Path]) -> Iterator[str]:
    """No parameter or password in any log or description."""
    told = "\n".join(str(row["description"]) for row in watch.ends())
    for place, text in [("a description", told), *((log.name, log.read_text(errors="replace")) for log in logs)]:
        for number in (number for number, secret in enumerate(sorted(journal.secrets)) if secret in text):
            yield f"secret number {number} stands in {place}"


def _kubectl(*arguments: str) -> str:
    return subprocess.run(["kubectl", *arguments], check=True, capture_output=True, text=True, timeout=60).stdout
