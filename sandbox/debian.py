"""Debian: packages that the sandbox needs on the machine, and the machine's own package sources for images."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from sandbox.errors import FailedError, RefusedError

RUN_PACKAGES = ("containerd", "runc", "containernetworking-plugins", "iptables", "nftables", "iproute2")
BUILD_PACKAGES = ("mmdebstrap", "python3-venv")
PYTHON = "/usr/bin/python3"  # of the release that images are made of, so what it compiles is right for them
SOURCE_FILES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d")
PROXY_SETTINGS = ("Acquire::http::Proxy", "Acquire::https::Proxy")


def missing_packages(wanted: Iterable[str]) -> list[str]:
    """Those of the packages that are not installed."""
    asked = list(wanted)
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *asked]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    installed = {line.split()[0] for line in answer.stdout.splitlines() if line.endswith(" installed")}
    return [package for package in asked if package not in installed]


def install(packages: list[str], log: Path) -> None:
    """apt-get update and install; RefusedError, with apt's words, when that cannot be done."""
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", "--no-install-recommends"]
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    with log.open("w") as output:
        for step in (["update"], ["install", *packages]):
            command = subprocess.run([*apt, *step], stdout=output, stderr=output, check=False, env=environment)
            if command.returncode and step[0] == "install":
                raise RefusedError(f"cannot install {' '.join(packages)}: {_complaint(log)} (all of it: {log})")


def _complaint(log: Path) -> str:
    lines = [line for line in log.read_text().splitlines() if line.startswith(("E:", "Err:"))]
    return lines[-1] if lines else "apt-get failed"


def suites(codename: str) -> set[str]:
    """The suites of one Debian release that a machine may have."""
    return {codename, f"{codename}-updates", f"{codename}-security"}


def select_sources(text: str, codename: str) -> str:
    """The entries for a Debian release in one file of package sources, in either of apt's formats; "" when none.

    Other entries (another vendor's packages) are left out.
    """
    wanted = suites(codename)
    if not any(line.startswith("Types:") for line in text.splitlines()):
        return "".join(f"{line}\n" for line in text.splitlines() if _one_line_suite(line) in wanted)
    stanzas = [stanza for stanza in text.split("\n\n") if _stanza_suites(stanza) & wanted]
    return "".join(f"{stanza.strip()}\n\n" for stanza in stanzas)


def _one_line_suite(line: str) -> str:
    """`bookworm` of `deb [signed-by=KEY arch=amd64] ADDRESS bookworm main`."""
    words = line.split()
    if not words or words[0] != "deb":
        return ""
    if words[1].startswith("["):
        while not words[1].endswith("]"):
            del words[1]
        del words[1]
    return words[2] if len(words) > 2 else ""


def _stanza_suites(stanza: str) -> set[str]:
    fields = (line.partition(":") for line in stanza.splitlines() if not line.startswith("#"))
    values = {name.strip().lower(): value.split() for name, _, value in fields}
    if values.get("enabled") == ["no"] or "deb" not in values.get("types", []):
        return set()
    return set(values.get("suites", []))


def write_sources(codename: str, directory: Path) -> list[Path]:
    """Copy the machine's entries for a release into files in a directory; RefusedError when it has none."""
    written: list[Path] = []
    for place in map(Path, SOURCE_FILES):
        for file in sorted(place.iterdir()) if place.is_dir() else [place]:
            if file.suffix not in (".list", ".sources") or not file.is_file():
                continue
            selected = select_sources(file.read_text(), codename)
            if selected:
                target = directory / f"{len(written)}{file.suffix}"
                target.write_text(selected)
                written.append(target)
    if not written:
        raise RefusedError(f"images are made of Debian {codename}, which this machine's apt sources do not have")
    return written


def proxy_options() -> list[str]:
    """The machine's apt proxy as options of mmdebstrap, whose own apt does not read /etc/apt."""
    shown = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False)
    if shown.returncode:
        raise FailedError(f"apt-config dump failed: {shown.stderr.strip()}")
    return [f"--aptopt={line}" for line in shown.stdout.splitlines() if line.split(" ")[0] in PROXY_SETTINGS]
