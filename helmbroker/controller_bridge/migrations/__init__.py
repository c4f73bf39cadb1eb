"""How the platform side's tables became what they are, one revision after the other."""
