"""Who calls: one module per way to log in, and the chain that tries them (OSB item 1)."""
