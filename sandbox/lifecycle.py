"""Bring the sandbox up: build what is missing, start it, wait until it is usable. Every step may be run again."""

import os
import shutil
import subprocess
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
from sandbox.images import Builder
from sandbox.node import addresses as at
from sandbox.runtime import Containerd
from sandbox.settings import Settings
from sandbox.state import State, Status

ADDONS = Path(__file__).parent / "addons.yaml"
USABLE_WITHIN_SECONDS = 120
GIGABYTE = 10**9
# Go's module and build caches take 5 GB, the binary and layers 1 GB.
BUILD_BYTES, START_BYTES = 8 * GIGABYTE, 2 * GIGABYTE


class Progress:
    """Says what took how long."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def say(self, text: str) -> None:
        """Something worth knowing."""
        if not self._quiet:
            print(text, flush=True)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Print a stage's duration at its end; nothing when it failed, because then an error follows."""
        begun = time.monotonic()
        yield
        self.say(f"{time.monotonic() - begun:7.2f} s  {name}")


def refuse_unless_possible(settings: Settings, *, building: bool) -> None:
    """RefusedError, in one sentence, when the machine or the caller lacks something that cannot be installed."""
    debian.refuse_if_not_debian()
    if os.geteuid() != 0:
        raise RefusedError("the sandbox needs root: it makes namespaces, mounts and control groups")
    for place, least in ((settings.cache, BUILD_BYTES if building else START_BYTES), (settings.data, START_BYTES)):
        there = next(parent for parent in (place, *place.parents) if parent.exists())
        free = shutil.disk_usage(there).free
        if free < least:
            raise RefusedError(f"{there} has {free / GIGABYTE:.1f} GB free; {least / GIGABYTE:.0f} GB are needed")


class Sandbox:
    """One data directory's sandbox."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self.settings = settings
        self.progress = progress
        self.cache = Cache(settings.cache)
        self.builder = Builder(self.cache, settings.checkout)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One command at a time on a data directory."""
        name = Path("/run/lock") / f"helmbroker-sandbox-{self.settings.identity}"
        with locked(name, lambda: self.progress.say(f"waiting for another command on {self.settings.data}")):
            yield

    def build(self) -> tuple[Path, list[oci.Image]]:
        """The binary's directory and all images; what is not in the cache is built, images beside the binary."""
        specs = images.table()
        is_built = self.cache.path("binary", binary.inputs()).is_dir()
        cached = [self.builder.cached(spec) for spec in specs]
        complete = is_built and all(cached)
        refuse_unless_possible(self.settings, building=not is_built)
        self._install([] if complete else [*debian.BUILD_PACKAGES])
        if not is_built:
            self.progress.say(
                "building the binary: about 8 minutes on 2 cores with cold caches of Go, 20 s with warm"
            )
        with ThreadPoolExecutor(2) as pool:
            binary_built = pool.submit(self._build_binary)
            images_built = pool.submit(self._build_images, specs)
            return binary_built.result(), images_built.result()

    def _install(self, build_packages: list[str]) -> None:
        missing = debian.missing_packages([*debian.RUN_PACKAGES, *build_packages])
        if missing:
            self.progress.say(f"installing Debian packages: {' '.join(missing)}")
            with self.progress.stage("Debian packages installed"):
                debian.install(missing, self.settings.cache / "logs" / "apt-get.log")

    def _build_binary(self) -> Path:
        if self.cache.path("binary", binary.inputs()).is_dir():
            return binary.ensure(self.cache)
        with self.progress.stage("binary built"):
            return binary.ensure(self.cache)

    def _build_images(self, specs: list[images.Spec]) -> list[oci.Image]:
        built = []
        for spec in specs:
            image = self.builder.cached(spec)
            if image is None:
                with self.progress.stage(f"image {spec.ref} built"):
                    image = self.builder.image(spec)
            built.append(image)
        return built

    def up(self) -> State:
        """Bring it up, or find that it is; either way it is usable at the end and has the present images."""
        with self.lock():
            current = state.read(self.settings.data)
            if current is not None and current.status is Status.DOWN:
                launch.stop(self.settings)  # it ended by itself: remove what it left
                current = None
            built, all_images = self.build()
            if current is None:
                current = self._start(built)
            elif built != current.binary:
                self.progress.say("the running binary is an older one; `down`, then `up`, brings the new one")
            if current.status is Status.UP:
                self._import(all_images)
                self.progress.say(f"already up since {age(current.started)} on port {current.port}")
                return current
            return self._make_usable(current, all_images)

    def _start(self, built: Path) -> State:
        with self.progress.stage("processes started"):
            return launch.start(self.settings, built)

    def _make_usable(self, current: State, all_images: list[oci.Image]) -> State:
        """Wait for everything; what was started is stopped again when that fails."""
        begun = time.monotonic()
        try:
            with ThreadPoolExecutor(1) as pool:
                imported = pool.submit(self._import, all_images)
                self._await_cluster(current)
                imported.result()
        except BaseException:
            launch.stop(self.settings)
            raise
        usable = replace(current, usable=True)
        state.write(self.settings.data, usable)
        self.progress.say(f"{time.monotonic() - begun:7.2f} s  from start to usable")
        return usable

    def _await_cluster(self, current: State) -> None:
        api = Api(current.port, self.settings.data / "pki")
        self._await(current, "API server ready", api.ready)
        with self.progress.stage("StorageClass and DNS Service applied"):
            self._apply(current)
        self._await(current, "node Ready", lambda: api.node_ready(at.NODE))
        self._await(current, "default ServiceAccount there", api.default_service_account)
        self._await(current, "names resolve", lambda: self._resolves(current))

    def _await(self, current: State, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + USABLE_WITHIN_SECONDS
        with self.progress.stage(what):
            while not condition():
                if current.status is Status.DOWN:
                    raise FailedError(
                        f"the sandbox ended while it started, see {self.settings.logs}/supervisor.log"
                    )
                if time.monotonic() > deadline:
                    raise FailedError(
                        f"not within {USABLE_WITHIN_SECONDS} s: {what}; the logs are in {self.settings.logs}"
                    )
                time.sleep(0.05)

    def _apply(self, current: State) -> None:
        kubectl = [str(current.binary / "bin" / "kubectl"), "--kubeconfig", str(self.settings.kubeconfig)]
        command = [*kubectl, "apply", "--server-side", "--force-conflicts", "-f", str(ADDONS)]
        applied = subprocess.run(command, capture_output=True, text=True, check=False)
        if applied.returncode:
            raise FailedError(f"applying {ADDONS} failed: {applied.stderr.strip()}")

    def _resolves(self, current: State) -> bool:
        """Asked from inside, by the Service's address: it needs CoreDNS, kube-proxy and the endpoint."""
        if current.node is None:
            return False
        inside = [
            "nsenter",
            f"--net=/proc/{current.node.pid}/ns/net",
            "python3",
            str(Path(__file__).parent / "dns.py"),
        ]
        name = "kubernetes.default.svc.cluster.local"
        return subprocess.run([*inside, at.DNS_IP, name], check=False).returncode == 0

    def _import(self, all_images: list[oci.Image]) -> None:
        """Bring in those that containerd does not have with the same digest, the pause image first."""
        containerd = Containerd(self.settings.containerd_socket)
        deadline = time.monotonic() + USABLE_WITHIN_SECONDS
        while True:
            try:
                there = containerd.images()
                break
            except FailedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        for image in all_images:
            if there.get(image.ref) != image.digest:
                with self.progress.stage(f"image {image.ref} imported ({image.size / 10**6:.0f} MB)"):
                    containerd.add(image)

    def down(self, *, wipe: bool) -> bool:
        """Stop it; whether it had been running."""
        with self.lock():
            ran = launch.stop(self.settings)
            if wipe:
                launch.wipe(self.settings)
            return ran


def age(since: float) -> str:
    """`2h 5m` and the like, of a moment in seconds since the epoch."""
    seconds = max(0, int(time.time() - since))
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {seconds % 60}s"
