"""How the broker's tables became what they are, one revision after the other."""
