"""The broker's API under load, beside a bare Flask application on the same server. Needs no cluster."""
