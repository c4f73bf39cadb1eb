"""docs/tutorial/drycc.md, typed line by line; what it says is answered, is answered."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tutorial/drycc.md"
MARK = "----- block {} -----"


def blocks(text: str) -> list[tuple[str, list[str]]]:
    """Each block of commands, with the lines that are shown of its answer."""
    found: list[tuple[str, list[str]]] = []
    for kind, body in re.findall(r"```(console|text)\n(.*?)```", text, flags=re.S):
        if kind == "console":
            found.append((body, []))
        else:
            found[-1][1].extend(body.splitlines())
    return found


def shown(line: str, output: str) -> bool:
    """Whether a line of the page is in the output; `...` is anything."""
    pattern = ".*".join(map(re.escape, line.split("...")))
    return re.search(pattern, output) is not None


@pytest.mark.processes
def test_the_walk_through_is_true(tmp_path: Path) -> None:
    typed = blocks(PAGE.read_text("utf-8"))
    script = "set -eE -o pipefail\ntrap 'kill $(jobs -p) $(cat walk/stand.pid) 2> /dev/null' ERR\n"
    script += "\n".join(f"echo '{MARK.format(number)}'\n{body}" for number, (body, _) in enumerate(typed))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
    }
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    answers = re.split(r"----- block \d+ -----\n", ran.stdout)[1:]
    assert len(answers) == len(typed)
    for answer, (body, lines) in zip(answers, typed, strict=True):
        for line in lines:
            assert shown(line, answer), f"{line!r} was not answered to\n{body}\nbut\n{answer}"
