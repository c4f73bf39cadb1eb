"""Revisions of alembic, named OWNER_NUMBER_WORDS; frozen once they have been released. See decision 0018."""
