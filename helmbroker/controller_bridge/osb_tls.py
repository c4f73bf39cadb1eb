"""TLS with a service broker: whom the bridge trusts, how it shows who it is itself, and what a failure means."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from helmbroker.controller_bridge.broker_port import BrokerError, Unreachable
from helmbroker.runtime.listening import RenewedContext

_LOG = logging.getLogger("helmbroker.bridge")
_WORD = "TLS"
_MISMATCH = "KEY_VALUES_MISMATCH"
# How the reasons end by which the other side misses our certificate, or dislikes it (RFC 8446, section 6.2).
_REFUSALS = (
    "HANDSHAKE_FAILURE",
    "CERTIFICATE_REQUIRED",
    "UNKNOWN_CA",
    "BAD_CERTIFICATE",
    "UNSUPPORTED_CERTIFICATE",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_UNKNOWN",
    "ACCESS_DENIED",
)
_FAULTS = (ssl.SSLError, ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True)
class ClientTls:
    """PEM files: whom to trust instead of the usual authorities, and the client certificate with its key."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that may be renewed."""
        return tuple(file for file in (self.ca, self.certificate, self.key) if file is not None)

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or newer. Raises OSError (ssl.SSLError is one) when a file cannot be used."""
        made = ssl.create_default_context(cafile=str(self.ca or DEFAULT_CA_BUNDLE_PATH))
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate is not None:
            made.load_cert_chain(self.certificate, self.key, password=_no_passphrase)
        return made

    def fault(self) -> str | None:
        """What is wrong with the files, by their names, and what to do; None: they can be used."""
        for file in self.files:
            try:
                file.read_bytes()
            except OSError as error:
                return f"{file} cannot be read ({error.strerror}): put the PEM file there"
        try:
            self.context()
        except _Encrypted:
            return f"{self.key} is encrypted: nobody can be asked for its passphrase, so store it without one"
        except ssl.SSLError as error:
            if error.reason == _MISMATCH:
                return f"{self.key} is not the key of the certificate in {self.certificate}: put a pair there"
            return f"{' or '.join(map(str, self.files))} is no PEM file of its kind: CA, certificate, key"
        return None


class BrokerTls:
    """The TLS of one broker: its files are read again when they change. Safe for threads."""

    def __init__(self, files: ClientTls) -> None:
        self._files = files
        self._renewed: RenewedContext | None = None

    def context(self) -> ssl.SSLContext:
        """What the files say now; or said before, while they are half renewed. Raises BrokerError without any."""
        try:
            self._renewed = self._renewed or RenewedContext(self._files)
        except OSError:
            _LOG.error("the files for TLS with a broker are not usable: %s", self._files.fault())
            why = "the bridge's CA or client certificate for it is not usable; the log of the bridge says why"
            raise BrokerError(0, _WORD, why) from None
        return self._renewed.current()

    def meaning(self, error: requests.RequestException, place: str) -> BrokerError | Unreachable | None:
        """What failed, when TLS did; None: something else. `place`: the broker's address."""
        fault = next((each for each in _causes(error) if isinstance(each, _FAULTS)), None)
        if fault is None:
            return None
        if isinstance(fault, ssl.SSLCertVerificationError):
            why = f"its certificate is not accepted ({fault.verify_message}); set the CA file, or mend the URL"
            return BrokerError(0, _WORD, why)
        reason = (getattr(fault, "reason", None) or "").removeprefix("TLSV1_").removeprefix("SSLV3_")
        said = reason.lower().replace("_", " ")
        shows = self._files.certificate is not None
        wish = "refuses the bridge's client certificate" if shows else "asks for a client certificate"
        if reason.endswith(_REFUSALS):
            cure = "give one that it trusts" if shows else "set the bridge's client certificate and key for it"
            return BrokerError(0, _WORD, f"it {wish} ({said}); {cure}")
        if not reason or isinstance(fault, ssl.SSLEOFError) or reason.endswith("INTERNAL_ERROR"):
            # This is what a broker does that restarts.
            why = f" ({said})" if said else ""
            return Unreachable(f"the broker at {place} broke TLS off{why}; if it goes on so, perhaps it {wish}")
        return BrokerError(0, _WORD, f"it does not speak the bridge's TLS ({said}); mend the URL")


class TlsAdapter(HTTPAdapter):
    """Connections by one context, which has everything: requests would add authorities of its own."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def cert_verify(self, *_args: Any) -> None:
        """The context does it."""


class _Encrypted(OSError):
    """A key with a passphrase."""


def _no_passphrase() -> str:
    """Without it OpenSSL asks at the terminal, and waits."""
    raise _Encrypted


def _causes(error: BaseException) -> Iterator[BaseException]:
    """It and what it was made of: requests and urllib3 keep that in several places."""
    seen: set[int] = set()
    left: list[object] = [error]
    while left:
        each = left.pop()
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            left += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]
