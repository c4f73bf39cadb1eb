"""How each kind of layer of an image is made, and images of layers."""

import json
import platform
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from packing import sbom
from sandbox import binary, debian, oci
from sandbox.cache import Cache, digest, tree
from sandbox.errors import FailedError
from sandbox.images import CheckoutLayer, DebianLayer, Layer, MadeLayer, ModuleLayer, ProgramLayer, Spec, User

RECIPE = "1"  # raise it when the way of making a Debian layer changes, so that layers are made anew
# Read by people and package managers only; a container has neither.
NEVER_UNPACKED = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
    "/usr/share/bash-completion/*",
    "/usr/share/bug/*",
)
# Only package management needs these, and in an image there is none; it is half of a small image.
REMOVED_AT_LAST = (
    "/etc/apt/apt.conf.d/99mmdebstrap",
    "/etc/apt/sources.list*",
    "/usr/bin/perl*",
    "/usr/lib/*/gconv",
    "/usr/lib/*/libperl.so*",
    "/usr/lib/*/perl*",
    "/usr/share/perl*",
    "/var/cache/debconf/*",
    "/var/cache/ldconfig",
    "/var/lib/dpkg/info",
)
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """This machine's, in the words of OCI and Debian."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


class Builder:
    """Makes layers, each once."""

    def __init__(self, cache: Cache, checkout: Path) -> None:
        self.cache = cache
        self.checkout = checkout

    def image(self, spec: Spec) -> oci.Image:
        """The image, after making those of its layers that are not in the cache."""
        layers = [layer for row in spec.layers if (layer := self._layer(spec, row))]
        if spec.sbom is not None:
            layers.append(self._sbom(spec, spec.sbom, layers))
        return oci.assemble(spec.ref, layers, spec.config, architecture())

    def cached(self, spec: Spec) -> oci.Image | None:
        """The image when all its layers are in the cache."""
        for row in spec.layers:
            what, inputs = self._key(spec, row)
            if inputs and not self.cache.path(what, inputs).is_dir():
                return None
        return self.image(spec)

    def _key(self, spec: Spec, row: Layer) -> tuple[str, str]:
        """Name and hash of a layer in the cache; the hash is "" for a layer without content."""
        match row:
            case DebianLayer():
                given = {"layer": repr(row), "excluded": repr((NEVER_UNPACKED, REMOVED_AT_LAST))}
                return f"debian-{spec.name}", digest({**given, "recipe": RECIPE, "on": architecture()})
            case CheckoutLayer():
                files = tree(self.checkout / row.checkout)
                return f"files-{spec.name}", digest({**files, "to": row.to}) if files else ""
            case ProgramLayer():
                source = tree(binary.SOURCE / row.program)
                return f"program-{row.program}", digest({**source, "to": row.to, "on": architecture()})
            case ModuleLayer():
                given = {"module": row.module, "to": row.to, "on": architecture()}
                return f"module-{Path(row.module).name}", digest({**given, **binary.module_inputs(row.module)})
            case MadeLayer():
                of = {
                    f"{each}/{name}": content
                    for each in row.of
                    for name, content in tree(self.checkout / each).items()
                }
                return f"made-{spec.name}-{row.made}", digest({**of, "on": architecture()})

    def _layer(self, spec: Spec, row: Layer) -> oci.Layer | None:
        what, inputs = self._key(spec, row)
        return self._cached(what, inputs, lambda tar: self._build(spec, row, tar)) if inputs else None

    def _cached(self, what: str, inputs: str, build: Callable[[Path], None]) -> oci.Layer:
        """A layer of the cache; build: writes its tar."""

        def build_and_measure(directory: Path) -> None:
            build(directory / "layer.tar")
            measured = oci.measure(directory / "layer.tar")
            (directory / "layer.json").write_text(json.dumps({"digest": measured.digest, "size": measured.size}))

        directory = self.cache.ensure(what, inputs, build_and_measure)
        measured = json.loads((directory / "layer.json").read_text())
        return oci.Layer(directory / "layer.tar", measured["digest"], measured["size"])

    def _build(self, spec: Spec, row: Layer, tar: Path) -> None:
        match row:
            case DebianLayer():
                self._debian(spec, row, tar, tar.parent)
            case CheckoutLayer():
                files = tree(self.checkout / row.checkout)
                _write({f"{row.to.rstrip('/')}/{name}": content for name, content in files.items()}, tar)
            case ProgramLayer():
                _write({f"{row.to}*": binary.build_program(self.cache, row.program)}, tar)
            case ModuleLayer():
                program, modules = binary.build_module(self.cache, row.module)
                beside = f"/usr/local/share/{Path(row.to).name}/{sbom.MODULES}"
                _write({f"{row.to}*": program, beside: modules}, tar)
            case MadeLayer():
                self._made(spec, row, tar)

    def _made(self, spec: Spec, row: MadeLayer, tar: Path) -> None:
        root = tar.parent / "root"
        self._run(spec, f"made-{spec.name}", [debian.PYTHON, "-m", "packing.image", row.made, str(root)])
        _write({f"/{name}": content for name, content in tree(root, compiled=True).items()}, tar)
        shutil.rmtree(root)

    def _sbom(self, spec: Spec, place: str, layers: Sequence[oci.Layer]) -> oci.Layer:
        """What the layers tell of what was installed, as a layer."""
        made_by = Path(sbom.__file__).read_bytes()
        inputs = digest({"layers": repr([layer.digest for layer in layers]), "to": place, "by": made_by})
        return self._cached(
            f"sbom-{spec.name}", inputs, lambda tar: _write({place: sbom.text(_telling(layers)).encode()}, tar)
        )

    def _run(
        self, spec: Spec, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> None:
        log = self.cache.root / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as output:
            made = subprocess.run(
                command, cwd=self.checkout, env=environment, stdout=output, stderr=output, check=False
            )
        if made.returncode:
            tail = "\n".join(log.read_text().splitlines()[-8:])
            raise FailedError(f"making {spec.ref} failed, the last words (all of it: {log}):\n{tail}")

    def _debian(self, spec: Spec, row: DebianLayer, tar: Path, directory: Path) -> None:
        sources = directory / "sources"
        sources.mkdir()
        command = mmdebstrap(row, tar, debian.write_sources(row.debian, sources), debian.proxy_options())
        # The epoch as the time of all files: the same packages give the same layer.
        environment = {"SOURCE_DATE_EPOCH": "0", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        self._run(spec, f"mmdebstrap-{spec.name}", command, environment=environment)
        shutil.rmtree(sources)


def mmdebstrap(row: DebianLayer, tar: Path, sources: list[Path], proxies: list[str]) -> list[str]:
    """The command that makes a Debian layer: no container engine, no network but the machine's package sources."""
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=essential",
        "--skip=output/dev",
        f"--include={','.join(row.packages)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in NEVER_UNPACKED),
        *proxies,
        *(f"--essential-hook={_account(user)}" for user in row.users),
        f"--customize-hook={_removal((*row.remove, *REMOVED_AT_LAST))}",
        row.debian,
        str(tar),
        *map(str, sources),
    ]


def _account(user: User) -> str:
    """A line of shell ($1 is the root file system): make the account before packages make it with other numbers."""
    passwd = f"{user.name}:x:{user.uid}:{user.gid}::{user.home}:/usr/sbin/nologin"
    group = f"{user.name}:x:{user.gid}:"
    rows = {"passwd": passwd, "group": group, "shadow": f"{user.name}:!:1::::::"}
    return "; ".join(f'echo {shlex.quote(row)} >> "$1"/etc/{file}' for file, row in rows.items())


def _removal(patterns: tuple[str, ...]) -> str:
    """A line of shell: delete what the patterns match. They are of the table, and hold no blanks."""
    return "rm -rf " + " ".join(f'"$1"{pattern}' for pattern in patterns)


def _write(files: Mapping[str, bytes], tar: Path) -> None:
    """Write a layer; files as `tree` gives them, with absolute paths."""
    plain = {name.removesuffix("*"): content for name, content in files.items()}
    oci.write_files(plain, [name.removesuffix("*") for name in files if name.endswith("*")], tar)


def _telling(layers: Sequence[oci.Layer]) -> Iterator[tuple[str, str]]:
    """The files of the layers that tell what is installed."""
    for layer in layers:
        with tarfile.open(layer.tar) as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if member.isfile() and sbom.told(name) and (file := archive.extractfile(member)):
                    yield name, file.read().decode(errors="replace")
