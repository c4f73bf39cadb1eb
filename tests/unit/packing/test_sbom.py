"""The list of what an image has, made from what installed it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from packing import sbom

STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u13
Description: GNU C Library
 Shared libraries.

Package: python3
Architecture: amd64
Version: 3.11.2-1+b1
"""
METADATA = "Metadata-Version: 2.4\nName: Flask_Thing\nVersion: 3.1\n\nName: not this one\n"
MODULES = (
    "helm: go1.26.0\n\tpath\texample.org/cmd/helm\n\tdep\tk8s.io/api\tv0.36.3\th1:a=\n\tbuild\tCGO_ENABLED=0\n"
)
FILES = {
    "var/lib/dpkg/status": STATUS,
    "opt/helmbroker/flask_thing-3.1.dist-info/METADATA": METADATA,
    "usr/local/share/helm/go-modules": MODULES,
}
PURLS = [
    "pkg:deb/debian/libc6@2.36-9%2Bdeb12u13?arch=amd64",
    "pkg:deb/debian/python3@3.11.2-1%2Bb1?arch=amd64",
    "pkg:golang/k8s.io/api@v0.36.3",
    "pkg:pypi/flask-thing@3.1",
]


def test_all_three_kinds_are_told() -> None:
    made = sbom.bom(FILES.items())

    assert all(sbom.told(name) for name in FILES)
    assert not sbom.told("opt/helmbroker/flask/METADATA")
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    assert [each["purl"] for each in made["components"]] == PURLS
    assert {each["type"] for each in made["components"]} == {"library"}


def test_the_order_of_files_makes_no_difference() -> None:
    assert sbom.text(FILES.items()) == sbom.text(reversed(FILES.items()))


@pytest.mark.processes
def test_a_folder_is_read_as_layers_are(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(content)
    target = tmp_path / "out" / "sbom.json"
    subprocess.run([sys.executable, "-m", "packing.sbom", str(tmp_path), str(target)], check=True)

    assert target.read_text() == sbom.text(FILES.items())
    assert [each["purl"] for each in json.loads(target.read_text())["components"]] == PURLS
