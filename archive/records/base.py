"""What a reader is: it recognises one kind of file, and reads what is in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO, Protocol

from archive.errors import SourceError
from archive.records.cursor import Cursor
from archive.records.members import Members, compression_of
from archive.records.record import Record, Span, starts_record
from archive.records.rows import Columns, Row
from archive.registry import Registry

#: What `kind_of` returns for a file that no reader takes.
EMPTY, UNKNOWN = "empty", "unknown"
_HEAD = 512
_START = 1 << 14
_FURTHER = 1 << 20

#: A record of a web archive, or a row of a data set.
Item = Record | Row
#: Where an item is: its `offset` and its `skip`.
Address = tuple[int, int]


@dataclass(slots=True)
class Reading:
    """What to read of a file; and, once it is read, how the reading ended."""

    name: str  #: of the file
    span: Span = Span()
    columns: Columns = Columns()  #: of a data set
    max_record: int = 1 << 25  #: bytes of the largest record or row that is held
    part: str = ""  #: of a package: the file in it, for `find`
    seeks: bool = True  #: any place in the file can be read without what is in front of it
    walk: bool = False  #: `find` reads from the start, and finds only what a reader of the whole file meets
    # set by the reader
    altered: bool = False  #: the part that is read now is not what its package states
    stale: bool = False  #: nor has it the stated hash, which is the fault of the program that wrote the package
    format: str | None = None  #: a finer name of the kind: `warc`, `arc`
    head: Record | None = None  #: the first record of a file that is read from its middle
    first_offset: int | None = None  #: where the first record of the span starts …
    next_offset: int | None = None  #: … and the first one behind the span
    recovered: bool = False  #: whether the span ends behind damage


class Look:
    """The beginning of a file, by which readers recognise it.

    Attributes:
        name: the name of the file, in lower case.
        head: the first 512 bytes.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        file.seek(0)
        self.name = name.lower()
        self.head = file.read(_HEAD)
        self._members = Members(file, compression_of(self.head), 0, starts_record)
        self._cursor = Cursor(self._members)

    @cached_property
    def text(self) -> bytes:
        """The first 16 KiB, decompressed; less where that fails."""
        return self._cursor.peek(_START)

    @cached_property
    def further(self) -> bytes:
        """The first MiB, decompressed; less where that fails."""
        return self._cursor.peek(_FURTHER)

    @property
    def is_damaged(self) -> bool:
        """Whether the file begins as compressed data that cannot be decompressed."""
        return not self.text and self._members.fault is not None


class Reader(Protocol):
    """One kind of file. A subclass needs `recognises` and `read`; of what it lacks, these are the defaults."""

    label: str = ""  #: what people call such files
    has_columns: bool = False  #: whether it is a data set, of which the user names the columns
    is_package: bool = False  #: whether files in it are cited as `package!/part`

    def recognises(self, look: Look) -> bool:
        """Return whether a file is surely of this kind."""

    def accepts(self, look: Look) -> bool:
        """Return whether a file that no reader recognises may be a damaged one of this kind."""
        return False

    def read(self, file: BinaryIO, reading: Reading) -> Iterator[tuple[str, Item]]:
        """Yield all that is in a file, whatever is broken in it, with the name of the file or of the part of it.

        What cannot be read is an item with a `problem`.

        Raises:
            SourceError: the source does not hand out its bytes any more.
        """

    def find(
        self, file: BinaryIO, addresses: Collection[Address], reading: Reading
    ) -> Iterator[Iterable[tuple[Address | None, Item]]]:
        """Yield the items at these addresses, which are in order, and in front of them (address None) the records that
        say something of the others: warcinfo, and all where `reading.walk`.

        One examiner examines what comes in one iterable. Of what is not there, nothing comes.
        """
        wanted = set(addresses)
        yield (
            ((item.offset, item.skip), item)
            for _, item in self.read(file, reading)
            if (item.offset, item.skip) in wanted
        )

    def column_names(self, file: BinaryIO) -> list[str]:
        """Return the names of the columns, `a.b` for one inside of another; of rows without a schema those of the
        first hundred.

        Raises:
            SourceError: they cannot be read.
        """
        return []

    def values(self, file: BinaryIO) -> Iterator[Any]:
        """Yield the rows of a data set as dictionaries with all columns.

        Raises:
            SourceError: a row cannot be read.
        """
        raise SourceError("it is no data set")


#: Each kind's reader. The last one is asked first, so that an added one can take files that another would accept.
READERS = Registry(
    "readers",
    {
        "csv": "archive.records.delimited:READER",
        "records": "archive.records.web_archive:READER",
        "jsonl": "archive.records.jsonl:READER",
        "json": "archive.records.json_values:READER",
        "parquet": "archive.records.parquet:READER",
        "wacz": "archive.records.wacz:READER",
    },
)


def open_reader(kind: str) -> Reader:
    """Return the reader of a kind that `kind_of` found."""
    reader: Reader = READERS.load(kind)
    return reader


def kind_of(file: BinaryIO, name: str) -> str:
    """Return the kind of a file by its content: a name in `READERS`, `empty` or `unknown`.

    Its name counts only where the content begins with a broken record.
    """
    look = Look(file, name)
    if not look.head:
        return EMPTY
    kinds = READERS.names()[::-1]
    for kind in kinds:
        if open_reader(kind).recognises(look):
            return kind
    for kind in kinds:
        if open_reader(kind).accepts(look):
            return kind
    return UNKNOWN if look.text else EMPTY
