"""What is wrong with a database as a whole."""


class UnusableDatabase(Exception):
    """The database cannot be used. A sentence for the operator, with the cure."""
