"""Where a server listens, and how it shows who it is."""

from __future__ import annotations

import logging
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from helmbroker.runtime.deadlines import TlsSocket

_LOG = logging.getLogger("helmbroker.serve")
_HIGHEST_PORT = 65535
REQUEST_IDENTITY = "helmbroker.request_identity"  # in a WSGI environ: as the application has found or made it
PEER_CERTIFICATE = "helmbroker.peer_certificate"  # in a WSGI environ: ssl's getpeercert(), when a client showed one


def address(listen: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[v6 address]:port`. Raises ValueError."""
    host, _, port = listen.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > _HIGHEST_PORT:
        raise ValueError("must be host:port, for example 0.0.0.0:8080 or [::]:8080")
    return host.strip("[]"), int(port)


@dataclass(frozen=True)
class Tls:
    """PEM files. With `client_ca`, clients may show a certificate that it vouches for, or must."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    client_required: bool = False

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that may be renewed."""
        return tuple(file for file in (self.certificate, self.key, self.client_ca) if file is not None)

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or newer. Raises OSError (ssl.SSLError is one) when a file cannot be used."""
        made = _Context(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.sslsocket_class = TlsSocket
        made.load_cert_chain(self.certificate, self.key)
        if self.client_ca is not None:
            made.load_verify_locations(self.client_ca)
            made.verify_mode = ssl.CERT_REQUIRED if self.client_required else ssl.CERT_OPTIONAL
        return made


class _Context(ssl.SSLContext):
    """One whose handshakes end: they are a part of the time that the first request may take."""

    def wrap_socket(self, sock: Any, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        sock.settimeout(sock.left())
        wrapped = super().wrap_socket(sock, *args, **kwargs)
        if isinstance(wrapped, TlsSocket):
            wrapped.begin(sock.left())
        return wrapped


class TlsFiles(Protocol):
    """Files of one side of TLS, and what is made of them."""

    @property
    def files(self) -> tuple[Path, ...]: ...

    def context(self) -> ssl.SSLContext: ...


class RenewedContext:
    """The context over the files as they are now: renewed certificates are shown without a restart."""

    def __init__(self, tls: TlsFiles) -> None:
        self._tls = tls
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._context = tls.context()

    def current(self) -> ssl.SSLContext:
        """Files that cannot be used just now, half renewed perhaps, leave the context before."""
        with self._lock:
            try:
                stamp = self._stamp()
                if stamp != self._seen:
                    self._seen = stamp
                    self._context = self._tls.context()
                    _LOG.info("certificate read again", extra={"files": list(map(str, self._tls.files))})
            except OSError as error:
                _LOG.error("the certificate cannot be read again: %s", error.strerror or type(error).__name__)
            return self._context

    def _stamp(self) -> tuple[object, ...]:
        stats = [file.stat() for file in self._tls.files]
        return tuple((stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in stats)
