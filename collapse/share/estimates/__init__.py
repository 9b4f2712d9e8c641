"""Estimates of machine text by month, from words that were counted, and the reasons to refuse them."""
