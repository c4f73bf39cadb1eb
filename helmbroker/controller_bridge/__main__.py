"""`python -m helmbroker.controller_bridge` is `helmbroker-bridge`."""

from helmbroker.controller_bridge.cli import main

main(prog_name="helmbroker-bridge")
