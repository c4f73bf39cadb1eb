"""What messages mean, where no recorded cluster says it (see also tests/unit/kube/test_readiness.py)."""

from __future__ import annotations

import pytest

from helmbroker.kubeapi import causes

DOCKER = (
    'failed to resolve reference "docker.io/library/x:1": pull access denied, repository does not exist or may '
    "require authorization: server message: insufficient_scope: authorization failed"
)
PULLS = {
    DOCKER: "The registry has no such repository, or wants a login: check both",
    'Head "https://r/v2/": x509: certificate signed by unknown authority': "The registry cannot be reached: ",
    'Head "https://r/v2/": dial tcp 10.0.0.9:443: i/o timeout': "The registry cannot be reached: ",
    "manifest unknown": "The registry does not have it: ",
    "something else": "Check the name, the registry and the pull secret",
}


@pytest.mark.parametrize(("message", "cure"), PULLS.items())
def test_what_to_do_about_an_image(message: str, cure: str) -> None:
    assert causes.pull(message).startswith(cure)


REFUSALS = {
    'admission webhook "guard.example.com" denied the request: no latest tags': (
        'admission webhook "guard.example.com" denies it: no latest tags. Do as it says, or have that rule changed'
    ),
    "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: too many": (
        "ValidatingAdmissionPolicy 'p' denies it: too many. Do as it says, or have that rule changed"
    ),
    'pods "x" is forbidden: error looking up service account n/s: serviceaccount "s" not found': (
        'pods "x" may not be made: there is no service account s. Make it, or let the chart make it'
    ),
    'pods "x" is forbidden: exceeded quota: q, requested: cpu=2,pods=1, used: cpu=1,pods=4, limited: cpu=2,pods=4': (  # noqa: E501  # one message
        'pods "x" may not be made: quota q is exceeded (cpu: 2 asked, 1 of 2 used; pods: 1 asked, 4 of 4 used). '
        "Raise the quota, choose a smaller plan, or remove what is not needed"
    ),
    'pods "x" is forbidden: [minimum cpu usage per Container is 1, but request is 1m, more]': (
        'pods "x" may not be made: a LimitRange of the namespace does not allow it (minimum cpu usage per '
        "Container is 1, but request is 1m, more). Choose a plan within these limits, or change the LimitRange"
    ),
}


@pytest.mark.parametrize(("message", "told"), REFUSALS.items())
def test_who_refuses_and_what_helps(message: str, told: str) -> None:
    assert causes.refused(message) == told


def test_a_long_list_of_a_quota_is_told_whole() -> None:
    """The message of the cluster is longer than what is told of others; asked, used and limit are at its end."""
    names = [f"requests.example.com/resource-{number}" for number in range(20)]
    asked, used, limits = (",".join(f"{name}={amount}" for name in names) for amount in (1, 2, 3))
    told = causes.refused(f"exceeded quota: q, requested: {asked}, used: {used}, limited: {limits}")
    assert told is not None
    assert all(f"{name}: 1 asked, 2 of 3 used" in told for name in names)


def test_what_is_no_refusal() -> None:
    assert causes.refused('pods "x-0" already exists') is None
    assert causes.refused("Internal error occurred: failed calling webhook") is None


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({}, ": there is no default StorageClass. Name a StorageClass in the plan, or make one the default"),
        (
            {"storageClassName": ""},
            ": it wants a volume that is made by hand. Make one, or name a StorageClass in the plan",
        ),
        (None, "is set. Name a StorageClass in the plan, or make one the default"),
    ],
    ids=["no class", "the empty class", "a claim that may not be seen"],
)
def test_a_claim_without_a_class(spec: dict[str, str] | None, told: str) -> None:
    message = "no persistent volumes available for this claim and no storage class is set"
    event = {"message": message, "involvedObject": {"kind": "PersistentVolumeClaim", "name": "data"}}
    text = causes.volume(event, None if spec is None else {"spec": spec})
    assert text.startswith(f"PersistentVolumeClaim data: {message}")
    assert text.endswith(told)
