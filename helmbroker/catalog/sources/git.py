"""Addons in a git repository: git fetches one commit, and its files are read out of git's store.

Nothing is checked out: no hook, filter, attribute, link or submodule of the repository does anything here.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from helmbroker.catalog.sources import folders
from helmbroker.catalog.sources.model import Access, Fetched, Reason, Source, SourceError
from helmbroker.catalog.sources.web import check_transport, secret_line, shown

MAX_REPOSITORY_BYTES = 200 << 20  # of git's store, for the one commit
_MAX_BYTES = 50 << 20  # of all files that are read
_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_FILE = re.compile(rb"(\d{6}) (\w+) ([0-9a-f]+) +(-|\d+)\t(.*)", re.DOTALL)
_PLAIN = frozenset({b"100644", b"100755"})
_TIMEOUT_S = 120.0
_LOOK_S = 0.2
_PASSED_ON = ("PATH", "http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY", "LANG")


def git_source(source: Source, into: Path, seen: str | None, *, most_files: int = 20_000) -> Fetched | None:
    """The addons at or below `path` in the commit that `ref` means. None: it is what was `seen`.

    Raises SourceError.
    """
    with tempfile.TemporaryDirectory(dir=into) as temporary:
        git = _Git(source, Path(temporary))
        commit = git.commit()
        if commit == seen:
            return None
        git.fetch(commit)
        fetched = Fetched(commit)
        top = Path(temporary, "files", folders.stem(source.location.removesuffix(".git")))
        top.mkdir(parents=True)
        links = git.write(commit, top, most_files)
        folders.take(top, into, top.name, fetched)
        for each in links:
            _refuse(each, into, fetched, top)
        return fetched


class _Git:
    """One repository in `folder`, which also is git's home."""

    def __init__(self, source: Source, folder: Path) -> None:
        self._source, self._url = source, source.location
        if source.location.startswith("http"):
            check_transport(source.location, source.access.insecure)
        self._repository = folder / "repository"
        self._environment = _environment(source, folder)
        self._run("init", "--quiet", "--bare", str(self._repository))

    def commit(self) -> str:
        """What the ref is now; one that is a commit is itself."""
        if _COMMIT.fullmatch(self._source.ref):
            return self._source.ref
        ref = self._source.ref
        told = self._run("ls-remote", "--", self._url, ref, f"{ref}^{{}}").decode("ascii", "replace")
        refs = {name: commit for commit, _, name in (line.partition("\t") for line in told.splitlines())}
        for name in (ref, f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}"):
            if _COMMIT.fullmatch(refs.get(name, "")):
                return refs[name]
        raise SourceError(
            Reason.FETCHING, f"{shown(self._url)}: there is no branch or tag {ref}; mistyped, or not pushed?"
        )

    def fetch(self, commit: str) -> None:
        self._run("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", self._url, commit)

    def write(self, commit: str, top: Path, most_files: int) -> list[PurePosixPath]:
        """Write the plain files below `path` to `top`; what is none (links, submodules) is returned instead."""
        listed = self._run("ls-tree", "-r", "-z", "--long", "--full-tree", commit)
        start = PurePosixPath(self._source.path)
        files: dict[PurePosixPath, str] = {}
        links: list[PurePosixPath] = []
        size = 0
        for line in filter(None, listed.split(b"\0")):
            match = _FILE.fullmatch(line)
            path = PurePosixPath(os.fsdecode(match[5])) if match else PurePosixPath()
            if match is None or not path.is_relative_to(start):
                continue
            if match[1] not in _PLAIN:
                links.append(path.relative_to(start))
                continue
            size += int(match[4])
            files[path.relative_to(start)] = match[3].decode()
        if len(files) > most_files or size > _MAX_BYTES:
            raise SourceError(
                Reason.FETCHING,
                f"{shown(self._url)}: more than {most_files} files or {_MAX_BYTES} bytes; set path to fewer",
            )
        if not files:
            raise SourceError(Reason.FETCHING, f"{shown(self._url)}: there is no folder {start} in {commit}")
        self._contents(files, top)
        return links

    def _contents(self, files: Mapping[PurePosixPath, str], top: Path) -> None:
        asked = "".join(f"{each}\n" for each in files.values()).encode()
        answer = memoryview(self._run("cat-file", "--batch", given=asked))
        at = 0
        for path in files:
            if ".." in path.parts or ".git" in path.parts:
                raise SourceError(Reason.ARCHIVE, f"{shown(self._url)}: {str(path)!r} is no path of a file")
            head, newline, _ = bytes(answer[at : at + 200]).partition(b"\n")
            if not newline or b" blob " not in head:
                raise SourceError(Reason.FETCHING, f"{shown(self._url)}: git has not fetched {str(path)!r}")
            end, size = at + len(head), int(head.split()[2])
            target = top / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(answer[end + 1 : end + 1 + size])
            at = end + 1 + size + 1

    def _run(self, command: str, *arguments: str, given: bytes = b"") -> bytes:
        where = () if command in ("init", "ls-remote") else (f"--git-dir={self._repository}",)
        argv = ["git", *where, command, *arguments]
        with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as complaint, _input(given) as sent:
            try:
                process = subprocess.Popen(
                    argv, env=self._environment, stdin=sent, stdout=told, stderr=complaint, process_group=0
                )
            except OSError:
                raise SourceError(Reason.FETCHING, "there is no program git; install it") from None
            self._wait(process)
            told.seek(0)
            complaint.seek(0)
            if process.returncode:
                raise SourceError(Reason.FETCHING, f"{shown(self._url)}: {_cause(complaint.read(65536))}")
            return told.read()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Until it ends, takes too long, or has stored too much; then it ends with its whole group."""
        end = time.monotonic() + _TIMEOUT_S
        problem = None
        try:
            while problem is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_S)
                    return
                if time.monotonic() > end:
                    problem = f"git took longer than {_TIMEOUT_S:.0f} s"
                elif _size(self._repository) > MAX_REPOSITORY_BYTES:
                    problem = f"has more than {MAX_REPOSITORY_BYTES} bytes in one commit"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        raise SourceError(Reason.FETCHING, f"{shown(self._url)}: {problem}")


def _refuse(link: PurePosixPath, into: Path, fetched: Fetched, top: Path) -> None:
    """An addon with a link or a submodule in it is not taken; links elsewhere in the repository are nobody's."""
    for name, folder in [(folders.label(each, top, top.name), each) for each in folders.found(top)]:
        if (top / link).is_relative_to(folder) and name in fetched.labels:
            fetched.labels.remove(name)
            shutil.rmtree(into / name)
            inside = (top / link).relative_to(folder)
            message = f"{inside} is a link or a submodule; addons hold plain files only"
            fetched.failed[name] = SourceError(Reason.ARCHIVE, message)


def _environment(source: Source, home: Path) -> dict[str, str]:
    """All that git gets to know; logins are in a file of its home."""
    access = source.access
    (home / ".gitconfig").touch(mode=0o600)
    (home / ".gitconfig").write_text(_configuration(source))
    local = ":file" if access.insecure else ""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {
        **passed,
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_ALLOW_PROTOCOL": f"https:http:ssh{local}",
        "GIT_SSH_COMMAND": _ssh(access),
        "GIT_SSH_VARIANT": "ssh",
    }


def _configuration(source: Source) -> str:
    access = source.access
    lines = [
        "[core]\n\thooksPath = /dev/null\n\tfsmonitor = false",
        "[credential]\n\thelper =",
        "[fetch]\n\tfsckObjects = true",
        "[http]\n\tfollowRedirects = false\n\tlowSpeedLimit = 1000\n\tlowSpeedTime = 30",
        "[protocol]\n\tversion = 2",
        "[gc]\n\tauto = 0",
    ]
    if access.ca_file is not None:
        lines.append(f"\n[http]\n\tsslCAInfo = {_quoted(str(access.ca_file.absolute()))}")
    header = None
    if access.login_file is not None:
        header = f"Basic {base64.b64encode(secret_line(access.login_file).encode()).decode()}"
    if access.token_file is not None:
        header = f"Bearer {secret_line(access.token_file)}"
    if header is not None and source.location.startswith("http"):
        parts = urlsplit(source.location)
        lines.append(
            f"[http {_quoted(f'{parts.scheme}://{parts.netloc}/')}]\n"
            f"\textraHeader = {_quoted(f'Authorization: {header}')}"
        )
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A value of git's configuration."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _ssh(access: Access) -> str:
    """git hands this to a shell, so every part is quoted. Hosts must be known: nobody is there to be asked."""
    options = [
        "-F",
        "/dev/null",
        "-o",
        "BatchMode=yes",
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        "ConnectTimeout=10",
    ]
    if access.known_hosts_file is not None:
        options += ["-o", f"UserKnownHostsFile={access.known_hosts_file.absolute()}"]
    if access.ssh_key_file is not None:
        options += ["-i", str(access.ssh_key_file.absolute()), "-o", "IdentitiesOnly=yes"]
    return shlex.join(["ssh", *options])


def _cause(complaint: bytes) -> str:
    """git's last words, in one line; it never prints the header that logs in."""
    lines = [line for line in complaint.decode("utf-8", "replace").splitlines() if line.strip()]
    words = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))] or lines[-1:]
    text = " ".join(" ".join(words).split())
    return f"git cannot read it: {shown(text)[:300] or 'it does not say why'}"


def _size(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # git moves its files while we look
            size += path.lstat().st_size
    return size


@contextlib.contextmanager
def _input(given: bytes) -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(given)
        file.seek(0)
        yield file.fileno()
