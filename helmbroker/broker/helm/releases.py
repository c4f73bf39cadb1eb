"""The port HelmReleases over the helm program."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import semver

from helmbroker.broker.domain.cluster import Capabilities
from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.ports import Deployment
from helmbroker.broker.helm.alone import copied, only_one, put_alone, says_nothing
from helmbroker.broker.helm.command import ExecCommand
from helmbroker.broker.helm.frozen import frozen
from helmbroker.catalog.model import Object

MINIMUM = semver.Version(4, 2, 4)  # older ones do not repeat server-side apply conflicts
_LOG = logging.getLogger("helmbroker.helm")
_RENDER_S = 60.0
_HISTORY = 10
_VERSION_S = 10.0
_GRACE_S = 10.0
_DRY_RUN = "--dry-run=server"
_SHARE = 0.3  # of a lease: less than is left when a worker that cannot renew it begins to stop (durable.worker)
# of our own environment helm gets what it needs to run and to reach the cluster; no secret of ours is in it
_INHERITED = (
    "PATH",
    "HOME",  # programs that a kubeconfig names for logging in keep their files there
    "LANG",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)


Around = Callable[[str], AbstractContextManager[object]]


class HelmCli:
    """See broker.domain.ports.HelmReleases. `folder`: ours alone, for helm's caches and for rendering.

    Helm is looked for, and its version checked, when it is first needed: a broker without a usable helm keeps
    serving, and its operations fail with the reason.
    """

    def __init__(
        self,
        program: str,
        folder: Path,
        *,
        kubeconfig: str | None = None,
        lease_s: float = 60.0,
        around: Around = nullcontext,
    ) -> None:
        """`lease_s`: for which the worker holds its operations; no helm of a frozen worker lives longer.

        `around`: what each run for an operation is done in, given helm's command; a dry run is another one.
        """
        self._program, self._rendering, self._around = program, folder / "rendering", around
        self._share_s = lease_s * _SHARE
        self._usable: Path | None = None
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._environment = {"HOME": str(folder)}
        self._environment |= {name: os.environ[name] for name in _INHERITED if name in os.environ}
        self._environment |= {
            "HELM_CACHE_HOME": str(folder / "cache"),
            "HELM_CONFIG_HOME": str(folder / "config"),
            "HELM_DATA_HOME": str(folder / "data"),
            "KUBECACHEDIR": str(folder / "kube"),
            "HELM_NO_PLUGINS": "1",
            "HELM_DRIVER": "secret",
        }
        if kubeconfig or os.environ.get("KUBECONFIG"):
            self._environment["KUBECONFIG"] = kubeconfig or os.environ["KUBECONFIG"]

    def acting_as(self, user: str) -> HelmCli:
        """See broker.domain.ports.HelmReleases."""
        found = copy.copy(self)
        found._environment = {**self._environment, "HELM_KUBEASUSER": user}  # noqa: SLF001  # one of us
        return found

    def unusable(self) -> str | None:
        """Why helm cannot be used, as a sentence with the cure; None when it can."""
        try:
            self._executable()
        except HelmError as error:
            return error.detail
        return None

    def warn_if_unusable(self) -> None:
        """At start: the log says early what every operation would say."""
        reason = self.unusable()
        if reason is not None:
            _LOG.error("operations will fail: %s", reason)

    def _executable(self) -> Path:
        """Helm on this machine, its version checked once. Raises HelmError."""
        if self._usable is not None:
            return self._usable
        found = shutil.which(self._program)
        cure = f"Install helm {MINIMUM} or newer, or set HELMBROKER_HELM to its path"
        if found is None:
            raise HelmError(HelmFault.MISSING, f"there is no program {self._program}. {cure}")
        command = ExecCommand(Path(found), self._environment, limit_s=_VERSION_S, margin_s=0.0)
        try:
            said = asyncio.run(command.run(["version", "--template", "{{ .Version }}"])).decode()
            version = semver.Version.parse(said.strip().removeprefix("v"))
        except (HelmError, ValueError):
            raise HelmError(HelmFault.MISSING, f"{found} does not tell its version as helm does. {cure}") from None
        if version < MINIMUM:
            raise HelmError(HelmFault.MISSING, f"{found} is helm {version}. {cure}")
        self._usable = Path(found)
        return self._usable

    def version(self) -> str:
        """As helm says it, such as v4.2.4."""
        return self._run(["version", "--template", "{{ .Version }}"], limit_s=_VERSION_S).strip()

    def render(self, chart: Path, values: Object, ref: ReleaseRef, *, stop: threading.Event) -> str:
        # what an upgrade would render, with the release's revision and the cluster's objects to look up
        argv = [*self._upgrade(ref, chart), _DRY_RUN, "--output", "json"]
        return _manifest(self._run(argv, values, stop=stop, limit_s=_RENDER_S))

    def render_alone(
        self,
        template: Path,
        chart: Path,
        values: Object,
        ref: ReleaseRef,
        served: Capabilities,
        stop: threading.Event,
    ) -> str:
        argv = ["template", ref.name, "--namespace", ref.namespace, "--skip-tests", "--values", "-"]
        argv += ["--kube-version", served.kube_version]
        # one by one: Linux limits the length of an argument, and clusters have thousands of kinds
        argv += [word for each in served.api_versions for word in ("--api-versions", each)]
        with copied(chart, self._rendering) as copy:
            names = put_alone(template, copy)
            argv += [word for name in names for word in ("--show-only", name)]
            try:
                return only_one(self._run([*argv, str(copy)], values, stop=stop, limit_s=_RENDER_S))
            except HelmError as error:
                if says_nothing(error):
                    return ""
                raise

    def deploy(self, deployment: Deployment, stop: threading.Event) -> None:
        labels = ",".join(f"{key}={value}" for key, value in sorted(deployment.labels.items()))
        with frozen(deployment.chart, deployment.manifest, self._rendering) as chart:
            argv = [*self._upgrade(deployment.ref, chart), "--labels", labels]
            argv += ["--history-max", str(_HISTORY), "--timeout", _seconds(deployment.timeout_s)]
            argv += ["--force-conflicts"] if deployment.force else []
            self._run(argv, deployment.values, stop=stop, limit_s=deployment.timeout_s)

    def template(self, chart: Path, values: Object, ref: ReleaseRef) -> str:
        """The manifest of a first install, hooks, tests and CRDs included, without a cluster: for authors."""
        argv = ["template", ref.name, str(chart), "--namespace", ref.namespace, "--include-crds", "--values", "-"]
        return self._run(argv, values, limit_s=_RENDER_S)

    def lint(self, chart: Path, values: Object) -> list[str]:
        """What `helm lint` finds wrong with a chart."""
        said = self._run(["lint", str(chart), "--quiet", "--values", "-"], values, limit_s=_RENDER_S)
        return [
            line.partition("] ")[2] for line in said.splitlines() if line.startswith(("[ERROR] ", "[WARNING] "))
        ]

    def _upgrade(self, ref: ReleaseRef, chart: Path) -> list[str]:
        """The command that renders and that deploys; values come on stdin."""
        # CRDs are of the whole cluster and never made. Without --reset-values, values of the revision before come
        # back when there are no new ones.
        # Helm's own validation reads the schema of all kinds, half of its time; the rehearsal has the server do it.
        argv = ["upgrade", ref.name, str(chart), "--install", "--namespace", ref.namespace, "--values", "-"]
        return [*argv, "--hide-notes", "--skip-crds", "--reset-values", "--disable-openapi-validation"]

    def rollback(
        self, ref: ReleaseRef, *, revision: int | None = None, timeout_s: float, stop: threading.Event
    ) -> None:
        # not --cleanup-on-fail: helm then tells why cleaning up failed, and not why the rollback did
        with self._around("rollback"):
            asyncio.run(self._command(stop, timeout_s).rollback(ref.name, revision, namespace=ref.namespace))

    def uninstall(self, ref: ReleaseRef, *, hooks: bool, timeout_s: float, stop: threading.Event) -> None:
        argv = ["uninstall", ref.name, "--namespace", ref.namespace, "--ignore-not-found"]
        argv += ["--timeout", _seconds(timeout_s), *([] if hooks else ["--no-hooks"])]
        self._run(argv, stop=stop, limit_s=timeout_s)

    def _run(
        self,
        argv: Sequence[str],
        values: Object | None = None,
        *,
        limit_s: float,
        stop: threading.Event | None = None,
    ) -> str:
        data, dry = None if values is None else json.dumps(values).encode(), _DRY_RUN in argv
        with self._around(f"{argv[0]} {_DRY_RUN}" if dry else argv[0]):
            return asyncio.run(self._command(stop, limit_s).run(argv, data)).decode()

    def _command(self, stop: threading.Event | None, limit_s: float) -> ExecCommand:
        return ExecCommand(
            self._executable(),
            self._environment,
            stop=stop,
            limit_s=limit_s,
            grace_s=min(_GRACE_S, self._share_s),
            patience_s=self._share_s,
        )


def _manifest(release: str) -> str:
    """Everything that a release would make, from what helm says of it as JSON. Raises HelmError."""
    try:
        said = json.loads(release)
        parts = [said.get("manifest") or "", *(hook["manifest"] for hook in said.get("hooks") or ())]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise HelmError(HelmFault.OTHER, "helm did not tell of the release as it does") from None
    return "\n---\n".join(parts)


def _seconds(duration_s: float) -> str:
    return f"{max(1, int(duration_s))}s"
