"""The rule of lanes, held by the database against every client: an exclusive operation runs alone on its subject.

A unique index keeps two of one lane apart; an index cannot say the rest. Part of revision operations_0002: frozen.
"""

import sqlalchemy as sa

_OTHERS = """EXISTS (
    SELECT 1 FROM operations other
    WHERE other.subject = NEW.subject AND other.state = 'running' AND other.seq <> NEW.seq
      AND (other.lane = '' OR NEW.lane = ''))"""
_REFUSED = "an exclusive operation runs alone on its subject"
_CHANGE = "UPDATE OF state, subject, lane"


def _sqlite(name: str, change: str) -> str:
    return f"""CREATE TRIGGER operations_alone_{name} AFTER {change} ON operations
WHEN NEW.state = 'running' AND {_OTHERS}
BEGIN
  SELECT RAISE(ABORT, '{_REFUSED}');
END"""


# Two that start at the same time do not see each other: the second waits for the lock of the subject, and then it
# sees the first, unless its transaction looks at a moment of the past. That is refused.
_FUNCTION = f"""CREATE FUNCTION operations_alone() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(1869636979, hashtext(NEW.subject));
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE restrict_violation USING MESSAGE = 'operations start in transactions that are read committed';
  END IF;
  IF {_OTHERS} THEN
    RAISE exclusion_violation USING MESSAGE = '{_REFUSED}';
  END IF;
  RETURN NEW;
END $$"""
_TRIGGER = f"""CREATE TRIGGER operations_alone BEFORE INSERT OR {_CHANGE} ON operations
FOR EACH ROW WHEN (NEW.state = 'running') EXECUTE FUNCTION operations_alone()"""

STATEMENTS = {
    "sqlite": [_sqlite("insert", "INSERT"), _sqlite("update", _CHANGE)],
    "postgresql": [_FUNCTION, _TRIGGER],
}


def attach(operations: sa.Table) -> None:
    """Have the rule made with the table."""

    def make(_table: sa.Table, conn: sa.Connection, **_: object) -> None:
        for statement in STATEMENTS[conn.dialect.name]:
            conn.exec_driver_sql(statement)

    sa.event.listen(operations, "after_create", make)
