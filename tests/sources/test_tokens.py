"""Registries that ask for a token, as most public ones do: where it comes from, and who sees the login."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helmbroker.catalog.sources import artifacts
from helmbroker.catalog.sources.fetch import fetch
from helmbroker.catalog.sources.model import Access, Reason, Source, SourceError, SourceKind
from helmbroker.catalog.sources.references import reference
from helmbroker.catalog.sources.signatures import private_key
from tests.sources.servers import Tokens, registry, served
from tests.unit.catalog.folders import write
from tests.unit.catalog.sources.keys import key_pair
from tests.unit.catalog.sources.places import got
from tests.unit.runtime.certificates import Authority

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]
PULL, PUSH = "repository:addons/demo:pull", "repository:addons/demo:pull,push"
CANARY = "canary-9be2"


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@contextmanager
def place(folder: Path, tokens: Tokens) -> Iterator[str]:
    """The name of an artifact in a registry that asks for the tokens."""
    with served(tokens) as url:
        tokens.realm = f"{url}/token"
        with registry(folder, tokens=tokens) as host:
            yield f"oci://{host}/addons/demo:1.0.0"


def push(folder: Path, location: str, login: str | None = "alice:secret") -> str:
    return artifacts.push(write(folder / "demo"), reference(location), Access(login=login))


def source(location: str, access: Access | None = None) -> Source:
    return Source("registry", SourceKind.OCI, location, access=access or Access())


def refused(work: Callable[[], object]) -> SourceError:
    with pytest.raises(SourceError) as refusal:
        work()
    assert CANARY not in refusal.value.message
    return refusal.value


@pytest.mark.parametrize("name", ["token", "access_token"])
def test_one_may_push_and_everybody_may_pull(tokens: Tokens, tmp_path: Path, name: str) -> None:
    """A token for each scope, asked for when it is needed."""
    tokens.name = name
    with place(tmp_path, tokens) as location:
        push(tmp_path, location)
        assert tokens.asked == [(PUSH, True)]
        tokens.asked.clear()
        assert got(source(location), tmp_path / "into").labels == ["demo"]
        assert tokens.asked == [(PULL, False)]


def test_a_signature_needs_a_token_for_more_than_was_read_with(tokens: Tokens, tmp_path: Path) -> None:
    private, _ = key_pair(tmp_path)
    with place(tmp_path, tokens) as location:
        digest = push(tmp_path, location)
        tokens.asked.clear()
        login = Access(login="alice:secret")
        artifacts.push_signature(reference(location), digest, private_key(private), login)
        assert tokens.asked == [(PULL, True), (PUSH, True)]


@pytest.mark.parametrize(("login", "asked"), [(None, (PUSH, False)), (f"alice:{CANARY}", (PUSH, True))])
def test_who_may_not_push_is_told(
    tokens: Tokens, tmp_path: Path, login: str | None, asked: tuple[str, bool]
) -> None:
    with place(tmp_path, tokens) as location:
        error = refused(lambda: push(tmp_path, location, login))
    assert (error.reason, "a login is needed, or it is wrong" in error.message) == (Reason.FETCHING, True)
    assert tokens.asked[0] == asked


def test_a_token_that_is_over_is_not_asked_for_without_end(tokens: Tokens, tmp_path: Path) -> None:
    with place(tmp_path, tokens) as location:
        push(tmp_path, location)
        tokens.asked.clear()
        tokens.lives_s = -300
        error = refused(lambda: fetch(source(location), tmp_path / "into", None))
    assert (error.reason, tokens.asked) == (Reason.FETCHING, [(PULL, False)])


def test_a_login_is_not_sent_without_tls_where_the_registry_has_it(
    tokens: Tokens, authority: Authority, tls: tuple[Path, Path], tmp_path: Path
) -> None:
    with served(tokens) as url:
        tokens.realm = f"{url}/token"
        with registry(tmp_path, tls=tls, tokens=tokens) as host:
            access = Access(login=f"alice:{CANARY}", ca_file=authority.ca)
            error = refused(lambda: fetch(source(f"oci://{host}/addons/demo:1", access), tmp_path / "into", None))
    assert "HTTP without TLS is refused" in error.message
    assert tokens.asked == []
    with served(tokens, tls) as url:
        tokens.realm = f"{url}/token"
        with registry(tmp_path, tls=tls, tokens=tokens) as host:
            access = Access(login="alice:secret", ca_file=authority.ca)
            name = reference(f"oci://{host}/addons/demo:1")
            artifacts.push(write(tmp_path / "demo"), name, access)
            assert got(source(str(name), access), tmp_path / "into").labels == ["demo"]
