"""All commands of `helmbroker` but those that a server runs, which do without what these load."""

from __future__ import annotations

from helmbroker.broker import (
    admin_cli,
    audit_cli,
    author_cli,
    drift_cli,
    fleet_cli,
    keys_cli,
    logins_cli,
    migrate_cli,
    rights_cli,
    transfer_cli,
)

COMMANDS = (
    *admin_cli.COMMANDS,
    *fleet_cli.COMMANDS,
    *drift_cli.COMMANDS,
    *transfer_cli.COMMANDS,
    *migrate_cli.COMMANDS,
    *author_cli.COMMANDS,
    *logins_cli.COMMANDS,
    keys_cli.keys,
    audit_cli.audit,
    rights_cli.show,
)
