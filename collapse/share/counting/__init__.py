"""Finds the texts of a lake or a set that may be counted, draws from them, and counts their words."""
