"""From Drycc's helmbroker: its data directory becomes records of ours, its Helm releases run on (decision 0056)."""
