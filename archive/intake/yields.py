"""What each source of an ingest gave, and why one was of no use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archive.intake.part import Tally
from archive.reasons import REJECTS
from archive.records import READERS, open_reader

#: What a web archive may consist of without being damaged.
_NO_PAGES = frozenset({"empty-text", "not-text", "revisit-without-digest"})


@dataclass(slots=True)
class Yield:
    """The counts of one source."""

    files: int = 0
    elsewhere: int = 0  #: units that another ingest brought meanwhile
    failed: int = 0  #: files that could not be read
    records: int = 0
    captures: int = 0
    dated: int = 0  #: captures whose date may prove something
    rejects: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    columns: str = ""  #: names of the columns, where a text or a date was not found
    unparsable: str = ""  #: a date that could not be read, as written
    hint: str = ""  #: advice about a file of an unknown format
    is_data_set: bool = False

    def add(self, tally: Tally) -> None:
        """Add what a unit gave."""
        self.records += tally.records
        self.captures += tally.captures
        self.dated += tally.captures - tally.problems.total()
        self.rejects.update(tally.rejects)
        self.problems.update(tally.problems)
        self.columns = self.columns or tally.columns
        self.unparsable = self.unparsable or tally.unparsable
        self.hint = self.hint or tally.hint
        self.is_data_set |= tally.format in READERS and open_reader(tally.format).has_columns

    def add_skipped(self, row: Mapping[str, Any]) -> None:
        """Add a row of the ledger: what a unit gave when it was ingested earlier."""
        self.records += row["records"]
        self.captures += row["captures"]
        self.dated += row["captures"] if row["dated"] is None else row["dated"]  # an older ledger has no such count
        self.rejects.update(dict(row["rejects"]))

    def without_page(self) -> str | None:
        """Return what web archives hold in which all could be read and nothing is a page; None where that is not so."""
        others = {reason for reason in self.rejects if reason not in _NO_PAGES and not reason.startswith("http-")}
        if self.captures or self.is_data_set or others or not self.records or self.elsewhere or self.failed:
            return None
        why = ", ".join(f"{count:,} {reason}" for reason, count in self.rejects.most_common(3))
        return f"none of its {self.records:,} records is a page{f' ({why})' if why else ''}"

    def useless(self) -> str | None:
        """Say why the source can prove nothing, in one line. None where something can, or nothing was read, or where
        `without_page` says it."""
        if not self.files:
            return None if self.failed else "the folder holds no file"
        if self.elsewhere or self.failed or self.dated or not (self.records or self.rejects) or self.without_page():
            return None
        there = f"; its columns are {self.columns}" if self.columns else ""
        if not self.captures:
            why = ", ".join(f"{count:,} {reason}" for reason, count in self.rejects.most_common(3))
            hint = _meaning(next(iter(self.rejects), ""), self.hint)
            if self.is_data_set and self.rejects["no-text-column"]:
                hint = f"{there}; name the one that holds the text: --text-column, or --html-column"
            return f"none of its {self.records:,} records gave a text ({why}){hint}"
        why = ", ".join(f"{count:,} {problem}" for problem, count in self.problems.most_common(3)) or "as before"
        hint = f"{there}; name the one that holds the date: --again --date-column" if self.is_data_set else ""
        if self.unparsable:
            hint = f": {self.unparsable!r} is no date as 2019-05-06 or 2019-05-06T07:08:09Z is"
        return f"none of its {self.captures:,} captures has a date that can prove anything ({why}){hint}"


def _meaning(reason: str, hint: str) -> str:
    return f": {hint or REJECTS[reason]}" if reason in REJECTS else ""
