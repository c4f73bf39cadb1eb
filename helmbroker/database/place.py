"""Where a SQLite file is: it is for the processes of one machine, on a disk of that machine."""

import re
import socket
from pathlib import Path

import sqlalchemy as sa

from helmbroker.database.clock import now
from helmbroker.database.errors import UnusableDatabase

MOUNTS = Path("/proc/self/mountinfo")
_LIVES_S = 30.0  # a worker that was seen within them works, or has died just now

# Their locks are promises of a server or of another host, and the memory that SQLite's log needs is not shared
# between machines: two writers would damage the file, and a lost connection may.
_GROUPS = (
    "nfs nfs3 nfs4 cifs smb3 smbfs afs ncpfs coda",  # of a file server
    "ceph glusterfs lustre beegfs gpfs orangefs pvfs2 panfs",  # of many servers
    "gfs2 ocfs2",  # of a disk that several hosts mount
    "9p",  # of another system on this machine (WSL's drives): locks are not passed on
    "fuse.sshfs fuse.glusterfs fuse.ceph fuse.ceph-fuse fuse.cephfs fuse.moosefs fuse.mfs fuse.nfs fuse.lustre",
    "fuse.gvfsd-fuse fuse.davfs2 fuse.curlftpfs fuse.smbnetfs",
    "fuse.s3fs fuse.gcsfuse fuse.rclone fuse.goofys fuse.juicefs fuse.seaweedfs",  # of stores of objects
)
_SHARED = frozenset(" ".join(_GROUPS).split())
_WORKERS = sa.table("workers", sa.column("host", sa.String), sa.column("seen_at", sa.Double))


def file_system(file: Path, mounts: str) -> str | None:
    """The type of the file system that `file` (absolute, without links) is on; `mounts`: as in mountinfo(5)."""
    found: tuple[int, str] | None = None
    for line in mounts.splitlines():
        left, separator, right = line.partition(" - ")
        fields, kinds = left.split(" "), right.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), fields[4]))
        depth = len(point.parts)
        if file.is_relative_to(point) and (found is None or depth >= found[0]):  # what is mounted later hides
            found = depth, kinds[0]
    return None if found is None else found[1]


def place(engine: sa.Engine, mounts: Path = MOUNTS) -> str | None:
    """The type of the file system of a SQLite file; None for another database, and where it cannot be told."""
    if engine.dialect.name != "sqlite" or not mounts.exists():
        return None
    return file_system(Path(str(engine.url.database)).resolve(), mounts.read_text(errors="replace"))


def refuse_shared_file(engine: sa.Engine, mounts: Path = MOUNTS) -> None:
    """Raise UnusableDatabase when a SQLite file is on a file system of several machines."""
    kind = place(engine, mounts)
    if kind in _SHARED:
        raise UnusableDatabase(
            f"the database {engine.url.database} is on a file system that is not of this machine alone ({kind}), "
            "where SQLite may be damaged: put the data directory on a local disk, or use PostgreSQL (DATABASE_URL)"
        )


def refuse_other_host(conn: sa.Connection, host: str | None = None) -> None:
    """Raise UnusableDatabase when a worker of another host uses this SQLite file, too. `host`: this one's name."""
    if conn.dialect.name != "sqlite" or not sa.inspect(conn).has_table(_WORKERS.name):
        return
    here = host or socket.gethostname()
    lives = _WORKERS.c.host != here, _WORKERS.c.seen_at > now(conn) - _LIVES_S
    other = conn.scalar(sa.select(_WORKERS.c.host).where(*lives).limit(1))
    if other is not None:
        raise UnusableDatabase(
            f"a worker of the host {other} uses this SQLite database, and this is {here}: SQLite is for one "
            f"machine. Stop that worker (if it has died, start again in {_LIVES_S:.0f} s), or use PostgreSQL "
            "(DATABASE_URL)"
        )
