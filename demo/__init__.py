"""The product doing its job on a real cluster: databases for an app, and every promise about it checked."""
