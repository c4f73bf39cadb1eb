"""HTTP as it really goes wrong: cut off, by a wrong name, without an authority, nobody there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helmbroker.catalog.sources.model import Access, SourceError
from helmbroker.catalog.sources.web import Web
from tests.sources.servers import served
from tests.unit.runtime.certificates import Authority

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

pytestmark = pytest.mark.processes


def whole(_environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    start("200 OK", [("Content-Length", "5")])
    return [b"hello"]


def cut(_environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    start("200 OK", [("Content-Length", "500")])
    return [b"hello"]


def refused(access: Access, url: str) -> str:
    with pytest.raises(SourceError) as refusal:
        Web(access, url).fetch(url, most=1000)
    return refusal.value.message


def test_an_authority_of_its_own(authority: Authority, tls: tuple[Path, Path], tmp_path: Path) -> None:
    other = Authority(tmp_path, "another")
    with served(whole, tls) as url:
        assert Web(Access(ca_file=authority.ca), url).fetch(url, most=1000) == b"hello"
        assert "its certificate is not vouched for" in refused(Access(), url)
        assert "its certificate is not vouched for" in refused(Access(ca_file=other.ca), url)
        assert "its certificate is not vouched for" in refused(
            Access(ca_file=authority.ca), url.replace("localhost", "127.0.0.1")
        ), "it is that of another name"


@pytest.mark.bug(76)
def test_an_answer_that_is_cut_off(authority: Authority, tls: tuple[Path, Path]) -> None:
    with served(cut, tls) as url:
        assert "the answer is cut off or damaged" in refused(Access(ca_file=authority.ca), url)


@pytest.mark.bug(76)
def test_nobody_is_there() -> None:
    with served(whole) as url:
        gone = url
    assert "no connection" in refused(Access(), gone)
