"""What can go wrong, by what the caller should do about it."""


class RefusedError(Exception):
    """The sandbox did not try: a right, a tool, a port or space is lacking. Exit code 2."""


class FailedError(Exception):
    """Something that was tried went wrong. Exit code 1."""
