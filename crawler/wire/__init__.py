"""Requests and responses as they are on the wire."""
