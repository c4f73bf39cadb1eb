"""A program in the place of helm: says what it was given, and behaves as a test wants."""

from __future__ import annotations

import sys
from pathlib import Path

_HEAD = f"#!{sys.executable}\nimport json, os, signal, subprocess, sys, time\nplace = {{place!r}}\n"
REPORT = """
if sys.argv[1] == "version":
    print({version!r})
    sys.exit()
report = {{"argv": sys.argv[1:], "env": dict(os.environ), "pid": os.getpid(), "group": os.getpgid(0)}}
report["session"], report["parent"] = os.getsid(0), os.getppid()
report["stdin"] = None if os.readlink("/proc/self/fd/0") == "/dev/null" else sys.stdin.read()
open(os.path.join(place, "report.tmp"), "w").write(json.dumps(report))
os.rename(os.path.join(place, "report.tmp"), os.path.join(place, "report"))
"""


def stand_in(folder: Path, then: str = "", version: str = "v4.2.4") -> Path:
    """An executable that writes `report` (JSON) beside itself, then does `then` (Python)."""
    program = folder / "helm"
    program.write_text(_HEAD.format(place=str(folder)) + REPORT.format(version=version) + then)
    program.chmod(0o755)
    return program
