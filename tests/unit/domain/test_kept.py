"""What the cluster remembers, as text."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from helmbroker.broker.domain.cluster import RecordSecret
from helmbroker.broker.domain.credentials import Credentials, Parameters
from helmbroker.broker.domain.instance import ServiceBinding, ServiceInstance
from helmbroker.broker.domain.kept import CannotRead, Kept, MadeSecret, Stage, decode, encode, opened, sealed
from helmbroker.broker.domain.naming import ReleaseRef
from helmbroker.sealing import KeyRing, Keys

REF = ReleaseRef("instances", "hb-1")
INSTANCE = ServiceInstance(
    "i", "s", "p", "org", "space", Parameters({"pin": "c4n4ry", "n": 1}), {"platform": "x"}, REF, "0" * 64
)
BINDING = ServiceBinding(
    "b", "i", "s", "p", "app", Parameters({"pin": "c4n4ry"}), {}, REF, "before", Credentials({"uri": "c4n4ry"}),
    [{"host": "h", "ports": ["5432"]}], 5.5, 4.5,
)  # fmt: skip
SECRET = MadeSecret("hb-1-admin", "Opaque", {"a": "b"}, {"password": "YzRuNHJ5"})
KEPT = [
    Kept(INSTANCE, Stage.MADE, 7, (SECRET,)),
    Kept(INSTANCE, Stage.MAKING),
    Kept(BINDING, Stage.MADE, 1),
    Kept(replace(BINDING, credentials=None, app_guid=None, predecessor_id=None), Stage.REMOVING),
]


@pytest.mark.parametrize("kept", KEPT)
def test_everything_comes_back(kept: Kept) -> None:
    assert decode(encode(kept)) == kept


def test_nothing_of_it_shows() -> None:
    shown = "".join(repr(kept) for kept in KEPT)
    assert ("c4n4ry" in shown, "YzRuNHJ5" in shown) == (False, False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "is no record"),
        (b"[]", "is no record"),
        (b'{"format": 2}', "has format 2; this program reads 1"),
        (b'{"format": 1, "stage": "made", "revision": 1, "secrets": []}', "is no record"),
        (encode(KEPT[0]).replace(b'"made"', b'"c4n4ry"'), "is no record"),
        (json.dumps(json.loads(encode(KEPT[0])) | {"secrets": [{}]}).encode(), "is no record"),
    ],
)
def test_what_is_no_record_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(CannotRead, match=why) as caught:
        decode(text)
    assert "c4n4ry" not in str(caught.value)


def test_the_same_thing_is_told_from_another_one() -> None:
    kept = KEPT[0]
    assert kept.same_thing(replace(INSTANCE, context={"platform": "y"}))
    assert not kept.same_thing(replace(INSTANCE, plan_id="q"))
    assert not kept.same_thing(replace(INSTANCE, parameters=Parameters({"pin": "other"})))
    assert not KEPT[2].same_thing(replace(BINDING, credentials=Credentials({"uri": "other"})))


@pytest.mark.parametrize("other", [ReleaseRef("instances", "hb-2"), ReleaseRef("elsewhere", "hb-1")])
def test_it_opens_in_its_place_alone(other: ReleaseRef) -> None:
    keys = Keys(KeyRing({"1": bytes(32)}, "1"))
    record = RecordSecret(REF, {}, sealed(keys, KEPT[0]))
    assert opened(keys, record) == KEPT[0]
    with pytest.raises(CannotRead, match="under another key, or has been changed"):
        opened(keys, replace(record, ref=other))
