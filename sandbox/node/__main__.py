"""`python3 -m sandbox.node`: started by `sandbox up` in fresh namespaces, with a listening socket to hand on."""

import argparse
import fcntl
import os
import sys
from pathlib import Path

from sandbox.node import config, namespace
from sandbox.node.components import components
from sandbox.node.places import Places
from sandbox.node.supervisor import Gates, Supervisor

ABOVE_THE_STANDARD_ONES = 10


def main() -> None:
    """Set the namespaces up, write the configuration, then supervise for ever."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hk", type=Path, required=True)
    parser.add_argument("--cgroup", required=True)
    parser.add_argument("--listener", type=int, required=True, help="listening socket to hand on")
    parser.add_argument(
        "--begin", type=int, required=True, help="begin when a byte comes out of this; end when none"
    )
    arguments = parser.parse_args()
    places = Places(arguments.data, arguments.hk, arguments.cgroup)
    if not os.read(arguments.begin, 1):
        sys.exit("whoever started this ended before it was recorded")
    os.close(arguments.begin)
    os.umask(0o022)
    # Away from the number that the component will find it under, and closed in all other children.
    listener = fcntl.fcntl(arguments.listener, fcntl.F_DUPFD_CLOEXEC, ABOVE_THE_STANDARD_ONES)
    os.close(arguments.listener)
    namespace.set_up(places)
    for name, content in config.files(places).items():
        path = places.config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    Supervisor(components(places), Gates(places), places.logs, listener).run()


if __name__ == "__main__":
    main()
