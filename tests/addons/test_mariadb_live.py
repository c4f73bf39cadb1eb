"""The addon mariadb on a real cluster, beyond its contract. The tests share one instance."""

from __future__ import annotations

import re

import pytest

from tests.addons.live import Binding, Instance
from tests.addons.programs import Failed
from tests.addons.tree import document
from tests.cluster.reach import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.night, pytest.mark.timeout(1800)]

_CLIENT = document("mariadb", "contract.yaml")["client"]


@pytest.fixture(scope="module")
def mariadb(namespace: str) -> Instance:
    """A MariaDB instance of the smallest plan, ready."""
    instance = Instance("mariadb", "small", namespace)
    instance.install()
    return instance


def sql(instance: Instance, binding: Binding, statements: str) -> list[str]:
    """The lines that the statements answer, as the binding's user, over the Service. Raises Failed."""
    environment = {key.upper(): value for key, value in binding.credentials.items()} | {"STATEMENTS": statements}
    command = ["sh", "-euc", f'{_CLIENT}\nsql "$STATEMENTS"']
    return instance.with_environment(environment, *command).splitlines()


def admin(instance: Instance, statement: str) -> list[str]:
    """The same as the administrator, in the pod."""
    command = ["mariadb", "--defaults-file=/run/mariadb/client.cnf", "--batch", "--skip-column-names"]
    return instance.execute(*command, stdin=statement).splitlines()


def sessions(instance: Instance, binding: Binding) -> list[str]:
    """What the sessions of a user do."""
    return [row for row in admin(instance, "SHOW PROCESSLIST") if binding.user in row]


def test_a_user_stays_in_its_database(mariadb: Instance) -> None:
    user = mariadb.bind(0x21)

    for statement, refusal in {
        "SELECT * FROM mysql.global_priv": "command denied",
        "CREATE DATABASE other": "Access denied",
        "CREATE USER other": "Access denied",
        "GRANT ALL ON app.* TO admin": "Access denied|command denied",
        "SELECT 1 INTO OUTFILE '/run/mariadb/x'": "Access denied",
        "SET GLOBAL max_connections = 1": "Access denied",
    }.items():
        with pytest.raises(Failed, match=refusal):
            sql(mariadb, user, statement)
    assert sql(mariadb, user, "SELECT LOAD_FILE('/admin/password')") == ["NULL"]
    assert sql(mariadb, user, "SELECT CURRENT_USER()") == [f"{user.user}@%"]


def test_users_share_tables_and_neither_rules_the_other(mariadb: Instance) -> None:
    one, two = mariadb.bind_all(0x23, 0x24)
    sql(mariadb, one, "CREATE TABLE shared (n INT); INSERT INTO shared VALUES (1)")
    sql(mariadb, two, "INSERT INTO shared VALUES (2); ALTER TABLE shared ADD m INT")
    for me, other in ((one, two), (two, one)):
        for statement in (
            f"DROP USER {other.user}",
            f"ALTER USER {other.user} IDENTIFIED BY 'x'",
            f"ALTER USER {other.user} ACCOUNT LOCK",
            f"SET PASSWORD FOR {other.user} = PASSWORD('x')",
            f"RENAME USER {other.user} TO gone",
            f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {other.user}",
            f"GRANT {other.user} TO {me.user}",
            f"SET ROLE {other.user}",
        ):
            with pytest.raises(Failed, match=r"Access denied|command denied|Invalid role|Can't find any matching"):
                sql(mariadb, me, statement)
        mariadb.prove_login(other)

    mariadb.unbind(one)

    assert sql(mariadb, two, "SELECT n FROM shared ORDER BY n; DROP TABLE shared") == ["1", "2"]


def test_read_only_reads_what_others_make(mariadb: Instance) -> None:
    writer = mariadb.bind(0x31)
    reader = mariadb.bind(0x32, access="read-only", connection_limit=1)
    sql(mariadb, writer, "CREATE TABLE seen (n INT); INSERT INTO seen VALUES (1)")

    assert sql(mariadb, reader, "SELECT n FROM seen") == ["1"]
    for statement in ("INSERT INTO seen VALUES (2)", "CREATE TABLE mine (n INT)", "DROP TABLE seen"):
        with pytest.raises(Failed, match="command denied"):
            sql(mariadb, reader, statement)


def test_without_tls_nobody_comes_in(mariadb: Instance) -> None:
    user = mariadb.bind(0x41)
    environment = {"MYSQL_PWD": user.password}
    command = ["mariadb", "--no-defaults", "--skip-ssl", "-h", mariadb.host, "-u", user.user, "-e", "SELECT 1"]

    with pytest.raises(Failed, match=r"Access denied|insecure transport"):
        mariadb.with_environment(environment, *command)
    mariadb.prove("tls", user)


@pytest.mark.osb(115)
@pytest.mark.bug(23)
def test_unbinding_ends_sessions_and_keeps_what_was_defined(mariadb: Instance) -> None:
    """A view runs with the rights of its definer, who therefore stays, and can never log in again."""
    one, two = mariadb.bind_all(0x51, 0x52)
    sql(mariadb, one, "CREATE TABLE base (n INT); INSERT INTO base VALUES (7)")
    sql(mariadb, one, "CREATE VIEW shown AS SELECT n FROM base")
    login = 'IFS= read -r MYSQL_PWD; export MYSQL_PWD; exec mariadb --no-defaults --ssl -h "$1" -u "$2" app'
    statement = f"{one.password}\nSELECT SLEEP(500);\n"
    waits = mariadb.start("sh", "-c", login, "sh", mariadb.host, one.user, stdin=statement)
    eventually(lambda: any("SLEEP" in row for row in sessions(mariadb, one)) or None, within_s=60)

    mariadb.unbind(one)

    assert re.search("Lost connection|eof while reading", waits.communicate(timeout=30)[0])
    with pytest.raises(Failed, match="Access denied"):
        sql(mariadb, one, "SELECT 1")
    assert sql(mariadb, two, "SELECT n FROM shown") == ["7"]
    assert sql(mariadb, two, "DROP VIEW shown; ALTER TABLE base ADD m INT; SELECT n FROM base") == ["7"]
    assert one.user in admin(mariadb, "SELECT User FROM mysql.global_priv")
    mariadb.unbind(two)
    assert two.user not in admin(mariadb, "SELECT User FROM mysql.global_priv")


def test_both_jobs_may_run_twice_and_passwords_are_in_no_log(mariadb: Instance) -> None:
    first = mariadb.bind(0x61)
    assert mariadb.bind(0x61) == first
    mariadb.prove_login(first)
    assert first.password not in mariadb.log() + mariadb.execute("cat", "/proc/1/environ", "/proc/1/cmdline")

    admin(mariadb, f"DROP USER {first.user}")
    mariadb.unbind(first)
    mariadb.await_left("secret,job,pod", first.release, [])
