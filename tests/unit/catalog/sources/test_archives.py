"""Archives and indexes: what is promised of them is checked, and one bad archive hides no other."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import requests_mock

from helmbroker.catalog.load import load
from helmbroker.catalog.sources.archives import read_index
from helmbroker.catalog.sources.fetch import fetch
from helmbroker.catalog.sources.model import Access, Policy, Reason, Source, SourceError, SourceKind
from helmbroker.catalog.sources.signatures import private_key, sign
from tests.unit.catalog.sources.keys import key_pair
from tests.unit.catalog.sources.places import addon, got, packed, zipped

INDEX = "https://addons.example/stable/index.yaml"
BESIDE = "https://addons.example/stable"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def index(*lines: str) -> bytes:
    """An index with entries, each `name version digest`."""
    text = "apiVersion: v1\nentries:\n"
    for line in lines:
        name, version, *digest = line.split()
        text += f"  {name}:\n  - version: {version}\n    description: x\n"
        text += f"    digest: {digest[0]}\n" if digest else ""
    return text.encode()


def source(access: Access | None = None, *more: str) -> Source:
    return Source("drycc", SourceKind.INDEX, INDEX, more, access=access or Access())


def test_every_entry_is_fetched_from_beside_the_index(requests_mock: requests_mock.Mocker, tmp_path: Path) -> None:
    """Drycc, Kyma: `<folder of the index>/<entry>-<version>.tgz`."""
    requests_mock.get(INDEX, content=index("one 1.0.0", "two 2"))
    requests_mock.get(f"{BESIDE}/one-1.0.0.tgz", content=packed())
    requests_mock.get(f"{BESIDE}/two-2.tgz", content=packed(addon("two", number="bbbbbbbb")))
    found = got(source(), tmp_path)
    assert (sorted(found.labels), found.failed) == (["one-1.0.0", "two-2"], {})
    assert [each.name for each in load([tmp_path]).addons] == ["demo", "two"]


@pytest.mark.parametrize("written", ["3.10", "1", "8.0", "0.103", "1e3", "2024-01-01"])
def test_a_version_is_the_text_that_was_written(written: str) -> None:
    """Not 3.1: YAML would make numbers and dates of them."""
    (entry,) = read_index(INDEX, index(f"one {written}"))
    assert (entry.version, entry.url) == (written, f"{BESIDE}/one-{written}.tgz")


def test_an_index_may_say_where_its_archives_are() -> None:
    text = f'entries:\n  one: [{{version: 1.0.0, urls: ["files/one.tgz"], digest: "sha256:{"ab" * 32}"}}]\n'
    (entry,) = read_index(INDEX, text.encode())
    assert (entry.url, entry.digest) == (f"{BESIDE}/files/one.tgz", f"sha256:{'ab' * 32}")


def test_several_indexes_are_one_source(requests_mock: requests_mock.Mocker, tmp_path: Path) -> None:
    """Kyma: index-*.yaml."""
    more = f"{BESIDE}/index-more.yaml"
    requests_mock.get(INDEX, content=index("one 1.0.0"))
    requests_mock.get(more, content=index("two 2"))
    requests_mock.get(f"{BESIDE}/one-1.0.0.tgz", content=packed())
    requests_mock.get(f"{BESIDE}/two-2.tgz", content=packed(addon("two", number="bbbbbbbb")))
    assert sorted(got(source(None, more), tmp_path).labels) == ["one-1.0.0", "two-2"]


@pytest.mark.bug(77)
def test_a_wrong_digest_costs_the_one_addon(requests_mock: requests_mock.Mocker, tmp_path: Path) -> None:
    good, bad = packed(), packed(addon("two"))
    requests_mock.get(INDEX, content=index(f"one 1.0.0 {sha(good)}", f"two 2 {sha(good)}"))
    requests_mock.get(f"{BESIDE}/one-1.0.0.tgz", content=good)
    requests_mock.get(f"{BESIDE}/two-2.tgz", content=bad)
    found = got(source(), tmp_path)
    assert found.labels == ["one-1.0.0"]
    assert found.failed["two-2"].reason is Reason.DIGEST
    assert f"sha256:{sha(bad)}, not sha256:{sha(good)}" in found.failed["two-2"].message
    assert [path.name for path in tmp_path.iterdir()] == ["one-1.0.0"]


@pytest.mark.bug(76)
def test_an_archive_that_is_missing_cut_off_or_none_costs_the_one_addon(
    requests_mock: requests_mock.Mocker, tmp_path: Path
) -> None:
    requests_mock.get(INDEX, content=index("cut 1", "missing 1", "none 1", "one 1.0.0"))
    requests_mock.get(f"{BESIDE}/one-1.0.0.tgz", content=packed())
    requests_mock.get(f"{BESIDE}/cut-1.tgz", content=packed()[:-20])
    requests_mock.get(f"{BESIDE}/missing-1.tgz", status_code=404)
    requests_mock.get(f"{BESIDE}/none-1.tgz", content=b"<html>")
    found = got(source(), tmp_path)
    assert found.labels == ["one-1.0.0"]
    reasons = {name: error.reason for name, error in found.failed.items()}
    assert reasons == {"cut-1": Reason.ARCHIVE, "missing-1": Reason.FETCHING, "none-1": Reason.ARCHIVE}


def test_of_several_versions_of_one_addon_the_newest_is_offered(
    requests_mock: requests_mock.Mocker, tmp_path: Path
) -> None:
    """And those that are services of their own all are."""
    text = "entries:\n  one: [{version: 1.9.0}, {version: 1.10.0}, {version: 0.5.0}]\n"
    requests_mock.get(INDEX, text=text)
    requests_mock.get(f"{BESIDE}/one-1.9.0.tgz", content=packed(addon("demo", "1.9.0")))
    requests_mock.get(f"{BESIDE}/one-1.10.0.tgz", content=packed(addon("demo", "1.10.0")))
    requests_mock.get(f"{BESIDE}/one-0.5.0.tgz", content=packed(addon("old", "0.5.0", "cccccccc")))
    assert got(source(), tmp_path).labels == ["one-1.10.0", "one-0.5.0"]


def test_an_index_that_is_the_same_and_tells_all_digests_is_not_followed(
    requests_mock: requests_mock.Mocker, tmp_path: Path
) -> None:
    content = packed()
    requests_mock.get(INDEX, content=index(f"one 1.0.0 {sha(content)}"))
    requests_mock.get(f"{BESIDE}/one-1.0.0.tgz", content=content)
    seen = got(source(), tmp_path / "first").seen
    asked = requests_mock.call_count
    assert fetch(source(), tmp_path / "second", seen) is None
    assert requests_mock.call_count == asked + 1
    assert list((tmp_path / "second").iterdir()) == []


def test_what_is_trusted_is_part_of_what_was_seen(requests_mock: requests_mock.Mocker, tmp_path: Path) -> None:
    """Another key, another policy: everything is verified anew."""
    content = packed()
    requests_mock.get(INDEX, content=index(f"one 1.0.0 {sha(content)}"))
    requests_mock.get(f"{BESIDE}/one-1.0.0.tgz", content=content)
    requests_mock.get(f"{BESIDE}/one-1.0.0.tgz.sig", status_code=404)
    seen = got(source(), tmp_path / "first").seen
    _, public = key_pair(tmp_path)
    access = Access(signatures=Policy.WARN, public_keys=(public,))
    again = got(source(access), tmp_path / "second", seen)
    assert again.warnings == [f"{BESIDE}/one-1.0.0.tgz has no signature by one of the public_keys"]
    key_pair(tmp_path)
    assert fetch(source(access), tmp_path / "third", again.seen) is not None


@pytest.mark.bug(77)
@pytest.mark.parametrize("policy", [Policy.REQUIRED, Policy.WARN])
@pytest.mark.parametrize("case", ["signed", "missing", "of another", "by another"])
def test_signatures(requests_mock: requests_mock.Mocker, tmp_path: Path, policy: Policy, case: str) -> None:
    private, public = key_pair(tmp_path)
    other, _ = key_pair(tmp_path, "other")
    content = packed()
    signed = {
        "signed": sign(content, private_key(private)),
        "of another": sign(b"x", private_key(private)),
        "by another": sign(content, private_key(other)),
    }
    url = "https://addons.example/demo.tgz"
    requests_mock.get(url, content=content)
    requests_mock.get(f"{url}.sig", text=signed.get(case, ""), status_code=404 if case == "missing" else 200)
    access = Access(signatures=policy, public_keys=(public,))
    one = Source("one", SourceKind.ARCHIVE, url, access=access)
    if case != "signed" and policy is Policy.REQUIRED:
        with pytest.raises(SourceError) as refusal:
            fetch(one, tmp_path / "into", None)
        assert refusal.value.reason is Reason.SIGNATURE
    else:
        found = got(one, tmp_path / "into")
        assert (found.labels, bool(found.warnings)) == (["demo"], case != "signed")


@pytest.mark.parametrize("make", [packed, zipped])
@pytest.mark.parametrize("suffix", ["tgz", "zip"])  # what it is its bytes tell
def test_an_archive_may_be_a_file_of_either_kind(tmp_path: Path, make: type[bytes], suffix: str) -> None:
    path = tmp_path / f"demo.{suffix}"
    path.write_bytes(make())
    one = Source("one", SourceKind.ARCHIVE, str(path))
    found = got(one, tmp_path / "into")
    assert [each.name for each in load([tmp_path / "into"]).addons] == ["demo"]
    assert fetch(one, tmp_path / "again", found.seen) is None
    path.write_bytes(b"x")
    with pytest.raises(SourceError) as refusal:
        fetch(one, tmp_path / "broken", found.seen)
    assert refusal.value.reason is Reason.ARCHIVE


def test_an_archive_with_its_digest_is_not_even_asked_for_again(
    requests_mock: requests_mock.Mocker, tmp_path: Path
) -> None:
    content = packed()
    url = "https://addons.example/demo.tgz"
    requests_mock.get(url, content=content)
    one = Source("one", SourceKind.ARCHIVE, url, digest=f"sha256:{sha(content)}")
    assert fetch(one, tmp_path / "again", got(one, tmp_path / "into").seen) is None
    assert requests_mock.call_count == 1


BAD_INDEXES = {
    "no mapping": b"[]",
    "no entries": b"apiVersion: v1",
    "no versions": b"entries: {one: [{}]}",
    "a path as name": b"entries: {../one: [{version: 1}]}",
    "a path as version": b"entries: {one: [{version: ../1}]}",
    "a blank in a version": b"entries: {one: [{version: 1 0}]}",
    "code": b"entries: !!python/object/apply:os.system [true]",
    "no text": b"\xff\xfe",
    "an alias bomb": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (each, each, b",".join([b"*%c" % (each - 1)] * 9)) for each in range(98, 108)),
}


@pytest.mark.bug(9, 76)
@pytest.mark.parametrize("content", BAD_INDEXES.values(), ids=BAD_INDEXES)
def test_an_index_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(SourceError) as refusal:
        list(read_index(INDEX, content))
    assert refusal.value.reason is Reason.FETCHING
    assert INDEX in refusal.value.message


def test_an_empty_entry_is_nothing() -> None:
    """B76: the predecessor broke."""
    assert list(read_index(INDEX, b"entries: {one: }")) == []


def test_an_index_in_a_file_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "demo-1.tgz").write_bytes(packed())
    path = tmp_path / "index.yaml"
    path.write_text("entries: {demo: [{version: 1}]}")
    assert got(Source("one", SourceKind.INDEX, str(path)), tmp_path / "into").labels == ["demo-1"]
    for url in ("../demo.tgz", "/etc/passwd", "https://addons.example/x.tgz"):
        path.write_text(f'entries: {{demo: [{{version: 1, urls: ["{url}"]}}]}}')
        with pytest.raises(SourceError, match=r"is not beside the index|names files, no URLs"):
            _only_failure(Source("one", SourceKind.INDEX, str(path)), tmp_path / "other")


def _only_failure(source: Source, into: Path) -> None:
    """Raise why the one addon, or the whole source, cannot be had."""
    found = got(source, into)
    assert found.labels == []
    raise next(iter(found.failed.values()))
