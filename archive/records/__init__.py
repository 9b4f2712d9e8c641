"""Records of web archives, in WARC, ARC and WACZ files, and rows of data sets: what they hold and where they lie."""

from archive.records.reader import RecordReader, Span
from archive.records.record import Record

__all__ = ["Record", "RecordReader", "Span"]
