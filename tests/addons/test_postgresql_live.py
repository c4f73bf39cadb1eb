"""The addon postgresql on a real cluster. The tests share one instance, each has bindings of its own."""

from __future__ import annotations

import pytest

from tests.addons.live import Binding, Instance
from tests.addons.programs import Failed
from tests.cluster.reach import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

# wins over what the database's owner sets for all its sessions
UNSPOILT = "-c statement_timeout=0 -c default_transaction_read_only=off"
ALL_KINDS = "secret,configmap,service,serviceaccount,statefulset,job,pod,networkpolicy,persistentvolumeclaim"


def sql(
    instance: Instance, binding: Binding, statements: str, database: str = "app", *, options: str = ""
) -> list[str]:
    """The lines that the statements answer, as the binding's user, over the Service. Raises Failed."""
    environment = {
        "PGPASSWORD": binding.password,
        "PGHOST": instance.host,
        "PGCONNECT_TIMEOUT": "30",
        "PGOPTIONS": options,
    }
    command = ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", binding.user, "-d", database]
    return instance.with_environment(environment, *command, stdin=statements).splitlines()


def admin(instance: Instance, statement: str, **variables: str) -> list[str]:
    """The same as superuser, who needs no password in the pod. The statement quotes a variable as :'name'."""
    command = ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", "/run/postgresql", "-U", "postgres"]
    given = [part for name, value in variables.items() for part in ("-v", f"{name}={value}")]
    return instance.execute(*command, *given, stdin=statement).splitlines()


@pytest.fixture(scope="module")
def users(postgresql: Instance) -> list[Binding]:
    """Two bindings that no test removes."""
    return postgresql.bind_all(0x11, 0x12)


@pytest.fixture(scope="module")
def other(namespace: str) -> Instance:
    """An instance whose server runs with ids that the image does not know, and which tests may break."""
    ids = {"runAsUser": 12345, "runAsGroup": 23456, "fsGroup": 23456}
    instance = Instance("postgresql", "small", namespace, "hb-other")
    instance.install({"podSecurityContext": ids})
    return instance


def test_what_one_user_creates_the_next_can_alter(postgresql: Instance, users: list[Binding]) -> None:
    one, two = users

    postgresql.prove_login(one)
    assert sql(postgresql, one, "SELECT session_user, current_user") == [f"{one.user}|app_owner"]
    sql(postgresql, one, "CREATE TABLE shared (x int); INSERT INTO shared VALUES (1)")
    sql(postgresql, two, "ALTER TABLE shared ADD y int; UPDATE shared SET y = 2")
    assert sql(postgresql, one, "SELECT * FROM shared") == ["1|2"]

    # what a connection pool says between two users of a connection
    sql(postgresql, one, "DISCARD ALL; CREATE TABLE pooled (x int)")
    sql(postgresql, two, "DROP TABLE pooled")


@pytest.mark.parametrize("first", [0, 1])
def test_users_share_tables_and_neither_rules_the_other(
    postgresql: Instance, users: list[Binding], first: int
) -> None:
    me, other = users[first], users[1 - first]
    for statement in (
        f"DROP ROLE {other.user}",
        f"DROP OWNED BY {other.user}",
        f"REASSIGN OWNED BY {other.user} TO app_owner",
        f"ALTER ROLE {other.user} PASSWORD 'x'",
        f"ALTER ROLE {other.user} NOLOGIN",
        f"ALTER ROLE {other.user} RENAME TO gone",
        f"ALTER ROLE {other.user} IN DATABASE app RESET role",
        f"REVOKE app_owner FROM {other.user}",
        f"GRANT {other.user} TO {me.user}",
        f"SET ROLE {other.user}",
        f"SET SESSION AUTHORIZATION {other.user}",
    ):
        with pytest.raises(Failed, match=r"permission denied|must have admin option|must be superuser"):
            sql(postgresql, me, statement)
    postgresql.prove_login(other)


def test_what_a_removed_user_made_stays_with_the_others(postgresql: Instance, users: list[Binding]) -> None:
    stays, goes = users[0], postgresql.bind(0x71)
    sql(postgresql, goes, "CREATE TABLE kept (x int); INSERT INTO kept VALUES (1); CREATE TABLE unwanted (x int)")
    sql(postgresql, stays, "INSERT INTO kept VALUES (2); ALTER TABLE kept ADD y int; DROP TABLE unwanted")

    postgresql.unbind(goes)

    assert sql(postgresql, stays, "SELECT x FROM kept ORDER BY x") == ["1", "2"]
    sql(postgresql, stays, "ALTER TABLE kept DROP y; DROP TABLE kept")


def test_a_user_stays_in_its_database_and_is_no_superuser(postgresql: Instance, users: list[Binding]) -> None:
    user = users[0]

    for database in ("postgres", "template1"):
        with pytest.raises(Failed, match=r"no pg_hba.conf entry|permission denied for database"):
            sql(postgresql, user, "SELECT 1", database)
    for statement, refusal in {
        "CREATE ROLE other": "permission denied to create role",
        "CREATE DATABASE other": "permission denied to create database",
        "ALTER ROLE postgres PASSWORD 'x'": "must be superuser|permission denied",
        f"ALTER ROLE {user.user} SUPERUSER": "must be superuser|permission denied",
        "SET ROLE postgres": "permission denied to set role",
        "COPY (SELECT 1) TO PROGRAM 'id'": "must be superuser|permission denied to COPY",
        "SELECT pg_read_file('/admin/password')": "permission denied for function",
        "SELECT rolpassword FROM pg_authid": "permission denied for table",
        "ALTER SYSTEM SET log_statement = 'all'": "permission denied",
        "DROP DATABASE app": "cannot drop the currently open database",
    }.items():
        with pytest.raises(Failed, match=refusal):
            sql(postgresql, user, statement)
    sql(postgresql, user, "CREATE EXTENSION pgcrypto; CREATE SCHEMA extra; DROP SCHEMA extra")


def test_read_only_reads_what_others_make(postgresql: Instance, users: list[Binding]) -> None:
    writer = users[0]
    sql(postgresql, writer, "CREATE TABLE before (x int); INSERT INTO before VALUES (1)")
    reader = postgresql.bind(0x32, access="read-only", connection_limit=1)
    sql(postgresql, writer, "CREATE SCHEMA later; CREATE TABLE later.t (x serial); INSERT INTO later.t VALUES (2)")

    postgresql.prove_login(reader)
    assert sql(postgresql, reader, "SELECT x FROM before UNION SELECT x FROM later.t ORDER BY x") == ["1", "2"]
    for statement in ("INSERT INTO before VALUES (1)", "CREATE TABLE mine (x int)", "SET ROLE app_owner",
                      "CREATE TEMP TABLE mine (x int)", "SELECT rolpassword FROM pg_authid"):  # fmt: skip
        with pytest.raises(Failed, match="permission denied"):
            sql(postgresql, reader, statement)
    assert admin(postgresql, "SELECT rolconnlimit FROM pg_roles WHERE rolname = :'user'", user=reader.user) == ["1"]


@pytest.mark.osb(115)
@pytest.mark.bug(23)
def test_unbinding_ends_sessions_and_refuses_the_login(postgresql: Instance) -> None:
    one, two = postgresql.bind_all(0x41, 0x42)
    sql(
        postgresql,
        one,
        "SET ROLE NONE; CREATE SCHEMA own; CREATE TABLE own.t (x int); INSERT INTO own.t VALUES (7)",
    )
    # a user may spoil the settings of the database for whoever comes in, also for the administrator
    for setting in ("search_path = own, pg_catalog", "statement_timeout = 1", "default_transaction_read_only = on"):
        sql(postgresql, one, f"ALTER DATABASE app SET {setting}", options=UNSPOILT)
    waits = postgresql.start(
        "sh", "-c", 'IFS= read -r PGPASSWORD; export PGPASSWORD PGOPTIONS="$3"; exec psql -X -h "$1" -U "$2" app',
        "sh", postgresql.host, one.user, UNSPOILT, stdin=f"{one.password}\nSELECT pg_sleep(500);\n",
    )  # fmt: skip
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE usename = :'user' AND wait_event = 'PgSleep'"
    eventually(lambda: admin(postgresql, sleeping, user=one.user) == ["1"] or None, within_s=60)

    postgresql.unbind(one)

    assert "terminating connection due to administrator command" in waits.communicate(timeout=120)[0]
    with pytest.raises(Failed, match="password authentication failed"):
        sql(postgresql, one, "SELECT 1")
    sql(postgresql, two, "ALTER DATABASE app RESET ALL; ALTER TABLE own.t ADD y int", options=UNSPOILT)
    assert sql(postgresql, two, "SELECT x FROM own.t") == ["7"]
    postgresql.await_left("secret,job,pod", one.release, [])


def test_both_jobs_may_run_twice(postgresql: Instance) -> None:
    first = postgresql.bind(0x51)
    assert postgresql.bind(0x51) == first
    postgresql.prove_login(first)

    admin(postgresql, f"DROP ROLE {first.user}")
    postgresql.unbind(first)
    postgresql.await_left("secret,job,pod", first.release, [])


def test_passwords_are_in_no_log_and_no_environment(postgresql: Instance) -> None:
    admin(postgresql, "ALTER SYSTEM SET log_statement = 'all'")
    admin(postgresql, "SELECT pg_reload_conf()")
    binding = postgresql.bind(0x61)
    admin(postgresql, "ALTER SYSTEM RESET log_statement")
    admin(postgresql, "SELECT pg_reload_conf()")
    stored = admin(postgresql, "SELECT rolpassword FROM pg_authid WHERE rolname = :'user'", user=binding.user)

    log = postgresql.log()
    assert "SELECT current_user" in log
    assert binding.password not in log
    assert binding.password not in postgresql.execute("cat", "/proc/1/environ", "/proc/1/cmdline")
    assert stored[0].startswith("SCRAM-SHA-256$")


def test_a_restart_keeps_data_and_users(postgresql: Instance, users: list[Binding]) -> None:
    binding = users[0]
    sql(postgresql, binding, "CREATE TABLE kept (x int); INSERT INTO kept VALUES (1)")

    postgresql.restart()

    assert sql(postgresql, binding, "SELECT * FROM kept") == ["1"]
    assert "database system was shut down at" in postgresql.log(), "it recovers, so it was not stopped in time"


def test_an_update_changes_settings_and_keeps_the_rest(postgresql: Instance, users: list[Binding]) -> None:
    binding = users[0]
    sql(postgresql, binding, "CREATE TABLE updated (x int)")
    before = postgresql.get("secret", f"{postgresql.release}-admin")["data"]

    uid = postgresql.pod_uid()
    postgresql.install()
    assert postgresql.pod_uid() == uid, "the same values restart nothing"

    # a larger plan asks for a larger volume, and gets it
    medium = Instance("postgresql", "medium", postgresql.namespace, postgresql.release)
    medium.install({"settings": {"statement_timeout_s": 30}})

    answers = sql(
        postgresql, binding, "SHOW shared_buffers; SHOW max_connections; SHOW statement_timeout; TABLE updated"
    )
    assert answers == ["256MB", "150", "30s"]
    assert postgresql.get("secret", f"{postgresql.release}-admin")["data"] == before
    eventually(lambda: postgresql.volume_size() == "10Gi" or None, within_s=60)


def test_a_broken_update_can_be_rolled_back(postgresql: Instance, users: list[Binding]) -> None:
    """Without podManagementPolicy Parallel the broken pod would block the repair for ever."""
    postgresql.apply({"image": {"repository": "sandbox.local/none", "tag": "1", "pullPolicy": "Never"}})
    eventually(lambda: postgresql.waits_for("ErrImageNeverPull") or None, within_s=240)

    postgresql.install()

    postgresql.prove_login(users[1])


def test_a_pod_that_dies_while_it_makes_its_data_begins_again(other: Instance) -> None:
    half = "rm -rf /data/pgdata; mkdir /data/pgdata.new; echo 15 >/data/pgdata.new/PG_VERSION"
    other.execute("sh", "-c", half)

    other.restart()

    assert other.execute("id", "-u") == "12345\n"
    assert other.execute("ls", "/data") == "pgdata\n"


def test_uninstall_leaves_the_claim_only(other: Instance) -> None:
    other.uninstall()

    other.await_left(ALL_KINDS, other.release, [f"persistentvolumeclaim/{other.release}-data"])
    claim = other.get("persistentvolumeclaim", f"{other.release}-data")
    assert claim["metadata"]["labels"]["app.kubernetes.io/instance"] == other.release
