"""TLS with a broker, over real connections: whom the bridge trusts, and how it shows who it is."""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import pytest
from cryptography.hazmat.primitives import serialization

from helmbroker.controller_bridge.broker_port import BrokerError, Unreachable
from helmbroker.controller_bridge.osb import OsbBroker
from helmbroker.controller_bridge.osb_tls import ClientTls
from tests.operations.bridge.osb_server import OsbServer
from tests.unit.runtime.certificates import LOCALHOST, Authority

REFUSED = "it refuses the bridge's client certificate"
Maker: TypeAlias = "Callable[..., Asking]"
TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def client(authority: Authority) -> tuple[Path, Path]:
    return authority.issue("bridge")


@pytest.fixture(scope="module")
def stranger(folder: Path) -> tuple[Path, Path]:
    """A certificate of an authority that the server does not know."""
    return Authority(folder, "stranger").issue("strange-bridge")


@contextmanager
def serving(
    authority: Authority, *, required: bool = True, version: ssl.TLSVersion = TLS_1_3
) -> Iterator[OsbServer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.ca))
    context.load_cert_chain(*authority.issue("server", [LOCALHOST]))
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_NONE
    context.maximum_version = version
    server = OsbServer(tls=context)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def demanding(authority: Authority) -> Iterator[OsbServer]:
    """A broker that takes nobody without a client certificate."""
    with serving(authority) as server:
        yield server


class Asking:
    """The catalog of a broker; asked for by connections that end with the test."""

    def __init__(self, url: str, *files: Path) -> None:
        self._broker = OsbBroker(url, None, cluster_id="c1", tls=ClientTls(*files), read_s=10)

    def __call__(self) -> list[str]:
        return [one.name for one in self._broker.catalog()]

    def close(self) -> None:
        with suppress(BrokerError):
            self._broker._session().close()


@pytest.fixture
def asking() -> Iterator[Maker]:
    """Makes them: URL, then the files: CA, certificate, key."""
    with ExitStack() as left:
        yield lambda *told: left.enter_context(closing(Asking(*told)))


def test_a_client_certificate_is_shown(
    demanding: OsbServer, authority: Authority, client: tuple[Path, Path], asking: Maker
) -> None:
    assert asking(demanding.url, authority.ca, *client)() == ["postgresql"]


# With TLS 1.3 the connection may be closed before the reason is read; it is asked again then.
VERSIONS = [(TLS_1_2, BrokerError), (TLS_1_3, (BrokerError, Unreachable))]


@pytest.mark.parametrize(("version", "errors"), VERSIONS)
def test_without_one_the_cure_is_told(
    authority: Authority, version: ssl.TLSVersion, errors: type[Exception], asking: Maker
) -> None:
    with serving(authority, version=version) as server:
        ask = asking(server.url, authority.ca)
        with pytest.raises(errors, match="it asks for a client certificate") as caught:
            ask()
    if isinstance(caught.value, BrokerError):
        assert "set the bridge's client certificate and key for it" in str(caught.value)


@pytest.mark.parametrize(("version", "errors"), VERSIONS)
def test_one_of_a_stranger_is_told_to_be_refused(
    authority: Authority,
    stranger: tuple[Path, Path],
    version: ssl.TLSVersion,
    errors: type[Exception],
    asking: Maker,
) -> None:
    with serving(authority, version=version) as server:
        ask = asking(server.url, authority.ca, *stranger)
        with pytest.raises(errors, match=REFUSED) as caught:
            ask()
    if isinstance(caught.value, BrokerError):
        assert "(alert unknown ca); give one that it trusts" in str(caught.value)


def test_a_broker_that_the_bridge_does_not_trust(authority: Authority, asking: Maker) -> None:
    with serving(authority, required=False) as server:
        of_nobody, of_another_name = (
            asking(server.url),
            asking(server.url.replace("localhost", "127.0.0.1"), authority.ca),
        )
        for ask, why in ((of_nobody, "self-signed certificate"), (of_another_name, "IP address mismatch")):
            with pytest.raises(BrokerError, match=rf"its certificate is not accepted \({why}.*; set the CA file"):
                ask()


def test_a_port_without_tls(authority: Authority, asking: Maker) -> None:
    with closing(OsbServer()) as server:
        ask = asking(server.url.replace("http:", "https:"), authority.ca)
        with pytest.raises(BrokerError, match=r"it does not speak the bridge's TLS \(.*\); mend the URL"):
            ask()


# Fatal alerts, and the beginning of an answer (RFC 8446, sections 5.1 and 6).
INTERNAL_ERROR, PROTOCOL_VERSION = (bytes((21, 3, 3, 0, 2, 2, code)) for code in (80, 70))
BEGINNING = bytes((22, 3, 3, 0, 50, 2))


@contextmanager
def breaking_off(last_words: bytes) -> Iterator[str]:
    """The URL of a broker that says this to one ClientHello, and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(last_words)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize("last_words", [b"", INTERNAL_ERROR, BEGINNING], ids=["", "alert", "half"])
def test_a_broker_that_restarts_is_asked_again(last_words: bytes, authority: Authority, asking: Maker) -> None:
    with breaking_off(last_words) as url, pytest.raises(Unreachable, match=r"broke TLS off.*; if it goes on so"):
        asking(url, authority.ca)()


def test_one_that_has_no_common_version_is_not(authority: Authority, asking: Maker) -> None:
    with breaking_off(PROTOCOL_VERSION) as url, pytest.raises(BrokerError, match=r"\(alert protocol version\)"):
        asking(url, authority.ca)()


def test_renewed_files_are_shown_once_they_belong_together(
    demanding: OsbServer,
    authority: Authority,
    client: tuple[Path, Path],
    stranger: tuple[Path, Path],
    tmp_path: Path,
    asking: Maker,
) -> None:
    shown = tmp_path / "tls.crt", tmp_path / "tls.key"
    ask = asking(demanding.url, authority.ca, *shown)
    _put(client, shown)
    assert ask()
    _put(stranger[:1], shown[:1])
    assert ask(), "half renewed: the pair of before goes on"
    _put(stranger, shown)
    with pytest.raises((BrokerError, Unreachable), match=REFUSED):
        ask()
    _put(client, shown)
    assert ask()


def test_files_that_cannot_be_used_are_used_once_they_can(
    demanding: OsbServer,
    authority: Authority,
    client: tuple[Path, Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    asking: Maker,
) -> None:
    shown = tmp_path / "tls.crt", tmp_path / "tls.key"
    ask = asking(demanding.url, authority.ca, *shown)
    with pytest.raises(
        BrokerError, match="client certificate for it is not usable; the log of the bridge says why"
    ):
        ask()
    assert f"{shown[0]} cannot be read (No such file or directory): put the PEM file there" in caplog.text
    _put(client, shown)
    assert ask()


def test_what_is_wrong_with_files_is_told_by_name(
    authority: Authority, client: tuple[Path, Path], stranger: tuple[Path, Path], tmp_path: Path
) -> None:
    assert ClientTls().fault() is None
    assert ClientTls(authority.ca, *client).fault() is None
    mixed = ClientTls(authority.ca, client[0], stranger[1]).fault()
    assert mixed == f"{stranger[1]} is not the key of the certificate in {client[0]}: put a pair there"
    text, missing = tmp_path / "text", tmp_path / "missing"
    text.write_text("no certificate")
    assert ClientTls(text).fault() == f"{text} is no PEM file of its kind: CA, certificate, key"
    assert str(ClientTls(authority.ca, *client[:1], text).fault()).endswith(
        "is no PEM file of its kind: CA, certificate, key"
    )
    assert str(ClientTls(None, client[0], missing).fault()).startswith(f"{missing} cannot be read (No such file")
    assert str(ClientTls(tmp_path).fault()).startswith(f"{tmp_path} cannot be read (Is a directory)")


def test_a_key_with_a_passphrase_is_told_and_nobody_is_asked(client: tuple[Path, Path], tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(client[1].read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"canary"),
        )
    )
    assert "is encrypted: nobody can be asked for its passphrase" in str(ClientTls(None, client[0], locked).fault())


def _put(files: tuple[Path, ...], places: tuple[Path, ...]) -> None:
    for file, place in zip(files, places, strict=True):
        new = place.with_suffix(".new")
        shutil.copyfile(file, new)
        new.replace(place)
