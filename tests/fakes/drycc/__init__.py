"""A Drycc controller for tests, as far as config, releases and permissions go: its rules, and its HTTP.

Every statement it follows is tried in tests/unit/drycc; not modelled: pods, domains, certificates, OAuth, limits,
tags.
"""
