"""Rows that nobody changes or deletes, held by the database against every client.

Part of the migrations broker_0007 and bridge_0008: frozen.
"""

import sqlalchemy as sa

_REFUSED = "the audit is only ever added to"


def _sqlite(change: str) -> str:
    return f"""CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit
BEGIN
  SELECT RAISE(ABORT, '{_REFUSED}');
END"""


_FUNCTION = f"""CREATE FUNCTION audit_append_only() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE restrict_violation USING MESSAGE = '{_REFUSED}';
END $$"""
_TRIGGER = """CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"""

STATEMENTS = {"sqlite": [_sqlite("UPDATE"), _sqlite("DELETE")], "postgresql": [_FUNCTION, _TRIGGER]}


def attach(audit: sa.Table) -> None:
    """Have the rule made with the table."""

    def make(_table: sa.Table, conn: sa.Connection, **_: object) -> None:
        for statement in STATEMENTS[conn.dialect.name]:
            conn.exec_driver_sql(statement)

    sa.event.listen(audit, "after_create", make)
