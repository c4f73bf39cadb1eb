"""ServiceBindings of Kubernetes' service-catalog: their Secrets become config of the app, in a release of its own.

Everything is found on the cluster and in the app's releases: a call may be interrupted anywhere, repeated, and made
by two at once. A Secret is injected once, by a key of its own: a release that failed with it, and a person who went
back to before it, are not answered by another release.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from helmbroker.controller_bridge.apps.port import (
    AppNotFound,
    AppRelease,
    AppReleaseError,
    AppReleases,
    AppsUnavailable,
    Broken,
    ConfigChange,
    ReleaseState,
    Rolling,
)
from helmbroker.controller_bridge.delivery import BadCredentials, environment
from helmbroker.controller_bridge.naming import foreign_group
from helmbroker.controller_bridge.watch.finalizer import claim, is_going, let_go
from helmbroker.kubeapi.errors import AlreadyExists
from helmbroker.kubeapi.port import Kube, Obj

KIND = "ServiceBinding.v1beta1.servicecatalog.k8s.io"
FINALIZER = "helmbroker.io/injection"

_LOG = logging.getLogger("helmbroker.bridge.watch")
_AUTHOR = "service-catalog"
_LOOK_S = 2.0
_AGAIN_S = 30.0


class CatalogBindings:
    """See the module. now: the time, aware."""

    kind = KIND

    def __init__(
        self, kube: Kube, apps: AppReleases, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._kube = kube
        self._apps = apps
        self._now = now

    def depends_on(self, _binding: Obj) -> frozenset[str]:
        """Service-catalog tells all in the binding itself."""
        return frozenset()

    def reconcile(self, namespace: str, name: str) -> float | None:
        """Look at one, and do what is missing. Seconds until it is worth another look; None: not before a change.

        Raises KubeError, and AppsUnavailable, for what may be otherwise at the next try.
        """
        binding = self._kube.get(KIND, namespace, name)
        if binding is None:
            return None
        try:
            return self._withdraw(binding) if is_going(binding) else self._inject(binding)
        except AppsUnavailable:
            raise
        except (AppReleaseError, BadCredentials) as error:
            self._complain(binding, str(error))
            return _AGAIN_S

    def _inject(self, binding: Obj) -> float | None:
        namespace, name = binding["metadata"]["namespace"], binding["metadata"]["name"]
        if not _is_ready(binding):
            return None
        try:
            self._apps.releases(namespace)
        except AppNotFound:
            return None  # nobody has handed over an app here; looked at again with everything else
        secret = self._kube.get("Secret", namespace, (binding.get("spec") or {}).get("secretName") or name)
        if secret is None:
            return _AGAIN_S
        binding = claim(self._kube, KIND, binding, FINALIZER)
        variables = environment(name, _credentials(secret))
        key = "/".join(
            (binding["metadata"]["uid"], secret["metadata"]["uid"], secret["metadata"]["resourceVersion"])
        )
        return self._release(binding, ConfigChange({foreign_group(name): variables}), f"bind {name}", key)

    def _withdraw(self, binding: Obj) -> float | None:
        """What service-catalog has revoked goes out of the app, and then the binding may go."""
        metadata = binding["metadata"]
        if FINALIZER not in (metadata.get("finalizers") or ()):
            return None
        change, key = ConfigChange({foreign_group(metadata["name"]): None}), f"{metadata['uid']}/gone"
        try:
            again_s = self._release(binding, change, f"unbind {metadata['name']}", key)
        except AppNotFound:
            again_s = None
        if again_s is None:
            let_go(self._kube, KIND, binding, FINALIZER)
        return again_s

    def _release(self, binding: Obj, change: ConfigChange, summary: str, key: str) -> float | None:
        """Make the release of this key, and see it, or the way back from it, to its end."""
        app = binding["metadata"]["namespace"]
        version = self._apps.change_config(app, change, author=_AUTHOR, summary=summary, key=key)
        if version is None:
            return None
        back_key = f"{key}/back"
        releases = self._apps.releases(app)
        made = next(each for each in releases if each.version == version)
        back = next((each for each in releases if each.key == back_key), None)
        if made.state is ReleaseState.PENDING:
            return self._watch(app, made, back_key)
        if made.state is ReleaseState.FAILED:
            self._complain(binding, f"{summary}: v{version} of app {app} failed: {made.reason}")
            if back is not None and back.state is ReleaseState.PENDING:
                return self._watch(app, back, None)
        return None

    def _watch(self, app: str, release: AppRelease, back_key: str | None) -> float | None:
        match self._apps.rollout(app, release.version):
            case Rolling():
                return _LOOK_S
            case Broken(reason) if back_key is not None:
                self._apps.recover(app, release.version, reason=reason, key=back_key)
                return 0.0
            case Broken(reason):
                raise AppReleaseError(f"app {app} does not come up with v{release.version} either: {reason}")
            case _:
                self._apps.settle(app, release.version)
                return None

    def _complain(self, binding: Obj, message: str) -> None:
        """Say it where people look: as an event of the binding, the same one once."""
        metadata = binding["metadata"]
        digest = hashlib.sha256(f"{metadata['uid']} {message}".encode()).hexdigest()[:16]
        at = self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        about = {"apiVersion": binding["apiVersion"], "kind": binding["kind"], "uid": metadata["uid"]}
        about |= {"namespace": metadata["namespace"], "name": metadata["name"]}
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": metadata["namespace"], "name": f"{metadata['name'][:200]}.{digest}"},
            "involvedObject": about,
            "type": "Warning",
            "reason": "NotInjected",
            "message": message[:1000],
            "source": {"component": "helmbroker-bridge"},
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }
        try:
            self._kube.create(event)
        except AlreadyExists:
            return
        _LOG.warning("not injected", extra={"namespace": metadata["namespace"], "binding": metadata["name"]})


def _is_ready(binding: Obj) -> bool:
    conditions = (binding.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _credentials(secret: Obj) -> dict[str, str]:
    """The entries of a Secret as text. Raises BadCredentials."""
    found = {}
    for key, value in (secret.get("data") or {}).items():
        try:
            found[key] = base64.b64decode(value).decode()
        except (binascii.Error, UnicodeDecodeError):
            place = f"{secret['metadata']['namespace']}/{secret['metadata']['name']}"
            raise BadCredentials(f"entry {key} of Secret {place} is no text: no variable can hold it") from None
    return found
