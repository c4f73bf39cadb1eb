"""`python -m bench.catalog`: reading addon folders and checking parameters; needs no cluster.

Exit status 0 when every bound is kept, 1 when one is not.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from bench import page
from bench.catalog import corpus
from bench.catalog.measuring import checking, reading
from bench.figures import Figure, number

ADDONS = Path(__file__).parents[2] / "addons"
ROUNDS = 3  # the best one counts: the others tell what else the machine had to do


def section(figures: list[Figure]) -> str:
    """Of docs/reference/performance.md."""
    about = (
        "Made by `python -m bench.catalog --write docs/reference/performance.md`, which needs no cluster. The\n"
        f"addons are generated in Drycc's format: {corpus.ADDONS} with {corpus.PLANS} plans, {corpus.PARAMETERS} "
        f"allowed parameters and about 3,500 files.\nLinux {platform.release()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, load average at the end {os.getloadavg()[0]:.1f}."
    )
    lines = ["## Catalogue and parameters", "", about, "", "| | measured | bound | |", "|---|---:|---:|---|"]
    for figure in figures:
        bound = "" if figure.limit is None else f"at most {number(figure.limit)} {figure.unit}"
        note = f" ({figure.note})" if figure.note else ""
        missed = "" if figure.kept else "**missed**"
        lines.append(f"| {figure.name}{note} | {number(figure.value)} {figure.unit} | {bound} | {missed} |")
    return "\n".join(lines)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.catalog", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="also replace the section of this page")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        corpus.write(folder)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as alone:
            runs = [alone.submit(reading, folder).result() for _ in range(ROUNDS)]
            figures = min(runs, key=lambda run: run[0].value) + alone.submit(checking, folder, ADDONS).result()
    for figure in figures:
        print(f"{figure.name}: {figure.text()}{'' if figure.kept else ' MISSED'}")
    if chosen.write:
        page.put(chosen.write, "catalog", section(figures))
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
