"""Names of what the broker makes: bounded, valid, and never the client's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helmbroker.broker.domain import naming

NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
ids = st.text(st.characters(exclude_categories=["Cs"]), max_size=300) | st.sampled_from(
    ["..", "x;touch${IFS}PWNED2;", "$(id)", "a/b", "-rf", "ß", "A" * 255]
)
few = settings(max_examples=40, deadline=None)


@pytest.mark.osb(19)
@pytest.mark.bug(2, 3, 73, 88)
@few
@given(ids, ids)
def test_any_ids_give_short_names_that_kubernetes_and_helm_take(instance_id: str, binding_id: str) -> None:
    instance = naming.instance_release("ns", "broker", instance_id)
    binding = naming.binding_release(instance, instance_id, binding_id)
    assert (instance.namespace, binding.namespace) == ("ns", "ns")
    assert NAME.fullmatch(instance.name)
    assert NAME.fullmatch(binding.name)
    assert (len(instance.name), len(binding.name)) == (23, 40)
    assert re.fullmatch("[0-9a-f]{16}", naming.binding_key(instance_id, binding_id))
    labels = naming.binding_labels("broker", instance_id, binding_id)
    assert all(LABEL.fullmatch(value) and len(value) <= 63 for value in labels.values())


def _name(broker_id: str, instance_id: str) -> str:
    return naming.instance_release("ns", broker_id, instance_id).name


@pytest.mark.osb(19)
@pytest.mark.bug(54)
@few
@given(ids, ids)
def test_different_ids_give_different_names(one: str, other: str) -> None:
    same = one == other
    assert (_name("broker", one) == _name("broker", other)) is same
    assert _name("broker", one) != _name("another broker", other)
    assert (naming.binding_key(one, other) == naming.binding_key(other, one)) is same


def test_no_split_of_the_same_characters_gives_the_same_name() -> None:
    assert len({naming.binding_key(*pair) for pair in (("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"))}) == 4


def test_names_never_change() -> None:
    """Releases and users of existing instances are found by them."""
    instance = naming.instance_release("helmbroker-instances", "0123456789abcdef", "3a4b")
    assert instance.name == "hb-c0655f4b359dcea24240"
    assert naming.binding_release(instance, "3a4b", "5c6d").name == "hb-c0655f4b359dcea24240-0a5cebe0c960d05d"


def test_labels_prove_that_a_release_is_ours() -> None:
    labels = naming.binding_labels("broker-1", "i", "b")
    assert labels.items() >= naming.instance_labels("broker-1", "i").items()
    assert labels["helmbroker.io/broker"] == "broker-1"
    assert naming.instance_labels("broker-1", "i") != naming.instance_labels("broker-2", "i")


@pytest.mark.bug(73)
def test_objects_are_named_after_the_release_or_as_the_broker_before_has_named_them() -> None:
    ours = naming.instance_release("ns", "broker", "i")
    bound = naming.binding_release(ours, "i", "b")
    assert [naming.fullname(each.name) for each in (ours, bound)] == [ours.name, bound.name]
    assert naming.fullname("mydb") == "helmbroker-mydb"
