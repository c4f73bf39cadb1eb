"""The pages of docs/: each can be found, and they become a site without a warning."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)#: ]+)[^)]*\)")


def test_every_page_is_found_from_the_index() -> None:
    found, begun = set[Path](), [DOCS / "README.md"]
    while begun:
        page = begun.pop()
        found.add(page)
        links = {(page.parent / link).resolve() for link in LINK.findall(page.read_text("utf-8"))}
        begun += [
            each for each in links if each.suffix == ".md" and each.is_relative_to(DOCS) and each not in found
        ]
    assert {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} - {
        page.relative_to(DOCS).as_posix() for page in found
    } == {"index.md"}


@pytest.mark.processes
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    argv = ["-q", "-W", "--keep-going", "-b", "html", "-c", "docs/site", "-d", str(tmp_path / "read"), "."]
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *argv, str(tmp_path / "site")],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (built.returncode, built.stderr) == (0, "")
    start = (tmp_path / "site/docs/index.html").read_text("utf-8")
    assert "reference/settings.html" in start
    assert "addons/postgresql/README.html" in start
    assert (tmp_path / "site/index.html").exists()
