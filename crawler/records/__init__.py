"""WARC files: records, revisits, indexes, and what a kill leaves."""
