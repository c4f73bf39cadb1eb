"""Addons from git, by git itself and its own HTTP backend."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helmbroker.catalog.load import load
from helmbroker.catalog.sources.fetch import fetch
from helmbroker.catalog.sources.git import git_source
from helmbroker.catalog.sources.model import Access, Reason, Source, SourceError, SourceKind
from tests.sources.servers import Repository, git_app, served
from tests.unit.catalog.folders import write
from tests.unit.catalog.sources.places import addon, got
from tests.unit.runtime.certificates import Authority

pytestmark = pytest.mark.processes
LOGIN = "alice:canary-c0de"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "git")
    write(made.folder / "addons/demo")
    write(made.folder / "addons/mysql/8.0", addon("mysql", number="bbbbbbbb"))
    made.commit("v1")
    return made


@pytest.fixture
def local(repository: Repository) -> Source:
    """By the quickest way there is."""
    return Source(
        "repo", SourceKind.GIT, f"file://{repository.bare}", ref="main", path="addons", access=Access(insecure=True)
    )


@pytest.fixture
def https(repository: Repository, authority: Authority, tls: tuple[Path, Path], tmp_path: Path) -> Iterator[Source]:
    (tmp_path / "login").write_text(LOGIN)
    access = Access(login_file=tmp_path / "login", ca_file=authority.ca)
    with served(git_app(repository.bare.parent, LOGIN), tls) as url:
        yield Source("repo", SourceKind.GIT, f"{url}/addons.git", ref="main", path="addons", access=access)


def refused(source: Source, into: Path) -> str:
    with pytest.raises(SourceError) as refusal:
        fetch(source, into, None)
    assert refusal.value.reason is Reason.FETCHING
    assert "canary" not in refusal.value.message
    return refusal.value.message


def test_over_https_with_a_login_and_an_authority_of_its_own(https: Source, tmp_path: Path) -> None:
    found = got(https, tmp_path / "into")
    assert (sorted(found.labels), found.failed) == (["demo", "mysql-8.0"], {})
    assert [each.name for each in load([tmp_path / "into"]).addons] == ["demo", "mysql"]
    assert fetch(https, tmp_path / "again", found.seen) is None
    assert sorted(path.name for path in (tmp_path / "into").iterdir()) == ["demo", "mysql-8.0"], "nothing is left"


def test_without_login_or_authority_it_is_told(https: Source, authority: Authority, tmp_path: Path) -> None:
    source = Source("repo", SourceKind.GIT, https.location, access=Access(ca_file=authority.ca))
    assert "git cannot read it" in refused(source, tmp_path / "one")
    source = Source("repo", SourceKind.GIT, https.location, access=Access(login_file=https.access.login_file))
    assert "certificate" in refused(source, tmp_path / "two")


def test_a_branch_moves_and_a_commit_does_not(repository: Repository, local: Source, tmp_path: Path) -> None:
    first = repository.git("rev-parse", "HEAD")
    before = got(local, tmp_path / "before")
    shutil.rmtree(repository.folder / "addons/mysql")
    repository.commit()
    after = got(local, tmp_path / "after", before.seen)
    assert after.labels == ["demo"]
    for ref in (first, "v1"):
        pinned = Source("repo", SourceKind.GIT, local.location, ref=ref, path="addons", access=local.access)
        found = got(pinned, tmp_path / ref)
        assert sorted(found.labels) == ["demo", "mysql-8.0"]
        assert str(found.seen).endswith(f" {first}")


def test_a_tag_that_is_moved_is_noticed(repository: Repository, local: Source, tmp_path: Path) -> None:
    """Who does not want that names the commit."""
    tagged = Source("repo", SourceKind.GIT, local.location, ref="v1", access=local.access)
    before = got(tagged, tmp_path / "before")
    assert fetch(tagged, tmp_path / "same", before.seen) is None
    write(repository.folder / "addons/new", addon("new", number="cccccccc"))
    repository.commit("v1")
    assert "addons-new" in got(tagged, tmp_path / "after", before.seen).labels


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ref": "nothing"}, "there is no branch or tag nothing"),
        ({"path": "nothing"}, "there is no folder nothing"),
    ],
)
def test_what_is_not_there_is_named(local: Source, tmp_path: Path, change: dict[str, Any], words: str) -> None:
    assert words in refused(replace(local, **change), tmp_path / "into")


def test_a_repository_that_is_not_there(local: Source, tmp_path: Path) -> None:
    gone = Source("repo", SourceKind.GIT, f"file://{tmp_path}/gone.git", access=local.access)
    assert "git cannot read it" in refused(gone, tmp_path / "into")


@pytest.mark.bug(77)
def test_links_and_submodules_cost_the_one_addon(repository: Repository, local: Source, tmp_path: Path) -> None:
    (repository.folder / "addons/demo/passwd").symlink_to("/etc/passwd")
    (repository.folder / "elsewhere").symlink_to("/etc")
    write(repository.folder / "addons/sub", addon("sub", number="cccccccc"))
    repository.commit()
    commit = repository.git("rev-parse", "HEAD")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},addons/sub/module")
    repository.git("commit", "--quiet", "--message", "x")
    repository.git("push", "--quiet", str(repository.bare), "main")
    found = got(local, tmp_path / "into")
    assert found.labels == ["mysql-8.0"]
    assert {name: error.reason for name, error in found.failed.items()} == {
        "demo": Reason.ARCHIVE,
        "sub": Reason.ARCHIVE,
    }
    assert "passwd is a link or a submodule" in found.failed["demo"].message


@pytest.mark.bug(12)
def test_nothing_of_the_repository_is_run(repository: Repository, local: Source, tmp_path: Path) -> None:
    """Neither hooks nor filters; what attributes say changes nothing."""
    witness = tmp_path / "witness"
    text = "* filter=evil text eol=crlf export-subst\naddons/demo/addon.yaml export-ignore\n"
    (repository.folder / ".gitattributes").write_text(text)
    for name in ("post-checkout", "post-merge", "reference-transaction"):
        hook = repository.bare / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {witness}\n")
        hook.chmod(0o755)
    repository.git("config", "filter.evil.clean", "cat")
    repository.commit()
    witness.unlink(missing_ok=True)  # the server's own hook ran when it was pushed to
    found = got(local, tmp_path / "into")
    assert (sorted(found.labels), witness.exists()) == (["demo", "mysql-8.0"], False)
    assert (tmp_path / "into/demo/addon.yaml").read_bytes() == (
        repository.folder / "addons/demo/addon.yaml"
    ).read_bytes()


@pytest.mark.bug(77)
def test_what_is_too_large_is_not_read(local: Source, tmp_path: Path) -> None:
    tmp_path.joinpath("into").mkdir()
    with pytest.raises(SourceError, match="more than 3 files"):
        git_source(local, tmp_path / "into", None, most_files=3)


def test_git_is_told_nothing_of_our_environment(
    local: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the configuration of whoever runs the broker, nor what GIT_ variables would change."""
    config = tmp_path / "home/.gitconfig"
    config.parent.mkdir()
    config.write_text('[url "file:///nowhere/"]\n\tinsteadOf = file:///\n')
    monkeypatch.setenv("HOME", str(config.parent))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "url.file:///nowhere/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "file:///")
    assert sorted(got(local, tmp_path / "into").labels) == ["demo", "mysql-8.0"]


def test_over_ssh_hosts_must_be_known_and_nobody_is_asked(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for ssh, which notes what it was asked and runs the rest here."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/ssh"
    program.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/asked"\nfor last; do :; done\nexec sh -c "$last"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    key, hosts = tmp_path / "a key; touch evil", tmp_path / "known hosts"
    access = Access(ssh_key_file=key, known_hosts_file=hosts)
    url = f"ssh://git@git.example{repository.bare}"
    found = got(Source("repo", SourceKind.GIT, url, ref="main", path="addons", access=access), tmp_path / "into")
    assert sorted(found.labels) == ["demo", "mysql-8.0"]
    asked = (tmp_path / "asked").read_text()
    for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={hosts}", f"-i {key}"):
        assert option in asked
    assert not (tmp_path / "evil").exists()
