"""What an ingest returns, and `maintain`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from archive.intake.part import Tally


@dataclass(slots=True)
class IngestResult:
    """What an ingest did. `records` = `captures` + all `rejects` + all `skipped`."""

    files: int = 0  #: brought in
    files_skipped: int = 0  #: the lake had them already
    files_failed: dict[str, str] = field(default_factory=dict)  #: file -> why it could not be read
    files_forgotten: int = 0  #: taken out first, to be read again
    files_published: int = 0  #: whose publication is in `attestations` now (`--published`)
    files_unpublished: dict[str, str] = field(default_factory=dict)  #: file -> why its publication is not
    sources_useless: dict[str, str] = field(default_factory=dict)  #: source -> why none of it can prove anything
    sources_without_page: dict[str, str] = field(default_factory=dict)  #: source -> what it holds; all of it was read
    sources_lost: list[str] = field(default_factory=list)  #: must be ingested again: somebody deleted files of the lake
    records: int = 0
    captures: int = 0
    rejects: Counter[str] = field(default_factory=Counter)  #: reason -> records that could not be used
    skipped: Counter[str] = field(default_factory=Counter)  #: kind -> records that hold no page
    new_texts: int = 0
    known_texts: int = 0  #: texts that the lake had already
    captures_by_month: Counter[str] = field(default_factory=Counter)
    bytes: int = 0  #: of input
    requests: int = 0  #: to Common Crawl, for files
    waited: float = 0.0  #: seconds for the turn of these requests, of all workers together
    seconds: float = 0.0
    recovered: int = 0  #: commits of an earlier command that were finished first
    peak_worker_bytes: int = 0  #: memory of the largest worker

    def add(self, tally: Tally) -> None:
        """Add the counts of a unit that was committed."""
        self.records += tally.records
        self.captures += tally.captures
        self.bytes += tally.bytes
        self.requests += tally.requests
        self.waited += tally.waited
        self.rejects.update(tally.rejects)
        self.skipped.update(tally.skipped)
        self.captures_by_month.update(tally.months)
        self.peak_worker_bytes = max(self.peak_worker_bytes, tally.peak)

    def sort(self) -> None:
        """Put the months in order, and the commonest reasons and kinds first."""
        self.rejects, self.skipped = (Counter(dict(each.most_common())) for each in (self.rejects, self.skipped))
        self.captures_by_month = Counter(dict(sorted(self.captures_by_month.items())))
        self.seconds, self.waited = round(self.seconds, 3), round(self.waited, 3)


@dataclass(slots=True)
class MaintainResult:
    """What `maintain` did."""

    recovered: int = 0  #: commits of an earlier command that were finished first
    files: int = 0  #: that were read again
    captures: int = 0  #: of these files, that the lake has now
    replaced: int = 0  #: of these files, that the lake had before
    grades: Counter[str] = field(default_factory=Counter)  #: of the captures of these files, now
    files_kept: dict[str, str] = field(default_factory=dict)  #: file -> why it was not read, and stays as it was
    captures_kept: int = 0  #: captures that still have no grade
    bytes: int = 0  #: read
    seconds: float = 0.0
