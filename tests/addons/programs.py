"""helm and kubectl, as processes. They are needed: what is missing fails, nothing is skipped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest


class Failed(Exception):
    """A program said no; the text is what it said."""


def program(name: str) -> str:
    """The program's path: of $HELM_BIN or $KUBECTL_BIN, else on PATH."""
    variable = f"{name.upper()}_BIN"
    found = shutil.which(os.environ.get(variable, name))
    if found is None:
        pytest.fail(f'no {name}: eval "$(sandbox/sandbox env)", or set {variable}, or put it on PATH')
    return found


def run(*command: str, stdin: str = "", limit_s: float = 300) -> str:
    """Run it; its stdout. Raises Failed with what it wrote."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=limit_s, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command[:4])}...: {done.stdout}{done.stderr}")
    return done.stdout


def helm(*arguments: str, values: Mapping[str, Any] | None = None) -> str:
    """Run helm, with the values on its stdin. Raises Failed."""
    with_values = [] if values is None else ["--values", "-"]
    return run(program("helm"), *arguments, *with_values, stdin=json.dumps(values))


def kubectl(*arguments: str, stdin: str = "") -> str:
    """Run kubectl. Raises Failed."""
    return run(program("kubectl"), *arguments, stdin=stdin)
