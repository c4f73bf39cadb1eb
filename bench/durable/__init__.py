"""Durable operations: how many in a second, their idle cost, how soon a killed worker is replaced."""
