"""What HelmCli asks of the helm program; a stand-in writes it down."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from helmbroker.broker.domain.cluster import Capabilities
from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.ports import Deployment
from helmbroker.broker.helm.releases import HelmCli
from tests.unit.helm.stand_in import stand_in

REF = ReleaseRef("instances", "hb-1")
SERVED = Capabilities("v1.36.2", ("v1", "apps/v1/Deployment"))
NEVER = threading.Event()
LISTING = """
import pathlib
chart = pathlib.Path(sys.argv[-1])
found = sorted(str(path.relative_to(chart)) for path in chart.rglob("*") if path.is_file())
names = sys.argv[-4:-1:2]
assert found == ["Chart.yaml", "credentials.yaml", *names], found
for name in names:
    print("---\\n# Source: chart/" + name + "\\na: b")
"""


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    folder = tmp_path / "chart"
    (folder / "templates").mkdir(parents=True)
    for name in ("Chart.yaml", "templates/a.yaml", "credentials.yaml"):
        (folder / name).write_text("x")
    return folder


def cli(folder: Path, program: Path | str) -> HelmCli:
    return HelmCli(str(program), folder / "helm-home")


def asked(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report").read_text())
    return found


UPGRADE = [
    "--install",
    "--namespace",
    "instances",
    "--values",
    "-",
    "--hide-notes",
    "--skip-crds",
    "--reset-values",
    "--disable-openapi-validation",
]
RELEASE = {
    "manifest": "---\n# Source: a\nkind: Secret\n",
    "hooks": [{"manifest": "kind: Job"}, {"manifest": "kind: Pod"}],
}
TELLS = f"print({json.dumps(json.dumps(RELEASE))})"
CHART_TOLD = """
import pathlib
chart = pathlib.Path(sys.argv[3])
files = sorted(path for path in chart.rglob("*") if path.is_file())
pathlib.Path("%s").write_text(json.dumps({str(path.relative_to(chart)): path.read_text() for path in files}))
"""


@pytest.mark.bug(1, 48)
def test_deploy(tmp_path: Path, chart: Path) -> None:
    deployment = Deployment(REF, chart, {"a": [1, None]}, "kind: x\n", {"y": "2", "x": "1"}, timeout_s=90.5)
    cli(tmp_path, stand_in(tmp_path)).deploy(deployment, NEVER)
    command, name, frozen, *rest = asked(tmp_path)["argv"]
    assert (command, name, Path(frozen).name) == ("upgrade", "hb-1", chart.name)
    assert rest == [*UPGRADE, "--labels", "x=1,y=2", "--history-max", "10", "--timeout", "90s"]
    assert json.loads(asked(tmp_path)["stdin"]) == {"a": [1, None]}
    assert list((tmp_path / "helm-home" / "rendering").iterdir()) == []


@pytest.mark.bug(13)
def test_helm_is_given_what_was_checked(tmp_path: Path, chart: Path) -> None:
    """Nothing of the chart is rendered again; its name, version and default values stay."""
    about = "apiVersion: v2\nname: c\nversion: 3.10\nengine: gotpl\ndependencies: [{name: d, version: 1.0.0}]\n"
    (chart / "Chart.yaml").write_text(about)
    (chart / "values.yaml").write_text("a: 1")
    (chart / "crds").mkdir()
    (chart / "crds" / "crd.yaml").write_text("kind: CustomResourceDefinition")
    given = "data: {a: '{{ .Values.a }}'}\n"
    program = stand_in(tmp_path, CHART_TOLD % (tmp_path / "seen"))
    cli(tmp_path, program).deploy(Deployment(REF, chart, {}, given, {}, timeout_s=1), NEVER)
    seen = json.loads((tmp_path / "seen").read_text())
    assert json.loads(seen.pop("Chart.yaml")) == {"apiVersion": "v2", "name": "c", "version": "3.10"}
    assert seen == {
        "values.yaml": "a: 1",
        "manifest.yaml": given,
        "templates/manifest.yaml": '{{ .Files.Get "manifest.yaml" }}\n',
    }


@pytest.mark.parametrize(("content", "fault"), [("a: [", HelmFault.CHART), (None, HelmFault.CHART)])
def test_a_chart_that_cannot_be_read(tmp_path: Path, chart: Path, content: str | None, fault: HelmFault) -> None:
    (chart / "Chart.yaml").unlink()
    if content is not None:
        (chart / "Chart.yaml").write_text(content)
    with pytest.raises(HelmError) as caught:
        cli(tmp_path, stand_in(tmp_path)).deploy(Deployment(REF, chart, {}, "", {}, timeout_s=1), NEVER)
    assert caught.value.fault is fault


def test_render_shows_what_an_upgrade_would_make(tmp_path: Path, chart: Path) -> None:
    """What the gate sees: lookups, capabilities, the release's revision, hooks and tests included."""
    shown = cli(tmp_path, stand_in(tmp_path, TELLS)).render(chart, {"a": 1}, REF, stop=NEVER)
    assert [each["kind"] for each in yaml.safe_load_all(shown)] == ["Secret", "Job", "Pod"]
    assert asked(tmp_path)["argv"] == [
        *("upgrade", "hb-1", str(chart)),
        *UPGRADE,
        *("--dry-run=server", "--output", "json"),
    ]
    assert json.loads(asked(tmp_path)["stdin"]) == {"a": 1}


@pytest.mark.parametrize("said", ["", "rendered", "[]", '{"hooks": [1]}', '{"hooks": [{}]}'])
def test_a_helm_that_answers_otherwise(tmp_path: Path, chart: Path, said: str) -> None:
    with pytest.raises(HelmError) as caught:
        cli(tmp_path, stand_in(tmp_path, f"print({said!r})")).render(chart, {}, REF, stop=NEVER)
    assert caught.value.fault is HelmFault.OTHER


@pytest.mark.bug(31)
def test_what_helm_warns_of_is_not_part_of_the_rendering(tmp_path: Path, chart: Path) -> None:
    program = stand_in(tmp_path, "sys.stderr.write('walk.go: found symbolic link'); print('rendered')")
    assert cli(tmp_path, program).template(chart, {}, REF) == "rendered\n"


@pytest.mark.bug(19, 35)
def test_rendering_one_template_leaves_the_chart_alone(tmp_path: Path, chart: Path) -> None:
    """It never lies in the chart that Helm installs; it sees what the cluster serves, and lies there twice."""
    helm = cli(tmp_path, stand_in(tmp_path, LISTING))
    assert helm.render_alone(chart / "credentials.yaml", chart, {"a": 1}, REF, SERVED, NEVER) == "a: b\n"
    names = [f"templates/credentials-template-{number}.yaml" for number in (1, 2)]
    argv = asked(tmp_path)["argv"]
    assert argv[:-1] == [
        *("template", "hb-1", "--namespace", "instances", "--skip-tests", "--values", "-"),
        *("--kube-version", "v1.36.2", "--api-versions", "v1", "--api-versions", "apps/v1/Deployment"),
        *("--show-only", names[0], "--show-only", names[1]),
    ]
    assert json.loads(asked(tmp_path)["stdin"]) == {"a": 1}
    assert (chart / "templates" / "a.yaml").exists()
    assert sorted(path.name for path in (chart / "templates").iterdir()) == ["a.yaml"]
    assert list((tmp_path / "helm-home" / "rendering").iterdir()) == []


def test_what_killed_renderings_left_is_cleared_away(tmp_path: Path, chart: Path) -> None:
    helm = cli(tmp_path, stand_in(tmp_path, LISTING))
    rendering = tmp_path / "helm-home" / "rendering"
    for name, age_s in (("old", 7200), ("young", 60)):
        (rendering / name).mkdir(parents=True)
        os.utime(rendering / name, (time.time() - age_s,) * 2)
    helm.render_alone(chart / "credentials.yaml", chart, {}, REF, SERVED, NEVER)
    assert [path.name for path in rendering.iterdir()] == ["young"]


def test_a_missing_template_is_the_charts_fault(tmp_path: Path, chart: Path) -> None:
    with pytest.raises(HelmError) as caught:
        cli(tmp_path, stand_in(tmp_path)).render_alone(chart / "absent.yaml", chart, {}, REF, SERVED, NEVER)
    assert (caught.value.fault, caught.value.detail) == (HelmFault.CHART, "absent.yaml: No such file or directory")


def test_uninstall(tmp_path: Path) -> None:
    helm = cli(tmp_path, stand_in(tmp_path))
    common = ["uninstall", "hb-1", "--namespace", "instances", "--ignore-not-found", "--timeout"]
    helm.uninstall(REF, hooks=True, timeout_s=60, stop=NEVER)
    assert asked(tmp_path)["argv"] == [*common, "60s"]
    helm.uninstall(REF, hooks=False, timeout_s=0.2, stop=NEVER)
    assert asked(tmp_path)["argv"] == [*common, "1s", "--no-hooks"]


def test_rollback(tmp_path: Path) -> None:
    cli(tmp_path, stand_in(tmp_path)).rollback(REF, timeout_s=60, stop=NEVER)
    argv = asked(tmp_path)["argv"]
    assert argv[:2] == ["rollback", "hb-1"]
    assert {"--namespace", "--timeout", "60s"} <= set(argv)
    assert "--cleanup-on-fail" not in argv
    assert "--wait" not in argv


@pytest.mark.bug(51)
def test_the_environment_is_small_and_holds_no_secret(
    tmp_path: Path, chart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ours helm gets what it needs to run and to reach the cluster, no more."""
    monkeypatch.setenv("HELMBROKER_DATABASE_URL", "postgresql://u:c4n4ry@db/x")
    monkeypatch.setenv("HELM_KUBETOKEN", "c4n4ry")
    monkeypatch.setenv("KUBECONFIG", "/somewhere")
    monkeypatch.setenv("HOME", "/home/me")
    cli(tmp_path, stand_in(tmp_path, TELLS)).render(chart, {}, REF, stop=NEVER)
    environment = asked(tmp_path)["env"]
    home = str(tmp_path / "helm-home")
    assert "c4n4ry" not in json.dumps(environment)
    assert (environment["KUBECONFIG"], environment["HOME"]) == ("/somewhere", "/home/me")
    assert all(environment[f"HELM_{name}_HOME"].startswith(home) for name in ("CACHE", "CONFIG", "DATA"))
    assert environment["KUBECACHEDIR"].startswith(home)
    allowed = {"PATH", "HOME", "LANG", "KUBECONFIG", "KUBECACHEDIR", "LC_CTYPE", "HELM_NO_PLUGINS", "HELM_DRIVER"}
    allowed |= {"HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    assert set(environment) <= allowed | {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"}


def test_a_kubeconfig_of_the_settings_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/somewhere")
    helm = HelmCli(str(stand_in(tmp_path)), tmp_path / "helm-home", kubeconfig="/else/where")
    helm.uninstall(REF, hooks=True, timeout_s=1, stop=NEVER)
    assert asked(tmp_path)["env"]["KUBECONFIG"] == "/else/where"


def test_each_run_is_done_in_what_was_given(chart: Path, tmp_path: Path) -> None:
    """What it does for itself, telling its version, is no run of an operation."""
    seen: list[str] = []

    @contextmanager
    def around(command: str) -> Iterator[None]:
        seen.append(command)
        yield

    helm = HelmCli(str(stand_in(tmp_path, TELLS)), tmp_path / "helm-home", around=around)
    helm.render(chart, {}, REF, stop=NEVER)
    helm.uninstall(REF, hooks=True, timeout_s=1, stop=NEVER)
    helm.rollback(REF, timeout_s=1, stop=NEVER)
    assert seen == ["upgrade --dry-run=server", "uninstall", "rollback"]


CURE = "Install helm 4.2.4 or newer, or set HELMBROKER_HELM to its path"


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("v4.2.3", "is helm 4.2.3"),
        ("v3.21.4", "is helm 3.21.4"),
        ("v4.2.4-rc.1", "is helm 4.2.4-rc.1"),
        ("v4.2", "does not tell its version as helm does"),
        ("helm of my own", "does not tell its version as helm does"),
        ("", "does not tell its version as helm does"),
    ],
)
def test_an_unusable_helm_is_told_with_the_cure(tmp_path: Path, chart: Path, version: str, why: str) -> None:
    program = stand_in(tmp_path, version=version)
    helm = cli(tmp_path, program)
    assert helm.unusable() == f"{program} {why}. {CURE}"
    with pytest.raises(HelmError) as caught:
        helm.render(chart, {}, REF, stop=NEVER)
    assert (caught.value.fault, caught.value.detail) == (HelmFault.MISSING, f"{program} {why}. {CURE}")
    assert not (tmp_path / "report").exists(), "it was never asked to do anything"


@pytest.mark.parametrize("version", ["v4.2.4", "4.2.4", "v4.3.0", "v5.0.0+g1234"])
def test_a_usable_helm(tmp_path: Path, version: str) -> None:
    helm = cli(tmp_path, stand_in(tmp_path, version=version))
    assert helm.unusable() is None
    assert helm.version() == version


def test_a_missing_helm_that_is_installed_later_is_found(tmp_path: Path) -> None:
    helm = cli(tmp_path, tmp_path / "helm")
    assert helm.unusable() == f"there is no program {tmp_path / 'helm'}. {CURE}"
    stand_in(tmp_path)
    assert helm.unusable() is None


def test_in_the_name_of_somebody_else(tmp_path: Path) -> None:
    """Helm takes it from its environment; ours is as it was."""
    alice, helm = "system:serviceaccount:instances:alice", cli(tmp_path, stand_in(tmp_path))
    helm.acting_as(alice).uninstall(REF, hooks=False, timeout_s=1, stop=NEVER)
    assert asked(tmp_path)["env"]["HELM_KUBEASUSER"] == alice
    helm.uninstall(REF, hooks=False, timeout_s=1, stop=NEVER)
    assert "HELM_KUBEASUSER" not in asked(tmp_path)["env"]
