"""`python -m helmbroker.broker` is `helmbroker`."""

from helmbroker.broker.cli import main

main(prog_name="helmbroker")
