"""Estimates by month how much of a lake or a set machines wrote, and refuses where a number would mean nothing."""
