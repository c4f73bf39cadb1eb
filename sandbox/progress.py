"""What is happening and how long it took: on standard error, so that `eval "$(sandbox up)"` works."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Silent when quiet: errors are not progress."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def say(self, text: str) -> None:
        """Something worth knowing."""
        if not self._quiet:
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Print a stage's duration at its end; nothing when it failed, because then an error follows."""
        begun = time.monotonic()
        yield
        self.say(f"{time.monotonic() - begun:7.2f} s  {name}")
