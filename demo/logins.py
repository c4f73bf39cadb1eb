"""Logging in to the servers with the credentials that a binding delivered: before and after it is undone."""

from __future__ import annotations

from dataclasses import dataclass

from demo import manifests
from demo.cluster import Cluster
from demo.images import USER, Addon
from demo.places import APP
from demo.waiting import DemoFailed

APP_ENV = "app-env-"
# Each script prints what the server says. Passwords travel in the environment, never on a command line.
POSTGRESQL = """
export PGHOST="$DATABASE_HOST" PGPORT="$DATABASE_PORT" PGDATABASE="$DATABASE_DATABASE" PGCONNECT_TIMEOUT=30
export PGUSER="$DATABASE_USERNAME" PGPASSWORD="$DATABASE_PASSWORD"
exec psql -X -A -t -c "select 'logged in as ' || session_user"
"""
REDIS = """
client=$(command -v valkey-cli || command -v redis-cli)
printf 'AUTH %s %s\\nACL WHOAMI\\n' "$CACHE_USERNAME" "$CACHE_PASSWORD" |
  "$client" -h "$CACHE_HOST" -p "$CACHE_PORT" 2>&1
"""
SCRIPTS = {"postgresql": POSTGRESQL, "redis": REDIS}
REFUSED = {"postgresql": "password authentication failed", "redis": "WRONGPASS"}
ACCEPTED = {"postgresql": "logged in as", "redis": "OK"}


@dataclass(frozen=True)
class Login:
    """What the server said to an attempt to log in."""

    accepted: bool
    refused: bool
    said: str


class Logins:
    """One client pod per server, with the credentials of the app's present release."""

    def __init__(self, cluster: Cluster, addons: list[Addon]) -> None:
        self._cluster = cluster
        self._addons = addons

    def keep_credentials(self) -> None:
        """Copy the app's environment into a Secret of our own, and start the clients with it."""
        deployment = self._cluster.kube.get("Deployment", APP, "web") or {}
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        names = [entry.get("secretRef", {}).get("name", "") for entry in container.get("envFrom", ())]
        name = next((name for name in names if name.startswith(APP_ENV)), None)
        secret = name and self._cluster.kube.get("Secret", APP, name)
        if not secret:
            raise DemoFailed(f"Deployment web takes no Secret {APP_ENV}* as environment: {names}")
        self._cluster.create(manifests.secret("old-credentials", secret["data"]))
        pods = [manifests.client(addon.name, addon.image, "old-credentials", USER) for addon in self._addons]
        self._cluster.create(*pods)
        for addon in self._addons:
            self._cluster.await_pod(APP, addon.name)

    def attempt(self, addon: Addon) -> Login:
        """Try to log in with the kept credentials."""
        _, output = self._cluster.execute(APP, addon.name, SCRIPTS[addon.name])
        words = (ACCEPTED[addon.name], REFUSED[addon.name])
        telling = [line for line in output.splitlines() if any(word in line for word in words)]
        said = " / ".join(line.rpartition("failed: ")[2] for line in telling) or output.strip()[-300:]
        return Login(
            accepted=ACCEPTED[addon.name] in said and REFUSED[addon.name] not in said,
            refused=REFUSED[addon.name] in said,
            said=said,
        )
