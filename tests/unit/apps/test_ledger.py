"""The ledger: what is kept, what it says about releases, and Secrets that are not its own."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from helmbroker.controller_bridge.apps.ledger import Entry, Ledger, LedgerStore
from helmbroker.controller_bridge.apps.names import LEDGER_TYPE, MANAGED_BY, MANAGER, RELEASE
from helmbroker.controller_bridge.apps.port import AppReleaseError, CannotRelease, ReleaseState
from helmbroker.kubeapi.errors import Conflict, Invalid
from tests.fakes.kube import FakeKube

APP = "shop"
CONFIG = {"addon_db": {"DATABASE_URL": "postgres://canary@db/ä"}}


def entry(number: int, predecessor: int | None = None, back_to: int | None = None, **more: object) -> Entry:
    made = Entry(
        number, number, {"web": "shop:1"}, CONFIG, "ann", "why", "2026-01-02T03:04:05Z", f"k{number}", predecessor
    )
    return replace(made, rolled_back_to=back_to, **more)  # type: ignore[arg-type]


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube(APP)


@pytest.fixture
def store(kube: FakeKube) -> LedgerStore:
    return LedgerStore(kube)


def test_what_was_written_is_read(store: LedgerStore) -> None:
    second = entry(10, 9, 3, restored={"web": "shop:0"}, state=ReleaseState.FAILED, reason="because")
    assert store.append(APP, second)
    assert store.append(APP, entry(9))
    assert store.read(APP) == Ledger(APP, (entry(9), second))
    assert store.read("other") == Ledger("other")


def test_the_secret_is_immutable_and_says_whose_it_is(kube: FakeKube, store: LedgerStore) -> None:
    store.append(APP, entry(3))
    secret = kube.get("Secret", APP, "app-release-v3")
    assert secret is not None
    assert (secret["type"], secret["immutable"]) == (LEDGER_TYPE, True)
    assert secret["metadata"]["labels"] == {
        MANAGED_BY: MANAGER,
        RELEASE: "3",
        "helmbroker.io/app-release-state": "pending",
    }
    with pytest.raises(Invalid):
        kube.patch("Secret", APP, "app-release-v3", {"data": {"release": ""}})


def test_a_number_is_taken_once(store: LedgerStore) -> None:
    assert store.append(APP, entry(3))
    assert not store.append(APP, entry(3))


def test_a_foreign_secret_in_the_way_is_told(kube: FakeKube, store: LedgerStore) -> None:
    metadata = {"name": "app-release-v3", "namespace": APP}
    kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": {}})
    with pytest.raises(
        CannotRelease, match=r"Secret shop/app-release-v3 was not made by the bridge.*rename or delete"
    ):
        store.append(APP, entry(3))
    with pytest.raises(CannotRelease, match="was not made by the bridge"):
        store.mark(APP, 3, ReleaseState.FAILED)
    assert store.read(APP).entries == ()


def test_outcomes_are_marked_and_taken_back(store: LedgerStore) -> None:
    store.append(APP, entry(3))
    store.mark(APP, 3, ReleaseState.FAILED, "no room")
    assert store.read(APP).entry(3) == entry(3, state=ReleaseState.FAILED, reason="no room")
    store.mark(APP, 3, ReleaseState.SUCCEEDED)
    assert store.read(APP).entry(3) == entry(3, state=ReleaseState.SUCCEEDED)


def test_a_mark_that_is_there_is_not_written_again(kube: FakeKube, store: LedgerStore) -> None:
    store.append(APP, entry(3))
    store.mark(APP, 3, ReleaseState.FAILED, "x" * 5000)
    kube.calls.clear()
    store.mark(APP, 3, ReleaseState.FAILED, "x" * 5000)
    assert [call[0] for call in kube.calls] == ["get"]


def test_a_mark_survives_others_writing(kube: FakeKube, store: LedgerStore) -> None:
    store.append(APP, entry(3))
    interruptions = iter(("1", "2"))

    def interrupt(verb: str, kind: str, namespace: str | None, name: str | None) -> None:
        note = next(interruptions, None) if verb == "patch" else None
        if note:
            kube.before, hook = None, kube.before
            kube.patch("Secret", APP, "app-release-v3", {"metadata": {"annotations": {"note": note}}})
            kube.before = hook

    kube.before = interrupt
    store.mark(APP, 3, ReleaseState.SUCCEEDED)
    assert store.read(APP).entry(3).state is ReleaseState.SUCCEEDED


def test_a_mark_gives_up_when_others_never_stop(kube: FakeKube, store: LedgerStore) -> None:
    store.append(APP, entry(3))

    def always(verb: str, kind: str, namespace: str | None, name: str | None) -> None:
        if verb == "patch":
            raise Conflict("patch", "changed", status=409, reason="Conflict")

    kube.before = always
    with pytest.raises(AppReleaseError, match="changes all the time"):
        store.mark(APP, 3, ReleaseState.SUCCEEDED)


def test_a_release_that_is_gone_cannot_be_marked(store: LedgerStore) -> None:
    with pytest.raises(CannotRelease, match="Secret shop/app-release-v3 is gone"):
        store.mark(APP, 3, ReleaseState.SUCCEEDED)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"canary": 1}', b"not json: canary"])
def test_an_entry_that_cannot_be_read_is_told_without_its_content(
    kube: FakeKube, store: LedgerStore, content: bytes
) -> None:
    metadata = {"name": "app-release-v1", "namespace": APP, "labels": {MANAGED_BY: MANAGER, RELEASE: "1"}}
    data = {"release": base64.b64encode(content).decode()}
    kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": LEDGER_TYPE, "data": data})
    with pytest.raises(AppReleaseError, match="Secret shop/app-release-v1 cannot be read") as caught:
        store.read(APP)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_nothing_shows_values() -> None:
    shown = repr(entry(3)) + repr(Ledger(APP, (entry(3),))) + repr(entry(3).told())
    assert "canary" not in shown
    assert entry(3).told().config == {"addon_db": ("DATABASE_URL",)}


def test_what_a_release_contains() -> None:
    ledger = Ledger(
        APP, (entry(1), entry(2, 1), entry(3, 2), entry(4, 3, 1), entry(5, 4), entry(6, 5, 3), entry(7, 6, 4))
    )
    contained = {
        newer.number: [number for number in range(1, 8) if ledger.builds_on(newer, number)]
        for newer in ledger.entries
    }
    assert contained == {
        1: [1],
        2: [1, 2],
        3: [1, 2, 3],
        4: [1, 4],
        5: [1, 4, 5],
        6: [1, 2, 3, 6],
        7: [1, 4, 7],
    }


def test_a_hole_in_the_ledger_ends_what_is_contained() -> None:
    ledger = Ledger(APP, (entry(1), entry(3, 2)))
    assert not ledger.builds_on(ledger.entry(3), 1)


def test_where_changes_start_and_failures_return() -> None:
    good, bad = ReleaseState.SUCCEEDED, ReleaseState.FAILED
    ledger = Ledger(APP, (entry(1, state=good), entry(2, 1, state=bad), entry(3, 1), entry(4, 3, state=bad)))
    assert (ledger.latest, ledger.base) == (ledger.entry(4), ledger.entry(3))
    assert ledger.succeeded_before(4) == ledger.entry(1)
    assert ledger.succeeded_before(1) is None
    assert ledger.of_key("k3") == ledger.entry(3)
    assert Ledger(APP, (entry(1, key=""),)).of_key("") is None
    with pytest.raises(CannotRelease, match="app shop has no release v9: it has v1 to v4"):
        ledger.entry(9)
    with pytest.raises(CannotRelease, match="app shop has no release v1: it has none"):
        Ledger(APP).entry(1)
