"""What is true of a whole database: names and values, each written once."""

import sqlalchemy as sa


def define_facts(metadata: sa.MetaData) -> sa.Table:
    """Add the table `facts` to `metadata`."""
    return sa.Table(
        "facts",
        metadata,
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def fact(conn: sa.Connection, facts: sa.Table, name: str, first: str) -> str:
    """A fact of the database; `first` from now on when it has none yet. The caller is alone."""
    known = conn.scalar(sa.select(facts.c.value).where(facts.c.name == name))
    if known is None:
        conn.execute(facts.insert().values(name=name, value=first))
        return first
    return str(known)
