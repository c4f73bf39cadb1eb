"""A real single-node Kubernetes for development, demo and tests. Standard library only: it runs before any venv."""
