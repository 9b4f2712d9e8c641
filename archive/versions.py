"""Lakes that another version of this program made.

A later version may add columns to tables. So a table that lacks columns is older: readers see null in them, and the
first command that writes adds them (`Lake.create`). A table with columns that this version does not know is newer, and
is refused, since what this version would write lacks them. A change that new columns cannot express gives the table a
higher number under `FORMAT_PROPERTY`, and is refused too. (How `index` and `quality` compute what they add has numbers
of its own, in the descriptions of their tables.)
"""

from __future__ import annotations

from deltalake import DeltaTable, Field

from archive.errors import LakeError
from archive.tables import Table

#: The format that this version reads and writes.
FORMAT = 1
#: The property of a Delta table that holds the number of its format. A table without it has format 1. (delta-rs cannot
#: set properties of its users' own when it creates a table.)
FORMAT_PROPERTY = "lowbackground.format"
#: The property of a table that got columns after it was made: some of its files lack them.
WIDENED_PROPERTY = "lowbackground.widened"


def refuse_newer(delta: DeltaTable, uri: str, table: Table | None = None) -> None:
    """Refuse a table that a newer version made.

    Args:
        uri: of the table, for the error.
        table: the table as this version knows it, if it does.

    Raises:
        LakeError: it is newer.
    """
    number = delta.metadata().configuration.get(FORMAT_PROPERTY) or "1"
    if not number.isdecimal() or int(number) > FORMAT:
        raise _newer(uri, f"has format {number}, this version knows {FORMAT}")
    if table is not None and (unknown := sorted(set(columns(delta)) - set(table.schema.names))):
        raise _newer(uri, f"has columns that this version does not know ({', '.join(unknown)})")


def _newer(uri: str, why: str) -> LakeError:
    return LakeError(f"{uri}: {why}; a newer version of lowbackground made this lake: install that one")


def columns(delta: DeltaTable) -> list[str]:
    """Return the names of the columns that a table has here."""
    return [column.name for column in delta.schema().fields]


def is_widened(delta: DeltaTable) -> bool:
    """Whether some files of a table may lack some of its columns."""
    return WIDENED_PROPERTY in delta.metadata().configuration


def missing(delta: DeltaTable, table: Table) -> list[Field]:
    """Return the columns that a table of an older version lacks."""
    there = set(columns(delta))
    return [Field.from_arrow(column) for column in table.commented_schema if column.name not in there]


def mark_widened(delta: DeltaTable) -> None:
    """Note that files of a table lack some of its columns."""
    delta.alter.set_table_properties({WIDENED_PROPERTY: "true"}, raise_if_not_exists=False)
