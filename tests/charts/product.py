"""What helm makes of the product's own chart, without a cluster."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from tests.addons.programs import helm

CHECKOUT = Path(__file__).parents[2]
CHART = CHECKOUT / "charts" / "helmbroker"
HA = CHART / "values-ha.yaml"
RELEASE, NAMESPACE = "hb", "platform"
SERVED = ("monitoring.coreos.com/v1", "cert-manager.io/v1", "gateway.networking.k8s.io/v1")

Object = dict[str, Any]


class Objects(list[Object]):
    """All objects of a rendering."""

    def named(self, kind: str, name: str, namespace: str | None = None) -> Object:
        """The one of that kind and name."""
        (found,) = [
            each
            for each in self
            if (each["kind"], each["metadata"]["name"]) == (kind, name)
            and namespace in (None, each["metadata"].get("namespace"))
        ]
        return found

    def of(self, *kinds: str) -> list[Object]:
        """All of these kinds, in their order."""
        return [each for each in self if each["kind"] in kinds]

    def templates(self) -> dict[str, Object]:
        """The pod templates, by name of the workload."""
        return {each["metadata"]["name"]: each["spec"]["template"] for each in self.of("Deployment", "StatefulSet")}

    def containers(self) -> dict[str, Object]:
        """Every container, as workload/container."""
        found = self.templates().items()
        return {
            f"{name}/{each['name']}": each for name, template in found for each in template["spec"]["containers"]
        }

    def secrets(self) -> set[str]:
        """What Secrets hold and nobody may read elsewhere: of `name:value` the value."""
        found = (pair for each in self.of("Secret") for pair in each["data"].items())
        texts = (base64.b64decode(value).decode() for key, value in found if key != "username")
        return {text.rpartition(":")[2] for text in texts if text}


def render(values: dict[str, Any] | None = None, *files: Path, hooks: bool = True) -> Objects:
    """The chart's objects, with values over those of the files; without hooks only those of the release.

    Raises programs.Failed.
    """
    given = [word for file in files for word in ("--values", str(file))] + ([] if hooks else ["--no-hooks"])
    text = helm(
        "template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--kube-version", "1.36.0", *given,
        values=values or {},
    )  # fmt: skip
    return Objects(each for each in yaml.safe_load_all(text) if each is not None)


def environment(container: Object) -> dict[str, str]:
    """The variables of a container."""
    return {each["name"]: each["value"] for each in container["env"]}
