"""The port HelmReleases over the helm program."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import semver

from helmbroker.broker.domain.helm_errors import HelmError, HelmFault
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.broker.domain.ports import Deployment
from helmbroker.broker.helm.command import ExecCommand
from helmbroker.catalog.model import Object

MINIMUM = semver.Version(4, 2, 4)  # older ones do not repeat server-side apply conflicts
_LOG = logging.getLogger("helmbroker.helm")
_RENDER_S = 60.0
_HISTORY = 10
# of our own environment helm gets what it needs to run and to reach the cluster; no secret of ours is in it
_INHERITED = (
    "PATH",
    "LANG",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)


class HelmCli:
    """See broker.domain.ports.HelmReleases. `folder`: ours alone, for helm's caches and for rendering.

    Helm is looked for, and its version checked, when it is first needed: a broker without a usable helm keeps
    serving, and its operations fail with the reason.
    """

    def __init__(self, program: str, folder: Path, *, kubeconfig: str | None = None) -> None:
        self._program, self._folder = program, folder
        self._usable: Path | None = None
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        self._environment |= {
            "HOME": str(folder),
            "HELM_CACHE_HOME": str(folder / "cache"),
            "HELM_CONFIG_HOME": str(folder / "config"),
            "HELM_DATA_HOME": str(folder / "data"),
            "HELM_NO_PLUGINS": "1",
            "HELM_DRIVER": "secret",
        }
        # HOME is not the user's for helm, so the default place has to be named
        path = kubeconfig or os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
        if kubeconfig or "KUBERNETES_SERVICE_HOST" not in os.environ:
            self._environment["KUBECONFIG"] = path

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
        command = ExecCommand(Path(found), self._environment, limit_s=_RENDER_S)
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
        return self._run(["version", "--template", "{{ .Version }}"], limit_s=_RENDER_S).strip()

    def render(self, chart: Path, values: Object, ref: ReleaseRef, *, only: str | None = None) -> str:
        argv = ["template", ref.name, "--namespace", ref.namespace, "--skip-tests", "--values", "-"]
        if only is None:
            return self._run([*argv, str(chart)], values, limit_s=_RENDER_S)
        # the file lies beside templates/, so that Helm never installs it: render a copy that has it there
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            copy = Path(folder) / "chart"
            try:
                shutil.copytree(chart, copy)
                shutil.copyfile(chart / only, copy / "templates" / only)
            except OSError as error:
                raise HelmError(HelmFault.CHART, f"{only}: {error.strerror}") from error
            return self._run([*argv, "--show-only", f"templates/{only}", str(copy)], values, limit_s=_RENDER_S)

    def deploy(self, deployment: Deployment, stop: threading.Event) -> None:
        labels = ",".join(f"{key}={value}" for key, value in sorted(deployment.labels.items()))
        argv = ["upgrade", deployment.ref.name, str(deployment.chart), "--install", "--labels", labels]
        argv += ["--namespace", deployment.ref.namespace, "--values", "-", "--history-max", str(_HISTORY)]
        argv += ["--timeout", f"{int(deployment.timeout_s)}s", "--hide-notes"]
        self._run(argv, deployment.values, stop=stop, limit_s=deployment.timeout_s)

    def rollback(self, ref: ReleaseRef, *, timeout_s: float, stop: threading.Event) -> None:
        command = self._command(stop, timeout_s)
        asyncio.run(command.rollback(ref.name, None, namespace=ref.namespace, cleanup_on_fail=True))

    def uninstall(self, ref: ReleaseRef, *, hooks: bool, timeout_s: float, stop: threading.Event) -> None:
        argv = ["uninstall", ref.name, "--namespace", ref.namespace, "--ignore-not-found"]
        argv += ["--timeout", f"{int(timeout_s)}s", *([] if hooks else ["--no-hooks"])]
        self._run(argv, stop=stop, limit_s=timeout_s)

    def _run(
        self,
        argv: Sequence[str],
        values: Object | None = None,
        *,
        limit_s: float,
        stop: threading.Event | None = None,
    ) -> str:
        data = None if values is None else json.dumps(values).encode()
        return asyncio.run(self._command(stop, limit_s).run(argv, data)).decode()

    def _command(self, stop: threading.Event | None, limit_s: float) -> ExecCommand:
        return ExecCommand(self._executable(), self._environment, stop=stop, limit_s=limit_s)
