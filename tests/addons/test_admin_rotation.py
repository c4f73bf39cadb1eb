"""The rotation of an administrator's password, as helm renders what is there without one, and without a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from tests.addons.rendering import RELEASE, instance, parsed
from tests.addons.tree import ADDONS, FIRST_PLAN, NAMES, ROTATING, document, leaves

pytestmark = pytest.mark.cluster


def jobs(name: str) -> list[dict[str, Any]]:
    return [each for each in parsed(instance(name, FIRST_PLAN[name])) if each["kind"] == "Job"]


def test_these_rotate() -> None:
    """The administrator of Memcached is like any of its users, and nothing logs in as it."""
    assert ROTATING == ["mariadb", "postgresql", "rabbitmq", "redis"]
    updates = {name: leaves(document(name, "addon.yaml")["parameters"]["update"]) for name in NAMES}
    offering = [name for name in NAMES if ("admin", "rotation") in {path for path, _ in updates[name]}]
    assert offering == ROTATING
    assert [name for name in NAMES if jobs(name)] == ROTATING


@pytest.mark.parametrize("name", ROTATING)
def test_the_job_of_a_rollback_is_a_hook_that_ends(name: str) -> None:
    (job,) = jobs(name)

    annotations = job["metadata"]["annotations"]
    assert job["metadata"]["name"] == f"{RELEASE}-rotate-back"
    assert annotations["helm.sh/hook"] == "post-rollback"
    assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    assert 0 < job["spec"]["backoffLimit"] <= 3
    assert job["spec"]["activeDeadlineSeconds"] <= 180
    assert job["spec"]["ttlSecondsAfterFinished"] <= 900
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize("name", ROTATING)
def test_no_service_leads_to_the_job(name: str) -> None:
    (job,) = jobs(name)

    labels = job["spec"]["template"]["metadata"]["labels"]
    assert labels == {"app.kubernetes.io/name": f"{name}-admin", "app.kubernetes.io/instance": RELEASE}
    (service,) = (each for each in parsed(instance(name, FIRST_PLAN[name])) if each["kind"] == "Service")
    assert not service["spec"]["selector"].items() <= labels.items()


@pytest.mark.parametrize("name", ROTATING)
def test_the_script_of_all_is_the_same(name: str) -> None:
    mine, first = (ADDONS / addon / "chart/rotation/rotate.sh" for addon in (name, ROTATING[0]))
    assert mine.read_text() == first.read_text()
