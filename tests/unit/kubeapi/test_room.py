"""What pods ask for and nodes have free, as the scheduler counts."""

from __future__ import annotations

from typing import Any

import pytest

from helmbroker.kubeapi import room

GIB = 1 << 30


def container(cpu: str | None = None, memory: str | None = None, **more: Any) -> dict[str, Any]:
    requests = {name: value for name, value in (("cpu", cpu), ("memory", memory)) if value is not None}
    return {"name": "c", "resources": {"requests": requests}, **more}


def pod(*containers: dict[str, Any], init: Any = (), node: str = "n", phase: str = "Running", **spec: Any) -> Any:
    spec = {"containers": list(containers), "initContainers": list(init), "nodeName": node, **spec}
    return {"metadata": {"name": "p"}, "spec": spec, "status": {"phase": phase}}


def node(name: str, cpu: str, memory: str = "8Gi", **spec: Any) -> dict[str, Any]:
    allocatable = {"cpu": cpu, "memory": memory, "pods": "10"}
    return {"metadata": {"name": name}, "spec": spec, "status": {"allocatable": allocatable}}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", 2),
        ("100m", 0.1),
        ("1.5", 1.5),
        ("4Gi", 4 * GIB),
        ("1k", 1000),
        ("2M", 2e6),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 1e18),
        ("5n", 5e-9),
        (" 1.Gi\n", GIB),
        (".5", 0.5),
        ("Gi", 0),
        (3, 3),
    ],
)
def test_quantities(text: str, number: float) -> None:
    assert room.quantity(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", " ", "x", "1 Gi", "1.2.3", "1GB", "1e3k", "1e", f"1e{10**20}", None])
def test_what_is_no_quantity(text: object) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        room.quantity(text)


SIDECAR = container("300m", restartPolicy="Always")
ASKED = {
    "containers together": (pod(container("1"), container("500m")), 1.5),
    "the greediest init container": (pod(container("1"), init=[container("3"), container("2")]), 3.0),
    "sidecars run beside the containers": (pod(container("1"), init=[SIDECAR]), 1.3),
    "and beside the init containers after them": (pod(container("1"), init=[SIDECAR, container("2")]), 2.3),
    "but not beside those before them": (pod(container("1"), init=[container("2"), SIDECAR]), 2.0),
    "overhead": (pod(container("1"), overhead={"cpu": "250m"}), 1.25),
    "what the pod says as a whole": (pod(container("1"), resources={"requests": {"cpu": "4"}}), 4.0),
    "limits where nothing is requested": (pod({"name": "c", "resources": {"limits": {"cpu": "2"}}}), 2.0),
    "nothing": (pod({"name": "c"}), 0.0),
}


@pytest.mark.parametrize(("given", "cpu"), ASKED.values(), ids=ASKED)
def test_what_a_pod_asks(given: dict[str, Any], cpu: float) -> None:
    assert room.asked(given).get("cpu", 0.0) == pytest.approx(cpu)


def test_what_nodes_have_free() -> None:
    """Pods that are over use nothing; a node that takes no pods has no room."""
    its = [pod(container("1", "2Gi")), pod(container("1"), phase="Succeeded"), pod(container("1"), node="other")]
    free = room.free([node("n", "4"), node("closed", "64", unschedulable=True)], its)
    assert free == {"n": {"cpu": 3.0, "memory": 6.0 * GIB, "pods": 9.0}}


def test_the_node_with_most_room_is_that_which_lacks_least() -> None:
    free = {"cores": {"cpu": 8.0, "memory": 1.0 * GIB}, "even": {"cpu": 2.0, "memory": 3.0 * GIB}}
    wanted = {"cpu": 4.0, "memory": 4.0 * GIB}
    assert room.roomiest(free, wanted, ["cpu", "memory"]) == free["even"]
    assert room.roomiest(free, wanted, ["cpu"]) == free["cores"]
    assert room.roomiest({}, wanted, ["cpu"]) is None
    assert room.roomiest(free, wanted, []) is None


def test_what_the_scheduler_finds_lacking() -> None:
    said = "0/3 nodes are available: 1 Too many pods, 1 Insufficient memory, 2 Insufficient nvidia.com/gpu."
    assert room.lacking(said) == ["memory", "nvidia.com/gpu", "pods"]
    assert room.lacking("1 node(s) had untolerated taint") == []


def test_amounts_for_people() -> None:
    amounts = {"cpu": 0.5, "memory": 4.0 * GIB, "nvidia.com/gpu": 1.0, "pods": -1.0}
    assert room.text(amounts, ["cpu", "memory"]) == "0.5 CPU and 4 GiB"
    assert room.text(amounts, ["nvidia.com/gpu", "pods"]) == "1 nvidia.com/gpu and 0 pods"
