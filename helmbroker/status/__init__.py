"""What processes and their operations tell of themselves: probes, where an operation stands, which workers live."""
