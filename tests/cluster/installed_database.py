"""A PostgreSQL for the chart: a pod with two databases, whose server can be stopped and started."""

from __future__ import annotations

from helmbroker.kubeapi.port import Kube
from tests.addons.programs import kubectl
from tests.cluster.installed import start_pod

POD = "database"
# two databases and their users, on a server that trusts nobody and comes again unless it is held
_RUN = """
set -e
initdb --auth=scram-sha-256 --username=admin --pwfile=<(echo admin) -D /tmp/data >/dev/null
pg_ctl -D /tmp/data -o '-c listen_addresses=127.0.0.1 -c unix_socket_directories=/tmp' -w start >/dev/null
export PGPASSWORD=admin PGHOST=127.0.0.1 PGUSER=admin
for each in broker bridge; do
  psql -d postgres -q -c "CREATE ROLE $each LOGIN PASSWORD '$each'" -c "CREATE DATABASE $each OWNER $each"
done
pg_ctl -D /tmp/data -w stop >/dev/null
echo 'host all all all scram-sha-256' >> /tmp/data/pg_hba.conf
while :; do
  while test -e /tmp/held; do sleep 0.2; done
  postgres -D /tmp/data -c listen_addresses='*' -c unix_socket_directories=/tmp -c max_connections=300 || true
done
"""


def start_database(kube: Kube, namespace: str) -> None:
    """Start it, and make the Secret in which the chart's profile for high availability looks for its URLs."""
    container = {
        "image": "sandbox.local/postgresql:15",
        "command": ["bash", "-c", _RUN],
        "readinessProbe": {"tcpSocket": {"port": 5432}, "periodSeconds": 1},
    }
    start_pod(kube, namespace, POD, container)
    found = kube.get("Pod", namespace, POD)
    assert found is not None
    address = found["status"]["podIP"]
    urls = {each: f"postgresql://{each}:{each}@{address}/{each}" for each in ("broker", "bridge")}
    metadata = {"name": "helmbroker-database", "namespace": namespace}
    kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": urls})


def stop(namespace: str) -> None:
    """End the server with all its connections; it stays so until `start`."""
    _inside(namespace, "touch /tmp/held && pg_ctl -D /tmp/data -m fast -w stop")


def start(namespace: str) -> None:
    """Let the server come again; returns when it answers."""
    _inside(namespace, "rm /tmp/held; until pg_isready -q -h 127.0.0.1; do sleep 0.1; done")


def _inside(namespace: str, script: str) -> None:
    kubectl("exec", "--namespace", namespace, POD, "--", "timeout", "120", "sh", "-ec", script)
