"""Pinned addon revisions on this machine: damaged, lost, raced for."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from helmbroker.broker.domain.errors import Unavailable
from helmbroker.broker.store.revisions import UnpackedRevisions
from helmbroker.catalog import archive
from helmbroker.catalog.formats import native

ADDON = Path(__file__).parents[3] / "addons" / "redis"
DIGEST, PACKED = archive.digest(ADDON), archive.pack(ADDON)


class Packed:
    """The database's side: says how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, digest: str) -> bytes | None:
        self.asked += 1
        return PACKED if digest == DIGEST else None


def test_a_revision_is_what_was_packed(tmp_path: Path) -> None:
    addon = UnpackedRevisions(tmp_path / "cache", Packed()).addon(DIGEST)
    original = native.load(ADDON)
    assert (addon.name, addon.digest, addon.plans) == (original.name, DIGEST, original.plans)
    assert archive.digest(addon.folder) == DIGEST
    assert addon.folder == tmp_path / "cache" / DIGEST


@pytest.mark.bug(52)
def test_it_is_unpacked_once_for_all_processes(tmp_path: Path) -> None:
    packed = Packed()
    first = UnpackedRevisions(tmp_path, packed)
    assert first.addon(DIGEST) is first.addon(DIGEST)
    UnpackedRevisions(tmp_path, packed).addon(DIGEST)
    assert packed.asked == 1


def test_what_was_never_kept_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="is not in the database"):
        UnpackedRevisions(tmp_path, Packed()).addon("0" * 64)


def test_a_folder_that_is_lost_comes_back(tmp_path: Path) -> None:
    revisions = UnpackedRevisions(tmp_path, Packed())
    shutil.rmtree(revisions.addon(DIGEST).folder)
    assert archive.digest(revisions.addon(DIGEST).folder) == DIGEST


def test_a_disk_that_cannot_be_written_is_no_end(tmp_path: Path) -> None:
    """Operations are tried again until it can: a full disk loses none."""
    (tmp_path / "full").touch()
    revisions = UnpackedRevisions(tmp_path / "full" / "cache", Packed())
    with pytest.raises(
        Unavailable, match=r"cannot unpack an addon on its disk: .* Free space in its data directory"
    ):
        revisions.addon(DIGEST)
    (tmp_path / "full").unlink()
    assert revisions.addon(DIGEST).digest == DIGEST


@pytest.mark.parametrize("damage", ["changed", "added", "removed", "linked"])
def test_a_damaged_cache_is_not_believed(tmp_path: Path, damage: str) -> None:
    folder = UnpackedRevisions(tmp_path, Packed()).addon(DIGEST).folder
    match damage:
        case "changed":
            (folder / "addon.yaml").write_text("id: other")
        case "added":
            (folder / "chart" / "templates" / "more.yaml").write_text("kind: ClusterRole")
        case "removed":
            (folder / "binding" / "credentials.yaml").unlink()
        case "linked":
            (folder / "chart" / "link").symlink_to("/etc")
    again = UnpackedRevisions(tmp_path, Packed()).addon(DIGEST)
    assert archive.digest(again.folder) == DIGEST


@pytest.mark.bug(52)
def test_what_a_died_process_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".unfinished-x" / "y").mkdir(parents=True)
    UnpackedRevisions(tmp_path, Packed()).addon(DIGEST)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([".lock", DIGEST])


@pytest.mark.bug(59)
def test_many_may_want_it_at_once(tmp_path: Path) -> None:
    """Each with a lock of its own, as processes have."""
    everybody = [UnpackedRevisions(tmp_path, Packed()) for _ in range(8)]
    start, found = threading.Barrier(len(everybody)), []

    def want(revisions: UnpackedRevisions) -> None:
        start.wait()
        found.append(archive.digest(revisions.addon(DIGEST).folder))

    threads = [threading.Thread(target=want, args=(revisions,)) for revisions in everybody]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [DIGEST] * len(everybody)
