"""What everything on SQL stands on: engines, the database's clock, facts about it, its schema kept up to date."""

from helmbroker.database.batches import delete_in_batches
from helmbroker.database.clock import now
from helmbroker.database.engine import at_one_moment, connect, reader, url_in
from helmbroker.database.errors import OUTAGE, UnusableDatabase
from helmbroker.database.facts import define_facts, fact
from helmbroker.database.migrate import Schema, describe, prepare
from helmbroker.database.partial import partial_index
from helmbroker.database.presence import Presence, define_workers, seen
from helmbroker.database.upsert import insert

__all__ = [
    "OUTAGE",
    "Presence",
    "Schema",
    "UnusableDatabase",
    "at_one_moment",
    "connect",
    "define_facts",
    "define_workers",
    "delete_in_batches",
    "describe",
    "fact",
    "insert",
    "now",
    "partial_index",
    "prepare",
    "reader",
    "seen",
    "url_in",
]
