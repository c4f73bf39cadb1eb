"""Who may call the REST API, and what they may do with which app."""
