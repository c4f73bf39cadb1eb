"""The one Go binary with every program of the node, and the pause program."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from sandbox.cache import Cache, digest, tree
from sandbox.errors import FailedError, RefusedError

SOURCE = Path(__file__).parent / "hk"
# What is offered to the user's PATH; everything else is called through the binary itself.
COMMANDS = ("helm", "kubectl")
SHOWN = {
    "kubernetes": "k8s.io/kubernetes",
    "helm": "helm.sh/helm/v4",
    "etcd": "go.etcd.io/etcd/server/v3",
    "coredns": "github.com/coredns/coredns",
}
LEAST_GO = (1, 21)  # from then on a Go fetches the newer Go that go.mod asks for


def go_command() -> str:
    """The path of a usable `go`; RefusedError when there is none."""
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if not found:
        raise RefusedError(
            "Go is needed to build the sandbox (1.26, or 1.21 and newer, which fetches it): install it"
        )
    answer = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False)
    version = re.match(r"go(\d+)\.(\d+)", answer.stdout)
    if not version or (int(version[1]), int(version[2])) < LEAST_GO:
        raise RefusedError(f"Go 1.21 or newer is needed to build the sandbox; {found} is {answer.stdout.strip()!r}")
    return found


def required_versions(go_mod: str) -> dict[str, str]:
    """Version by module path, from the text of a go.mod."""
    return dict(re.findall(r"^\t(\S+) (v\S+)(?: // indirect)?$", go_mod, flags=re.MULTILINE))


def versions() -> dict[str, str]:
    """What is in the binary: name to version."""
    required = required_versions((SOURCE / "go.mod").read_text())
    return {name: required[module] for name, module in SHOWN.items()}


def link_flags(kubernetes: str, helm: str) -> str:
    """Version stamps: without them Kubernetes reports v0.0.0 and helm `v4.2`, which breaks parsers of versions."""
    major, minor, _ = kubernetes.removeprefix("v").split(".", 2)
    values = {
        "helm.sh/helm/v4/internal/version.version": helm,
        "helm.sh/helm/v4/internal/version.gitTreeState": "clean",
    }
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        values |= {
            f"{package}.gitVersion": kubernetes,
            f"{package}.gitMajor": major,
            f"{package}.gitMinor": minor,
            f"{package}.gitTreeState": "clean",
            f"{package}.gitCommit": "0" * 40,
            f"{package}.buildDate": "1970-01-01T00:00:00Z",
        }
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in values.items())])


def inputs() -> str:
    """Hash of all that determines the binary but the compiler, which go.mod bounds from below."""
    found = versions()
    return digest({**tree(SOURCE), "link flags": link_flags(found["kubernetes"], found["helm"])})


def _compile(package: str, flags: str, target: Path, log: Path) -> None:
    """Build one package, static and without paths of this machine in it. The module's sources are not touched."""
    command = [go_command(), "build", "-mod=readonly", "-trimpath", "-ldflags", flags, "-o", str(target), package]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
        built = subprocess.run(command, cwd=SOURCE, env=environment, stdout=output, stderr=output, check=False)
    if built.returncode:
        tail = "\n".join(log.read_text().splitlines()[-8:])
        raise FailedError(f"go build failed, its last words (all of it: {log}):\n{tail}")


def ensure(cache: Cache) -> Path:
    """The directory with `hk`, `bin/helm`, `bin/kubectl` and `versions.json`; built when not there."""
    found = versions()

    def build(directory: Path) -> None:
        flags = link_flags(found["kubernetes"], found["helm"])
        _compile(".", flags, directory / "hk", cache.root / "logs" / "go-build.log")
        (directory / "bin").mkdir()
        for name in COMMANDS:
            (directory / "bin" / name).symlink_to("../hk")
        (directory / "versions.json").write_text(json.dumps(found, indent=1))

    return cache.ensure("binary", inputs(), build)


def build_program(cache: Cache, package: str) -> bytes:
    """A small static program of the module, to go into an image."""
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "program"
        _compile(f"./{package}", "-s -w", target, cache.root / "logs" / f"go-build-{package}.log")
        return target.read_bytes()


def module_flags(package: str) -> str:
    """Link flags of a program of a module that ours requires: its version, where helm keeps it."""
    required = required_versions((SOURCE / "go.mod").read_text())
    module = max((each for each in required if package.startswith(f"{each}/")), key=len)
    return f"-s -w -X {module}/internal/version.version={required[module]}"


def module_inputs(package: str) -> dict[str, bytes | str]:
    """All that determines a program of a module that ours requires."""
    pinned = {name: (SOURCE / name).read_bytes() for name in ("go.mod", "go.sum")}
    return {**pinned, "link flags": module_flags(package)}


def build_module(cache: Cache, package: str) -> tuple[bytes, bytes]:
    """A static program of a module that ours requires, and what `go version -m` tells of it."""
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / Path(package).name
        _compile(package, module_flags(package), target, cache.root / "logs" / f"go-build-{target.name}.log")
        command = [go_command(), "version", "-m", target.name]
        modules = subprocess.run(command, cwd=directory, check=True, capture_output=True).stdout
        return target.read_bytes(), modules
