"""What FakeKube answers to TokenReview and SubjectAccessReview: its tokens, and RBAC by its own objects.

Not modelled: audiences, resourceNames, non-resource URLs, aggregated ClusterRoles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from helmbroker.kubeapi.port import Obj
from tests.fakes.kube_fields import copied

Objects = Mapping[tuple[str, str | None, str], Obj]


def reviewed(asked: Obj, tokens: Mapping[str, Obj], objects: Objects) -> Obj:
    """The object with its status. tokens: who has each, as `user` of a TokenReview's status."""
    answer: Obj = copied(asked)
    spec = asked["spec"]
    if asked["kind"] == "TokenReview":
        user = tokens.get(spec["token"])
        answer["status"] = {"user": {}} if user is None else {"authenticated": True, "user": copied(user)}
        return answer
    wanted = spec["resourceAttributes"]
    given = _rules(spec.get("user", ""), spec.get("groups") or [], wanted["namespace"], objects)
    answer["status"] = {"allowed": any(_covers(rule, wanted) for rule in given)}
    return answer


def _rules(user: str, groups: list[str], namespace: str, objects: Objects) -> Iterator[Obj]:
    for (kind, place, _), binding in objects.items():
        if kind not in ("RoleBinding", "ClusterRoleBinding") or place not in (namespace, None):
            continue
        if any(_is(subject, user, groups) for subject in binding.get("subjects") or []):
            ref = binding["roleRef"]
            role = objects.get((ref["kind"], place if ref["kind"] == "Role" else None, ref["name"]))
            yield from (role or {}).get("rules") or []


def _is(subject: Obj, user: str, groups: list[str]) -> bool:
    if subject["kind"] == "Group":
        return subject["name"] in groups
    if subject["kind"] == "ServiceAccount":
        return user == f"system:serviceaccount:{subject['namespace']}:{subject['name']}"
    return bool(subject["name"] == user)


def _covers(rule: Obj, wanted: Obj) -> bool:
    named = (("apiGroups", "group"), ("resources", "resource"), ("verbs", "verb"))
    return all({"*", wanted[asked]} & set(rule.get(there) or []) for there, asked in named)
