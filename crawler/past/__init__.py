"""Crawls of the past: a web archive is asked, by CDX and by Memento."""
