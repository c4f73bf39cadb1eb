"""An instance that is closed to everybody but the apps that are bound; needs a cluster that enforces policies."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from helmbroker.kubeapi.port import Kube
from tests.cluster.addons import image_of, step
from tests.cluster.broker import OVERRIDES, broker
from tests.cluster.clients import Client
from tests.cluster.reach import eventually, throw_away_namespace

pytestmark = [pytest.mark.cluster, pytest.mark.sandbox, pytest.mark.timeout(900)]
CLOSED: dict[str, Any] = {
    **OVERRIDES,
    "postgresql": {**OVERRIDES["postgresql"], "networkPolicy": {"bound": True}},
}


def gets_in(client: Client) -> None:
    """Soon: who enforces policies hears of them, and of new pods, a moment later."""
    login = step("postgresql", "login")
    eventually(lambda: client.run(login, within_s=20).status == 0 or None, within_s=90)


def test_only_the_app_that_is_bound_gets_in(kube: Kube, tmp_path: Path) -> None:
    """With the very same credentials; and a binding of another app opens it to that one as well."""
    with (
        broker(kube, tmp_path, overrides=CLOSED) as running,
        throw_away_namespace(kube) as shop,
        throw_away_namespace(kube) as blog,
    ):
        instance = running.platform.instance("postgresql", "small")
        assert instance.provision().state == "succeeded"

        def bind(app: str) -> tuple[str, dict[str, str]]:
            path = f"{instance.path}/service_bindings/{uuid.uuid4()}"
            context = {"platform": "kubernetes", "namespace": app, "clusterid": "c"}
            answer = running.platform.expect(201, "PUT", path, {**instance.ids, "context": context})
            return path, answer["credentials"]

        def client(app: str, credentials: dict[str, str]) -> Client:
            image = image_of("postgresql", "small", OVERRIDES["postgresql"])
            made = Client.start(kube, app, f"client-{uuid.uuid4().hex[:6]}", image, credentials)
            made.await_ready(kube)
            return made

        path, credentials = bind(shop)
        ours, theirs = client(shop, credentials), client(blog, credentials)
        gets_in(ours)
        assert theirs.run(step("postgresql", "login"), within_s=20).status != 0
        bind(blog)
        gets_in(theirs)
        assert running.platform.ask("DELETE", path, None, **instance.ids).status_code == 200
        policies = kube.list("NetworkPolicy", running.namespace)
        assert len(policies) == 2, "the instance's own, and that of the other binding"
        assert instance.delete().state == "succeeded"
