"""How long a rotation takes by itself."""
