"""Names of OCI artifacts: `oci://host[:port]/repository[:tag][@sha256:...]`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from helmbroker.catalog.sources.model import Reason, SourceError

_REFERENCE = re.compile(
    r"oci://(?P<host>[A-Za-z0-9.-]+(:[0-9]+)?)/(?P<repository>[a-z0-9]+([._/-]+[a-z0-9]+)*)"
    r"(:(?P<tag>\w[\w.-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True)
class Reference:
    """tag and digest: None where the name says none."""

    host: str
    repository: str
    tag: str | None
    digest: str | None

    def __str__(self) -> str:
        tag, digest = (f":{self.tag}" if self.tag else ""), (f"@{self.digest}" if self.digest else "")
        return f"oci://{self.host}/{self.repository}{tag}{digest}"

    @property
    def name(self) -> str:
        """The last part of the repository."""
        return self.repository.rpartition("/")[2]


def reference(text: str) -> Reference:
    """Raises SourceError."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise SourceError(Reason.FETCHING, f"{text} is no name of an OCI artifact: oci://host/repository:tag")
    return Reference(match["host"], match["repository"], match["tag"], match["digest"])
