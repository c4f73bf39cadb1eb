"""How images are described, made and packed; nothing of it needs root."""

import io
import json
import re
import tarfile
from pathlib import Path

import pytest

from sandbox import binary, debian, images, layers, oci
from sandbox.cache import Cache
from sandbox.errors import RefusedError
from sandbox.images import CheckoutLayer, DebianLayer, MadeLayer, Spec
from sandbox.layers import Builder


class TestImages:
    def test_the_table(self) -> None:
        specs = {spec.ref: spec for spec in images.table()}
        assert next(iter(specs)) == "sandbox.local/pause:1"
        assert set(specs) == {
            "sandbox.local/pause:1",
            "sandbox.local/exporters:1",
            "sandbox.local/mariadb:10.11",
            "sandbox.local/memcached:1.6",
            "sandbox.local/postgresql:15",
            "sandbox.local/rabbitmq:3.10",
            "sandbox.local/redis:7",
            "sandbox.local/demo-app:1",
            "sandbox.local/helmbroker:0.1.0",
        }
        postgresql = specs["sandbox.local/postgresql:15"]
        assert [(user.name, user.uid, user.gid) for user in postgresql.users] == [("postgres", 999, 999)]
        assert any(row.startswith("PATH=/usr/lib/postgresql/15/bin:") for row in postgresql.config["Env"])
        assert specs["sandbox.local/demo-app:1"].config["Cmd"] == ["python3", "/app/app.py"]

    @pytest.mark.parametrize("spec", images.table(), ids=lambda spec: spec.name)
    def test_every_image_runs_as_a_numbered_user_that_is_not_root(self, spec: Spec) -> None:
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", spec.config["User"])

    def test_what_a_shell_gets_to_see_needs_no_quoting(self) -> None:
        found = [layer for spec in images.table() for layer in spec.layers if isinstance(layer, DebianLayer)]
        patterns = [pattern for layer in found for pattern in layer.remove] + list(layers.REMOVED_AT_LAST)
        assert found
        assert all(re.fullmatch(r"/[\w./*+-]+", pattern) for pattern in patterns)

    def test_a_misspelt_field_is_refused(self) -> None:
        with pytest.raises(TypeError, match="colour"):
            images.parse_layer({"checkout": "demo/app", "to": "/app", "colour": "red"})

    def test_the_command_takes_only_the_given_sources(self) -> None:
        user = images.User("app", 10001, 10001, "/app")
        row = DebianLayer("bookworm", ("python3", "bash"), (user,), ("/etc/x",))
        command = layers.mmdebstrap(row, Path("/t/layer.tar"), [Path("/t/0.sources")], ["--aptopt=proxy"])
        assert command[-3:] == ["bookworm", "/t/layer.tar", "/t/0.sources"]
        assert "--include=python3,bash" in command
        assert "--aptopt=proxy" in command
        assert any("app:x:10001:10001::/app:" in option for option in command)
        assert not any("://" in option for option in command)

    def test_only_the_layer_of_the_files_changes_with_the_files(self, tmp_path: Path) -> None:
        (tmp_path / "base").mkdir()
        (tmp_path / "base" / "os").write_text("debian")
        (tmp_path / "app").mkdir()
        (tmp_path / "app" / "app.py").write_text("print(1)")
        spec = Spec("x/y:1", (CheckoutLayer("base", "/"), CheckoutLayer("app", "/app")), {"User": "1:1"})
        builder = Builder(Cache(tmp_path / "cache", print), tmp_path)
        first = builder.image(spec)
        (tmp_path / "app" / "app.py").write_text("print(2)")
        assert builder.cached(spec) is None
        second = builder.image(spec)
        assert first.digest != second.digest
        assert first.layers[0] == second.layers[0]
        assert first.layers[1].digest != second.layers[1].digest
        assert builder.cached(spec) == second

    def test_files_that_do_not_exist_make_no_layer(self, tmp_path: Path) -> None:
        spec = Spec("x/y:1", (CheckoutLayer("absent", "/app"),), {})
        assert Builder(Cache(tmp_path, print), tmp_path).image(spec).layers == ()

    def test_what_is_in_it_is_listed_in_a_layer_of_its_own(self, tmp_path: Path) -> None:
        told = tmp_path / "base" / "thing-1.dist-info"
        told.mkdir(parents=True)
        (told / "METADATA").write_text("Name: thing\nVersion: 1\n")
        spec = Spec("x/y:1", (CheckoutLayer("base", "/opt"),), {"User": "1:1"}, "/sbom.json")
        made = Builder(Cache(tmp_path / "cache", print), tmp_path).image(spec)

        assert len(made.layers) == 2
        with tarfile.open(made.layers[1].tar) as archive:
            file = archive.extractfile("sbom.json")
            assert file
            assert [each["purl"] for each in json.load(file)["components"]] == ["pkg:pypi/thing@1"]

    def test_what_packing_makes_changes_with_its_sources(self, tmp_path: Path) -> None:
        (tmp_path / "packing").mkdir()
        (tmp_path / "packing" / "image.py").write_text(
            "import pathlib, sys\nroot = pathlib.Path(sys.argv[2])\nroot.mkdir()\n"
            "(root / sys.argv[1]).write_text(pathlib.Path('source').read_text())\n"
        )
        (tmp_path / "source").write_text("one")
        spec = Spec("x/y:1", (MadeLayer("program", ("source",)),), {"User": "1:1"})
        builder = Builder(Cache(tmp_path / "cache", print), tmp_path)
        first = builder.image(spec)
        (tmp_path / "source").write_text("two")

        assert builder.cached(spec) is None
        assert builder.image(spec).digest != first.digest
        with tarfile.open(first.layers[0].tar) as archive:
            assert archive.getnames() == ["program"]

    def test_a_program_of_a_module_has_the_modules_version(self) -> None:
        flags = binary.module_flags("helm.sh/helm/v4/cmd/helm")

        assert flags == f"-s -w -X helm.sh/helm/v4/internal/version.version={binary.versions()['helm']}"


class TestArchive:
    @pytest.fixture
    def image(self, tmp_path: Path) -> oci.Image:
        tar = tmp_path / "layer.tar"
        oci.write_files({"/app/bin/run": b"#!", "/app/data": b"1"}, ["/app/bin/run"], tar)
        return oci.assemble("sandbox.local/x:1", [oci.measure(tar)], {"User": "1:1"}, "amd64")

    def test_layer_files_are_readable_by_all_and_runnable_where_asked(self, image: oci.Image) -> None:
        with tarfile.open(image.layers[0].tar) as archive:
            found = {member.name: (member.mode, member.uid, member.isdir()) for member in archive}
        assert found == {
            "app": (0o755, 0, True),
            "app/bin": (0o755, 0, True),
            "app/bin/run": (0o755, 0, False),
            "app/data": (0o644, 0, False),
        }

    def test_everything_in_it_is_named_by_its_digest(self, image: oci.Image) -> None:
        stream = io.BytesIO()
        oci.write_archive(image, stream)
        stream.seek(0)
        with tarfile.open(fileobj=stream) as archive:
            content = {member.name: archive.extractfile(member) for member in archive}
            blobs = {name: file.read() for name, file in content.items() if file}
        entry = json.loads(blobs["index.json"])["manifests"][0]
        assert entry["annotations"]["io.containerd.image.name"] == "sandbox.local/x:1"
        manifest = json.loads(blobs[f"blobs/{entry['digest'].replace(':', '/')}"])
        settings = json.loads(blobs[f"blobs/{manifest['config']['digest'].replace(':', '/')}"])
        assert settings["config"] == {"User": "1:1"}
        assert settings["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
        layer = blobs[f"blobs/{manifest['layers'][0]['digest'].replace(':', '/')}"]
        assert len(layer) == manifest["layers"][0]["size"] == image.size

    def test_the_same_files_give_the_same_digest(self, tmp_path: Path) -> None:
        digests = set()
        for name in ("one", "two"):
            oci.write_files({"/a": b"1"}, [], tmp_path / name)
            digests.add(oci.measure(tmp_path / name).digest)
        assert len(digests) == 1


class TestDebian:
    STANZAS = """\
# comment
Types: deb deb-src
URIs: http://mirror.invalid/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/x.gpg

Types: deb
URIs: http://vendor.invalid/
Suites: nodistro

Types: deb
Enabled: no
URIs: http://mirror.invalid/old
Suites: bookworm
"""

    def test_stanzas(self) -> None:
        selected = debian.select_sources(self.STANZAS, "bookworm")
        assert "mirror.invalid/debian" in selected
        assert "Signed-By" in selected
        assert "vendor" not in selected
        assert "old" not in selected

    def test_lines(self) -> None:
        wanted = "deb [signed-by=/a arch=amd64] http://mirror.invalid/debian bookworm-security main"
        others = [
            "# deb http://x.invalid bookworm main",
            "deb-src http://x.invalid bookworm main",
            "deb http://x.invalid trixie main",
        ]
        assert debian.select_sources("\n".join([wanted, *others]), "bookworm") == wanted + "\n"

    def test_a_release_that_the_machine_does_not_have(self, tmp_path: Path) -> None:
        with pytest.raises(RefusedError, match="images are made of Debian potato"):
            debian.write_sources("potato", tmp_path)

    def test_missing_packages(self) -> None:
        assert debian.missing_packages(["dpkg", "no-such-package-anywhere"]) == ["no-such-package-anywhere"]
