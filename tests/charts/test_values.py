"""The values of the product's chart and the parts of its image agree with what they are told about."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from typing import Any

import pytest
import yaml

from helmbroker.broker.settings import Settings as BrokerSettings
from helmbroker.controller_bridge.settings import Settings as BridgeSettings
from helmbroker.runtime.environment import Variables
from sandbox.layers import NEVER_UNPACKED, REMOVED_AT_LAST
from tests.charts import page
from tests.charts.product import CHART, CHECKOUT

# what the chart sets itself, by values of its own; probes come without a certificate
_BOTH = {
    "DATA_DIR",
    "DATABASE_URL",
    "DATABASE_URL_FILE",
    "DRAIN_S",
    "KEY_RING_FILE",
    "KUBECONFIG",
    "LISTEN",
    "TLS_CERTIFICATE_FILE",
    "TLS_KEY_FILE",
    "WORKER_LISTEN",
}
_BROKER = _BOTH | {
    "ADDONS_DIR",
    "GRANTS_FILE",
    "HELM",
    "INSTANCE_NAMESPACE",
    "LOGINS_DIR",
    "OVERRIDES_FILE",
    "SOURCES_FILE",
    "TLS_CLIENT_REQUIRED",
}
_BRIDGE = _BOTH | {
    "BROKER_CA_FILE",
    "BROKER_CREDENTIALS_FILE",
    "BROKER_URL",
    "DRYCC_CONTROLLER_URL",
    "DRYCC_HOOK_KEY_FILE",
    "DRYCC_HOOK_URL",
    "DRYCC_TOKEN_FILE",
    "METRICS_TOKEN_FILE",
    "PLATFORM",
    "WATCH_NAMESPACES",
}


def _json(name: str) -> Any:
    return json.loads((CHECKOUT / name).read_text())


@pytest.mark.parametrize(
    ("component", "settings", "own"),
    [("broker", BrokerSettings, _BROKER), ("bridge", BridgeSettings, _BRIDGE)],
)
def test_all_settings_but_the_charts_own_can_be_given(
    component: str, settings: type[Variables], own: set[str]
) -> None:
    schema = _json("charts/helmbroker/values.schema.json")
    allowed = set(schema["properties"][component]["properties"]["settings"]["properties"])
    every = {name.upper() for name in settings.model_fields}

    assert own <= every
    assert allowed == every - own


def _objects(schema: Any) -> list[Any]:
    """Every part of a schema that describes an object with named properties."""
    if isinstance(schema, list):
        return [found for each in schema for found in _objects(each)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" and "properties" in schema else []
    return own + [found for each in schema.values() for found in _objects(each)]


def test_the_schema_takes_nothing_that_it_does_not_name() -> None:
    found = _objects(_json("charts/helmbroker/values.schema.json"))

    assert len(found) > 30
    assert all(each["additionalProperties"] is False for each in found)


def test_the_table_of_values_is_that_of_the_file() -> None:
    """`python -m tests.charts.page` writes it."""
    assert page.README.read_text() == page.page()


def test_chart_image_and_program_have_one_version() -> None:
    version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    image = _json("sandbox/images/helmbroker.json")

    assert (chart["version"], chart["appVersion"]) == (version, version)
    assert image["ref"].endswith(f":{version}")
    assert image["config"]["Labels"]["org.opencontainers.image.version"] == version


class TestDockerfile:
    """It says the same as the sandbox's table, which its content is built by there."""

    @pytest.fixture
    def image(self) -> Any:
        return _json("sandbox/images/helmbroker.json")

    @pytest.fixture
    def said(self) -> list[tuple[str, str]]:
        """The instructions with what follows them."""
        text = re.sub(r"^#.*\n", "", (CHECKOUT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", "")
        return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in text.splitlines() if line]

    def test_configuration(self, image: Any, said: list[tuple[str, str]]) -> None:
        config = image["config"]
        labels = [shlex.split(what)[0] for how, what in said if how == "LABEL"]

        assert [what for how, what in said if how == "ENV"] == config["Env"]
        assert labels == [f"{name}={value}" for name, value in config["Labels"].items()]
        assert ("USER", config["User"]) in said
        assert said[-2:] == [("ENTRYPOINT", json.dumps(config["Entrypoint"])), ("CMD", json.dumps(config["Cmd"]))]
        assert [what for how, what in said if how == "WORKDIR"][-1] == config["WorkingDir"]

    def test_parts(self, image: Any, said: list[tuple[str, str]]) -> None:
        debian, helm, *made = image["layers"]
        (user,) = debian["users"]
        runs = [what for how, what in said if how == "RUN"]
        (base,) = [
            each for each in runs if "--no-install-recommends " + " ".join(debian["packages"]) + " &&" in each
        ]

        assert base.split("/var/lib/apt/lists/* ")[1].split() == debian["remove"]
        assert any(f"-o /made{helm['to']} {helm['module']} &&" in each for each in runs)
        assert any(f"--uid {user['uid']} --gid {user['gid']} --home-dir {user['home']} " in each for each in runs)
        assert [f"python3 -m packing.image {each['made']} /made/{each['made']}" for each in made] == [
            each for each in runs if "packing.image" in each
        ]
        assert any(each.endswith(f"python3 -B -m packing.sbom / {image['sbom']}") for each in runs)

    def test_nothing_but_the_packages_and_what_they_need_is_left(
        self, image: Any, said: list[tuple[str, str]]
    ) -> None:
        (leaving,) = [what for how, what in said if how == "RUN" and "apt-get purge" in what]
        kept, deleted = leaving.split("apt-mark manual ")[1].split("&&")[0], leaving.split("rm -rf ")[1].split()

        assert kept.split() == image["layers"][0]["packages"]
        for pattern in (*NEVER_UNPACKED, *REMOVED_AT_LAST):
            assert any(pattern.startswith(each) for each in deleted), pattern

    def test_what_is_copied_is_what_the_parts_are_made_of(self, image: Any, said: list[tuple[str, str]]) -> None:
        copied = {each for how, what in said if how == "COPY" for each in what.split()[:-1]}
        needed = {each for layer in image["layers"] if "of" in layer for each in layer["of"]}

        assert {each.removeprefix("packing/image.py") or "packing" for each in needed} <= copied

    def test_no_base_image_is_made_up(self, said: list[tuple[str, str]]) -> None:
        bases = {what.split()[0] for how, what in said if how == "FROM"}

        assert [what for how, what in said if how == "ARG"] == ["DEBIAN", "GO"]
        assert bases == {"${DEBIAN}", "${GO}", "debian", "scratch"}
