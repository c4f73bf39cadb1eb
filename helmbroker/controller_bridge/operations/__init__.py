"""The platform side's durable operations: one file per kind, its steps as a table."""
