"""What a page says to type, for the product as a test has installed it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable

from tests.cluster.broker import CHECKOUT
from tests.cluster.installed import RELEASE
from tests.unit.docs.command_lines import blocks

# how pages call what the chart made, and how it is called here
_NAMES = (
    (r"--namespace helmbroker\b", "--namespace {namespace}"),
    (r"\bhelm (upgrade|get values) helmbroker ", rf"helm \1 {RELEASE} "),
    (r"\bhelmbroker-(broker|bridge)-(0|keys)\b", rf"{RELEASE}-\1-\2"),
    (r"\b(statefulset|deployment)/helmbroker-", rf"\1/{RELEASE}-"),
    (r"(delete service .*)\bhelmbroker-(broker|bridge)$", rf"\1{RELEASE}-\2"),
)


def commands(page: str, part: str, namespace: str) -> list[list[str]]:
    """Those of a part of a page of docs/how-to/, block by block."""
    text = (CHECKOUT / "docs" / "how-to" / page).read_text("utf-8")
    found = text.partition(f"\n## {part}\n")[2].partition("\n## ")[0]
    return [[_here(line.strip(), namespace) for line in block] for block in blocks(found)]


def typed(lines: Iterable[str]) -> str:
    """As an operator types them, one after the other; what they said."""
    text = "\n".join(lines)
    done = subprocess.run(
        ["bash", "-euc", text], cwd=CHECKOUT, text=True, capture_output=True, timeout=200, check=False
    )
    assert not done.returncode, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _here(line: str, namespace: str) -> str:
    for theirs, ours in _NAMES:
        line = re.sub(theirs, ours, line)
    return line.replace("{namespace}", namespace)
