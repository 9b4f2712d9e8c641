"""Main content: which segments of a page are its text, and what the others are."""
