"""Records of web archives and rows of data sets: finding them in files, with the address of each.

`base` has the table of readers, one for each kind of file.
"""

from archive.records.base import READERS, Address, Item, Reader, Reading, kind_of, open_reader
from archive.records.record import Record, Span
from archive.records.record_reader import RecordReader

__all__ = [
    "READERS",
    "Address",
    "Item",
    "Reader",
    "Reading",
    "Record",
    "RecordReader",
    "Span",
    "kind_of",
    "open_reader",
]
