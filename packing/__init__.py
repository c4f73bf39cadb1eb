"""Making what users install that is no Python package."""
