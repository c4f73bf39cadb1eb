"""How fast a binding's credentials are rendered and looked up."""
