"""Records of web archives: finds them in WARC, ARC and WACZ files and says where they lie."""

from archive.records.reader import RecordReader, Span
from archive.records.record import Record

__all__ = ["Record", "RecordReader", "Span"]
