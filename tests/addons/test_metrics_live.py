"""Exporters on a real cluster: switched on for an instance that has data, they tell its figures and no more."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import pytest

from tests.addons.live import Instance
from tests.addons.programs import Failed, kubectl
from tests.addons.tree import hours
from tests.cluster.reach import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

ON: dict[str, Any] = {
    "metrics": {"enabled": True, "image": {"repository": "sandbox.local/exporters", "tag": "1"}},
}
_SCRAPE = 'exec 3<>"/dev/tcp/$1/$2" && printf "GET /metrics HTTP/1.0\\r\\n\\r\\n" >&3 && cat <&3'
_PROCESSES = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; true"
_PSQL = 'export PGPASSWORD="$PASSWORD"; exec psql -X -At "host=$1 dbname=$2 user=exporter sslmode=$3" -c "SELECT 1"'
_MARIADB = 'export MYSQL_PWD="$PASSWORD"; exec mariadb --no-defaults --ssl -h "$1" -u exporter -e "$2"'
_REDIS = '{ printf "AUTH exporter %s\\n" "$PASSWORD" && echo "$2"; } | redis-cli -h "$1"'


@dataclass(frozen=True)
class Engine:
    """What an exporter tells of an engine, and what its login must not do: arguments and the refusal."""

    addon: str
    number: int
    up: str
    figure: str
    login: str
    refused: dict[tuple[str, ...], str]


ENGINES = [
    Engine(
        "mariadb",
        0x11,
        "mysql_up",
        "mysql_global_status_threads_connected ",
        _MARIADB,
        {
            ("127.0.0.1", "SELECT * FROM mysql.global_priv"): "command denied",
            ("127.0.0.1", "SELECT * FROM app.none"): "command denied",
            ("HOST", "SELECT 1"): "Access denied",
        },
    ),
    Engine(
        "postgresql",
        0x12,
        "pg_up",
        'pg_database_size_bytes{datname="app"',
        _PSQL,
        {
            ("127.0.0.1", "app", "require"): "pg_hba.conf rejects",
            ("127.0.0.1", "postgres", "disable"): "pg_hba.conf rejects",
            ("HOST", "postgres", "require"): "pg_hba.conf rejects",
        },
    ),
    Engine(
        "redis",
        0x13,
        "redis_up",
        "redis_connected_clients ",
        _REDIS,
        {
            ("HOST", "GET note"): "NOPERM",
            ("HOST", "KEYS *"): "NOPERM",
            ("HOST", "CONFIG GET *"): "NOPERM",
            ("HOST", "ACL LIST"): "NOPERM",
        },
    ),
]


def scraped(instance: Instance) -> list[str]:
    """What a scrape over the Service answers, line by line. Raises Failed."""
    ports = {row["name"]: row["port"] for row in instance.get("service", instance.release)["spec"]["ports"]}
    return instance.execute("bash", "-c", _SCRAPE, "bash", instance.host, str(ports["metrics"])).splitlines()


def answered(instance: Instance, engine: Engine, password: str, *arguments: str) -> str:
    """What the server says to the exporter's login, refusal or not."""
    places = [instance.host if argument == "HOST" else argument for argument in arguments]
    try:
        return instance.with_environment({"PASSWORD": password}, "sh", "-c", engine.login, "sh", *places)
    except Failed as failure:
        return str(failure)


@pytest.mark.parametrize(
    "engine", [pytest.param(engine, marks=hours(engine.addon), id=engine.addon) for engine in ENGINES]
)
def test_figures_of_an_instance_that_had_none(engine: Engine, namespace: str) -> None:
    instance = Instance(engine.addon, "small", namespace, f"hb-{engine.addon}")
    instance.install()
    user = instance.bind(engine.number)
    instance.prove("write", user)

    instance.install(ON)

    instance.prove("read", user)

    def told() -> list[str] | None:
        try:
            lines = scraped(instance)
        except Failed:  # the Service may not lead to it yet
            return None
        return lines if f"{engine.up} 1" in lines else None

    lines = eventually(told, within_s=120)
    assert [line for line in lines if line.startswith(engine.figure)]
    secret = instance.get("secret", f"{instance.release}-admin")["data"]
    password = base64.b64decode(secret["exporter"]).decode()
    for arguments, refusal in engine.refused.items():
        assert refusal in answered(instance, engine, password, *arguments), arguments
    in_exporter = kubectl("-n", namespace, "exec", instance.pod, "-c", "metrics", "--", "sh", "-c", _PROCESSES)
    logs = kubectl("-n", namespace, "logs", instance.pod, "--all-containers")
    assert "exporter" in in_exporter
    assert password not in in_exporter + logs + instance.execute("sh", "-c", _PROCESSES)
    instance.unbind(user)
    instance.uninstall()
