"""Where SQLite files may be."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from helmbroker.broker.store.schema import SCHEMA
from helmbroker.database import UnusableDatabase, connect, now, prepare
from helmbroker.database.place import file_system, refuse_other_host

MOUNTS = """\
22 1 0:21 / / rw,relatime - overlay overlay rw,lowerdir=/a - b,upperdir=/c
30 22 8:1 / /var rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw
31 30 0:40 / /var/lib/data rw,relatime - nfs4 server:/export rw,vers=4.2
32 31 0:41 / /var/lib/data/local rw,relatime - xfs /dev/sdb1 rw
33 22 0:42 / /mnt/with\\040blank rw - fuse.sshfs host:/ rw
34 22 0:43 / /twice rw - nfs server:/ rw
35 22 0:44 / /twice rw - tmpfs tmpfs rw
this is no line of it
"""


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("/srv/helmbroker.db", "overlay"),
        ("/var/helmbroker.db", "ext4"),
        ("/variant/helmbroker.db", "overlay"),
        ("/var/lib/data/x/helmbroker.db", "nfs4"),
        ("/var/lib/data/local/helmbroker.db", "xfs"),
        ("/mnt/with blank/helmbroker.db", "fuse.sshfs"),
        ("/twice/helmbroker.db", "tmpfs"),
    ],
)
def test_a_file_is_on_the_innermost_mount_and_there_on_the_latest(file: str, kind: str) -> None:
    assert file_system(Path(file), MOUNTS) == kind


def test_what_is_nowhere_is_not_told() -> None:
    assert file_system(Path("/x"), "") is None


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    (tmp_path / "data").mkdir()
    made = connect(f"sqlite:///{tmp_path}/data/helmbroker.db")
    yield made
    made.dispose()


def mounted(tmp_path: Path, kind: str) -> Path:
    """A table of mounts in which the data directory is of this kind."""
    table = tmp_path / "mountinfo"
    root = "22 1 0:21 / / rw - ext4 /dev/sda1 rw"
    table.write_text(f"{root}\n23 22 0:22 / {tmp_path}/data rw - {kind} somewhere rw\n")
    return table


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "fuse.glusterfs"]
)
def test_files_of_several_machines_are_refused_before_they_are_opened(
    engine: sa.Engine, tmp_path: Path, kind: str
) -> None:
    with pytest.raises(UnusableDatabase, match=rf"\({kind}\).*put the data directory on a local disk"):
        prepare(engine, SCHEMA, lambda _: None, mounts=mounted(tmp_path, kind))
    assert (tmp_path / "data" / "helmbroker.db").stat().st_size == 0


def test_a_link_to_such_a_place_is_refused(engine: sa.Engine, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "data")
    linked = connect(f"sqlite:///{tmp_path}/link/helmbroker.db")
    with pytest.raises(UnusableDatabase, match="nfs4"):
        prepare(linked, SCHEMA, lambda _: None, mounts=mounted(tmp_path, "nfs4"))
    linked.dispose()


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuse.fuse-overlayfs"])
def test_disks_of_this_machine_are_fine(engine: sa.Engine, tmp_path: Path, kind: str) -> None:
    prepare(engine, SCHEMA, lambda _: None, mounts=mounted(tmp_path, kind))


def test_where_there_is_no_table_of_mounts_nothing_is_told(engine: sa.Engine, tmp_path: Path) -> None:
    prepare(engine, SCHEMA, lambda _: None, mounts=tmp_path / "none")


def seen(engine: sa.Engine, host: str, ago_s: float) -> None:
    """A worker of this host told that it lives, so long ago."""
    with engine.begin() as conn:
        conn.execute(sa.text("CREATE TABLE IF NOT EXISTS workers (owner, host, started_at, seen_at)"))
        moment = conn.execute(sa.select(now(conn))).scalar_one()
        row = {"owner": f"{host}:1", "host": host, "seen_at": moment - ago_s, "started_at": moment - 100}
        workers = sa.table("workers", *(sa.column(name) for name in row))
        conn.execute(workers.insert().values(row))


@pytest.mark.parametrize(
    ("host", "ago_s", "fine"),
    [("elsewhere", 5, False), ("elsewhere", 40, True), (socket.gethostname(), 5, True)],
    ids=["another host", "another host long ago", "this host"],
)
def test_two_hosts_do_not_write_to_one_file(engine: sa.Engine, host: str, ago_s: float, fine: bool) -> None:
    prepare(engine, SCHEMA, lambda _: None)
    seen(engine, host, ago_s)
    if fine:
        prepare(engine, SCHEMA, lambda _: None)
    else:
        with pytest.raises(UnusableDatabase, match="worker of the host elsewhere uses this SQLite database"):
            prepare(engine, SCHEMA, lambda _: None)


def test_who_has_no_workers_yet_has_no_other_host(engine: sa.Engine) -> None:
    with engine.connect() as conn:
        refuse_other_host(conn)
