"""Images in the sandbox's containerd, through its own client `ctr`."""

import subprocess
from pathlib import Path
from typing import IO, cast

from sandbox import oci
from sandbox.errors import FailedError


class Containerd:
    """Reached by its socket, which is a file."""

    def __init__(self, socket: Path) -> None:
        self._ctr = ["ctr", "--address", str(socket), "--namespace", "k8s.io"]

    def ready(self) -> bool:
        """Whether it answers."""
        return subprocess.run([*self._ctr, "version"], capture_output=True, check=False).returncode == 0

    def images(self) -> dict[str, str]:
        """Reference to digest of what is there; FailedError when containerd does not answer."""
        answer = subprocess.run([*self._ctr, "images", "list"], capture_output=True, text=True, check=False)
        if answer.returncode:
            raise FailedError(f"containerd does not answer: {answer.stderr.strip()}")
        return parse_images(answer.stdout)

    def add(self, image: oci.Image) -> None:
        """Import an image as a stream: no archive is written anywhere."""
        command = [*self._ctr, "images", "import", "-"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as importer:
            stream = cast("IO[bytes]", importer.stdin)
            errors = cast("IO[bytes]", importer.stderr)
            try:
                with stream:
                    oci.write_archive(image, stream)
            except BrokenPipeError:
                pass  # it ended early, and says why below
            complaint = errors.read().decode(errors="replace").strip()
        if importer.returncode:
            raise FailedError(f"importing {image.ref} failed: {complaint}")


def parse_images(listing: str) -> dict[str, str]:
    """Reference to digest, from what `ctr images list` prints (REF TYPE DIGEST SIZE ...)."""
    rows = (line.split() for line in listing.splitlines()[1:])
    return {row[0]: row[2] for row in rows if len(row) > 2 and row[2].startswith("sha256:")}
