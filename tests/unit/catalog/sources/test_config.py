"""The operator's file of sources: read whole, or refused with every fault, its line and its cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from helmbroker.catalog.model import AddonFaults
from helmbroker.catalog.sources.config import read_sources
from helmbroker.catalog.sources.model import Access, Policy, Repository, Source, SourceKind

HEX = "ab" * 32
GOOD = f"""\
sources:
  - name: shelf
    kind: directory
    location: shelf
  - {{name: one, kind: archive, location: "https://addons.example/one.tgz", digest: "sha256:{HEX}"}}
  - name: drycc
    kind: index
    location: [https://addons.example/index.yaml, https://addons.example/index-more.yaml]
    login_file: /secrets/login
    ca_file: ca.pem
    public_keys: [one.pub, two.pub]
  - {{name: registry, kind: oci, location: "oci://registry.example:5000/addons/demo:1.0.0", signatures: "off",
     pull_secret_file: config.json}}
  - {{name: repo, kind: git, location: "ssh://git@git.example/addons.git", ref: v1, path: addons, ssh_key_file: id}}
repositories:
  - {{match: "oci://registry.example/charts", location: "oci://mirror.example/charts", insecure: true}}
"""


def read(folder: Path, text: str) -> list[str]:
    """The faults of a file."""
    (folder / "sources.yaml").write_text(text)
    with pytest.raises(AddonFaults) as refusal:
        read_sources(folder / "sources.yaml")
    return [str(each).removeprefix(f"{folder}/sources.yaml:") for each in refusal.value.faults]


def test_everything_that_may_be_said(tmp_path: Path) -> None:
    (tmp_path / "sources.yaml").write_text(GOOD)
    found = read_sources(tmp_path / "sources.yaml")
    assert [each.name for each in found.sources] == ["shelf", "one", "drycc", "registry", "repo"]
    shelf, one, drycc, registry, repo = found.sources
    assert shelf == Source("shelf", SourceKind.DIRECTORY, str(tmp_path / "shelf"))
    assert (one.digest, one.access) == (f"sha256:{HEX}", Access())
    assert (drycc.location, drycc.more) == (
        "https://addons.example/index.yaml",
        ("https://addons.example/index-more.yaml",),
    )
    assert drycc.access == Access(
        login_file=Path("/secrets/login"),
        ca_file=tmp_path / "ca.pem",
        signatures=Policy.REQUIRED,
        public_keys=(tmp_path / "one.pub", tmp_path / "two.pub"),
    ), "who names keys means them"
    assert registry.access == Access(pull_secret_file=tmp_path / "config.json")
    assert (repo.ref, repo.path, repo.access.ssh_key_file) == ("v1", "addons", tmp_path / "id")
    assert found.repositories == (
        Repository("oci://registry.example/charts", "oci://mirror.example/charts", Access(insecure=True)),
    )


FAULTS = {
    "no sources": ("{}", "missing: sources"),
    "unknown key": ("sources: [{name: a, kind: directory, location: x, colour: red}]", "unknown 'colour'"),
    "no kind": ("sources: [{name: a, location: x}]", "missing: kind"),
    "unknown kind": ("sources: [{name: a, kind: ftp, location: x}]", "must be one of directory, archive"),
    "bad name": ("sources: [{name: A B, kind: directory, location: x}]", "must match"),
    "a name twice": (
        "sources:\n- {name: a, kind: directory, location: x}\n- {name: a, kind: directory, location: z}",
        "3: sources.1.name: there is another source a; rename one",
    ),
    "a login in a URL": (
        "sources: [{name: a, kind: index, location: 'https://u:canary-9d1c@x/index.yaml'}]",
        "logins belong into a file",
    ),
    "an option as URL": (
        "sources: [{name: a, kind: git, location: '--upload-pack=x'}]",
        "must be https://host/path",
    ),
    "an option behind ssh": ("sources: [{name: a, kind: git, location: 'ssh://-oProxyCommand=x/y'}]", "must be"),
    "git's ext": ("sources: [{name: a, kind: git, location: 'ext::sh -c x'}]", "must be https://host/path"),
    "an option as ref": ("sources: [{name: a, kind: git, location: 'https://x/y', ref: --exec}]", "must match"),
    "a file for git": (
        "sources: [{name: a, kind: git, location: 'file:///srv/addons'}]",
        "only with insecure: true",
    ),
    "oci without a tag": ("sources: [{name: a, kind: oci, location: 'oci://x.example/y'}]", "no tag and no digest"),
    "oci without a scheme": ("sources: [{name: a, kind: oci, location: 'x.example/y:1'}]", "must be oci://host"),
    "several folders": ("sources: [{name: a, kind: directory, location: [x, z]}]", "only an index has several"),
    "digest of git": (
        f"sources: [{{name: a, kind: git, location: 'https://x/y', digest: 'sha256:{HEX}'}}]",
        "digest: means nothing to a source of kind git",
    ),
    "signatures of a folder": (
        "sources: [{name: a, kind: directory, location: x, public_keys: [k], signatures: required}]",
        "means nothing to a source of kind directory",
    ),
    "no keys": (
        "sources: [{name: a, kind: archive, location: x.tgz, signatures: required}]",
        "nothing can be verified; name public_keys",
    ),
    "two logins": (
        "sources: [{name: a, kind: archive, location: x.tgz, login_file: l, token_file: t}]",
        "there is a login_file, too",
    ),
    "a repository of files": ("sources: []\nrepositories: [{match: 'file:///x'}]", "2: repositories.0.match: must"),
    "no YAML": ("sources: [", "is not valid YAML"),
}


@pytest.mark.parametrize(("text", "words"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    faults = read(tmp_path, text)
    assert any(words in each for each in faults), faults
    assert "canary" not in "".join(faults)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = "sources:\n- {name: a, kind: git, location: x}\n- {name: a, kind: oci, location: z}\n"
    assert [each.partition(":")[0] for each in read(tmp_path, text)] == ["2", "3", "3"]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AddonFaults, match="is missing"):
        read_sources(tmp_path / "nothing.yaml")
