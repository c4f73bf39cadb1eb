"""What the cluster's own messages mean, and what helps: cause and cure in one sentence.

Pure, and nothing is guessed: a message that is not known here is told as it is.
"""

from __future__ import annotations

import re

from helmbroker.kubeapi.port import Obj

_CHARACTERS = 300
_UNREACHABLE = r"dial tcp|dial udp|no such host|i/o timeout|TLS handshake|tls: |x509: |connection reset|\bEOF\b"
_NO_ACCESS = r"40[13] (Unauthorized|Forbidden)|unauthorized|authorization failed|access denied|no basic auth"
# the kubelet's words for a failed pull, in the order in which they count
_PULLS = (
    (
        _UNREACHABLE,
        "The registry cannot be reached: check its name, and the node's network or mirror",
    ),
    (
        "repository does not exist or",
        "The registry has no such repository, or wants a login: check both",
    ),
    (_NO_ACCESS, "The registry refuses access: check the pull secret"),
    ("429 Too Many|toomanyrequests", "The registry wants fewer requests: wait, log in, or use a mirror"),
    (r"\b5\d\d [A-Z]", "The registry does not work: tell who runs it"),
    ("not found|manifest unknown", "The registry does not have it: correct its name and tag, or push it"),
    ("invalid reference", "Correct the name"),
    (
        "pull policy of Never",
        "Bring it to the node, or let its pull policy fetch it",
    ),
)
_QUOTA = re.compile(r"exceeded quota: ([^,]+), requested: (.*), used: (.*), limited: (.*)")
_UNSTATED = re.compile(r"failed quota: ([^:]+): must specify (.*?)(?: for: (.*))?$")
_LIMITS = re.compile(
    r"is forbidden: \[?((?:(?:maximum|minimum) \S+ usage per|\S+ max limit to request ratio per) .*)"
)
_SECURITY = re.compile(r'violates PodSecurity "([^":]+)[^"]*": (.*)')
_ACCOUNT = re.compile(r"serviceaccount \"([^\"]+)\" not found")
_DENIED = re.compile(
    r"(admission webhook \"[^\"]+\"|ValidatingAdmissionPolicy '[^']+').*? denied (?:the )?request: (.*)"
)
_SUBJECT = re.compile(r'([a-z]+ "[^"]+") is forbidden')
_NO_CLASS = "no storage class is set"
_ABSENT_CLASS = re.compile(r'storageclass\.storage\.k8s\.io "([^"]+)" not found')
_PROVISIONER = re.compile(r"external provisioner '([^']+)'")


def line(text: object) -> str:
    """On one line, without its full stop, and of bounded length."""
    found = " ".join(str(text or "").split()).rstrip(".")
    return found if len(found) <= _CHARACTERS else found[: _CHARACTERS - 1] + "…"


def pull(message: str) -> str:
    """What to do about an image that cannot be pulled, as far as the kubelet's message says."""
    found = (cure for pattern, cure in _PULLS if re.search(pattern, message))
    return next(found, "Check the name, the registry and the pull secret")


def refused(message: str) -> str | None:
    """Why an object may not be made: which quota or rule, and what to do about it. None: it is no refusal."""
    message = " ".join(message.split()).rstrip(".")
    denied = _DENIED.search(message)
    if denied is not None:
        return f"{denied[1]} denies it: {line(denied[2])}. Do as it says, or have that rule changed"
    if "forbidden" not in message and "exceeded quota" not in message:
        return None
    subject = _SUBJECT.search(message)
    what = f"{subject[1]} may not be made: " if subject is not None else ""
    why = _limited(message) or _ruled(message)
    return f"{line(message)}. Raise the quota, or remove what forbids it" if why is None else f"{what}{why}"


def volume(event: Obj, claim: Obj | None) -> str:
    """Why a volume claim is not bound, from its newest event and from itself, if it is known."""
    message, about = line(event.get("message")), event.get("involvedObject", {})
    told = f"{about.get('kind', '')} {about.get('name', '')}: {message}".strip()
    absent = _ABSENT_CLASS.search(message)
    if absent is not None:
        return f"{told}. Make the StorageClass {absent[1]}, or name another one in the plan"
    if _NO_CLASS in message:
        wanted = None if claim is None else claim.get("spec", {}).get("storageClassName")
        if wanted == "":
            return f"{told}: it wants a volume that is made by hand. Make one, or name a StorageClass in the plan"
        known = "" if claim is None else ": there is no default StorageClass"
        return f"{told}{known}. Name a StorageClass in the plan, or make one the default"
    return f"{told}. Check the storage class and its provisioner"


def provisioner(message: object) -> str | None:
    """Whom a claim waits for, in the words of its event."""
    found = _PROVISIONER.search(str(message or ""))
    return None if found is None else found[1]


def _limited(message: str) -> str | None:
    """A quota or a LimitRange."""
    exceeded = _QUOTA.search(message)
    if exceeded is not None:
        asked, used, limits = (_amounts(exceeded[number]) for number in (2, 3, 4))
        each = [f"{name}: {asked[name]} asked, {used.get(name)} of {limits.get(name)} used" for name in asked]
        cure = "Raise the quota, choose a smaller plan, or remove what is not needed"
        return f"quota {exceeded[1]} is exceeded ({'; '.join(each)}). {cure}"
    unstated = _UNSTATED.search(message)
    if unstated is not None:
        cure = "Let the plan or the chart say them, or give the namespace a LimitRange with defaults"
        return f"quota {unstated[1]} wants every container to say its {line(unstated[2])}. {cure}"
    limits_ = _LIMITS.search(message)
    if limits_ is not None:
        cure = "Choose a plan within these limits, or change the LimitRange"
        return f"a LimitRange of the namespace does not allow it ({line(limits_[1].rstrip(']'))}). {cure}"
    return None


def _ruled(message: str) -> str | None:
    """Pod Security, or an account that is not there."""
    security = _SECURITY.search(message)
    if security is not None:
        cure = "The addon's author has to mend the chart, or the operator to lower that level"
        return f"Pod Security level {security[1]} of the namespace forbids it ({line(security[2])}). {cure}"
    account = _ACCOUNT.search(message)
    if account is not None:
        return f"there is no service account {account[1]}. Make it, or let the chart make it"
    return None


def _amounts(listed: str) -> dict[str, str]:
    """`a=1,b=2` as a mapping."""
    pairs = (each.partition("=") for each in listed.split(","))
    return {name.strip(): amount for name, _, amount in pairs if amount}
