"""How fast addon folders become a catalog, and parameters are checked; needs no cluster."""
