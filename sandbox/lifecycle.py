"""Bring the sandbox up: build what is missing, start it, wait until it is usable. Every step may be run again."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sandbox import binary, debian, images, launch, oci, state
from sandbox.api import Api
from sandbox.cache import Cache, locked
from sandbox.errors import FailedError, RefusedError
from sandbox.layers import Builder
from sandbox.node import addresses as at
from sandbox.preflight import refuse_unless_possible, refuse_unless_root
from sandbox.progress import Progress
from sandbox.runtime import Containerd
from sandbox.settings import Settings
from sandbox.state import State, Status

ADDONS = Path(__file__).parent / "addons.yaml"
USABLE_WITHIN_SECONDS = 120
POLL_SECONDS = 0.05


class Sandbox:
    """One data directory's sandbox."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self.settings = settings
        self.progress = progress
        self.cache = Cache(settings.cache, progress.say)
        self.builder = Builder(self.cache, settings.checkout)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One command at a time on a data directory."""
        refuse_unless_root()
        name = Path("/run/lock") / f"helmbroker-sandbox-{self.settings.identity}"
        with locked(name, lambda: self.progress.say(f"waiting for another command on {self.settings.data}")):
            yield

    def up(self) -> State:
        """Bring it up, or find that it is; either way it is usable at the end and has the present images."""
        with self.lock():
            current = state.read(self.settings.data)
            if current is not None and current.status is Status.DOWN:
                launch.stop(self.settings)  # it ended by itself: remove what it left
                current = None
            if current is not None and current.status is Status.UP:
                return self._refresh(current)
            if current is None:
                launch.listen(self.settings.port).close()  # it would be a pity to find it taken after a long build
            built, all_images = self.build()
            if current is None:
                with self.progress.stage("processes started"):
                    current = launch.start(self.settings, built)
            return self._make_usable(current, all_images)

    def down(self, *, wipe: bool) -> bool:
        """Stop it; whether it had been running."""
        with self.lock():
            ran = launch.stop(self.settings)
            if wipe:
                launch.wipe(self.settings)
            return ran

    def build(self) -> tuple[Path, list[oci.Image]]:
        """The binary's directory and all images; what is not in the cache is built, images beside the binary."""
        is_built = self.cache.path("binary", binary.inputs()).is_dir()
        refuse_unless_possible(self.settings, building=not is_built)
        if not is_built:
            binary.go_command()
            self.progress.say(
                "building the binary: 8 minutes on 2 cores with empty caches of Go, 30 s with full ones"
            )
        self._install()
        with ThreadPoolExecutor(2) as pool:
            binary_built = pool.submit(self._build_binary, is_built)
            images_built = pool.submit(self._build_images)
            return binary_built.result(), images_built.result()

    def write_image(self, name: str, file: Path) -> None:
        """One image as an OCI archive, written whole or not at all. RefusedError: there is none of that name."""
        spec = next((each for each in images.table() if each.name == name), None)
        if spec is None:
            known = ", ".join(each.name for each in images.table())
            raise RefusedError(f"there is no image {name!r}; there are {known}")
        refuse_unless_root()
        self._install()
        image = self._built(spec)
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(".new")
        with beside.open("wb") as output:
            oci.write_archive(image, output)
        beside.replace(file)
        self.progress.say(f"wrote {file}: {image.ref}, {image.size / 10**6:.0f} MB, {image.digest}")

    def _install(self) -> None:
        complete = all(self.builder.cached(spec) for spec in images.table())
        wanted = debian.RUN_PACKAGES + (() if complete else debian.BUILD_PACKAGES)
        missing = debian.missing_packages(wanted)
        if missing:
            self.progress.say(f"installing Debian packages: {' '.join(missing)}")
            with self.progress.stage("Debian packages installed"):
                debian.install(missing, self.settings.cache / "logs" / "apt-get.log")

    def _build_binary(self, is_built: bool) -> Path:
        if is_built:
            return binary.ensure(self.cache)
        with self.progress.stage("binary built"):
            return binary.ensure(self.cache)

    def _build_images(self) -> list[oci.Image]:
        return [self._built(spec) for spec in images.table()]

    def _built(self, spec: images.Spec) -> oci.Image:
        image = self.builder.cached(spec)
        if image is None:
            with self.progress.stage(f"image {spec.ref} built"):
                image = self.builder.image(spec)
        return image

    def _refresh(self, current: State) -> State:
        """It is up: bring in images that changed. A changed binary would need a stop, so it is only told."""
        self._install()
        self._import(current, self._build_images())
        if self.cache.path("binary", binary.inputs()) != current.binary:
            self.progress.say("the running binary is not of this checkout: `down`, then `up`, brings this one's")
        self.progress.say(f"already up, for {age(current.started)}, on port {current.port}")
        return current

    def _make_usable(self, current: State, all_images: list[oci.Image]) -> State:
        """Wait for everything; what was started is stopped again when that fails."""
        begun = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            imported = pool.submit(self._import, current, all_images)
            try:
                self._await_cluster(current)
                imported.result()
            except BaseException:
                launch.stop(self.settings)  # which ends the import too
                raise
        usable = replace(current, usable=True)
        state.write(self.settings.data, usable)
        self.progress.say(f"{time.monotonic() - begun:7.2f} s  from start to usable")
        return usable

    def _await_cluster(self, current: State) -> None:
        api = Api(current.port, self.settings.pki)
        self._await(current, "API server ready", api.ready)
        with self.progress.stage("StorageClass and DNS Service applied"):
            self._apply(current)
        self._await(current, "node Ready", lambda: api.node_ready(at.NODE))
        self._await(current, "default ServiceAccount there", api.default_service_account)
        self._await(current, "names resolve", lambda: self._resolves(current))

    def _await(self, current: State, what: str, condition: Callable[[], bool]) -> None:
        with self.progress.stage(what):
            self._poll(current, what, condition)

    def _poll(self, current: State, what: str, condition: Callable[[], bool]) -> None:
        """Until the condition holds; FailedError when the time is up or the sandbox has ended."""
        deadline = time.monotonic() + USABLE_WITHIN_SECONDS
        while not condition():
            if current.status is Status.DOWN:
                raise FailedError(f"the sandbox ended while it started, see {self.settings.logs}/supervisor.log")
            if time.monotonic() > deadline:
                raise FailedError(f"not within {USABLE_WITHIN_SECONDS} s: {what}; logs are in {self.settings.logs}")
            time.sleep(POLL_SECONDS)

    def _apply(self, current: State) -> None:
        kubectl = [str(current.binary / "bin" / "kubectl"), "--kubeconfig", str(self.settings.kubeconfig)]
        command = [*kubectl, "apply", "--server-side", "--force-conflicts", "-f", str(ADDONS)]
        environment = {"KUBECACHEDIR": str(self.settings.data / "kubectl-cache")}
        applied = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if applied.returncode:
            raise FailedError(f"applying {ADDONS} failed: {applied.stderr.strip()}")

    def _resolves(self, current: State) -> bool:
        """Asked from inside, by the Service's address: it takes CoreDNS, kube-proxy and the endpoint."""
        inside = ["nsenter", f"--net=/proc/{current.node.pid}/ns/net", sys.executable]
        asked = [*inside, str(Path(__file__).parent / "dns.py"), at.DNS_IP, "kubernetes.default.svc.cluster.local"]
        return subprocess.run(asked, check=False).returncode == 0

    def _import(self, current: State, all_images: list[oci.Image]) -> None:
        """Bring in those that containerd does not have with the same digest, the pause image first."""
        containerd = Containerd(self.settings.containerd_socket)
        self._poll(current, "containerd ready", containerd.ready)
        there = containerd.images()
        for image in all_images:
            if there.get(image.ref) != image.digest:
                with self.progress.stage(f"image {image.ref} imported ({image.size / 10**6:.0f} MB)"):
                    containerd.add(image)


def age(since: float) -> str:
    """`2h 5m` and the like, of a moment in seconds since the epoch."""
    seconds = max(0, int(time.time() - since))
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {seconds % 60}s"
