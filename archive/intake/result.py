"""What an ingest returns, and `maintain`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from archive.intake.part import Tally


@dataclass(slots=True)
class OfCrawl:
    """What an ingest did with one crawl of Common Crawl."""

    files: int = 0  #: that were opened, to the end of what was wanted
    records: int = 0  #: that were wanted: captures and rejects
    requests: int = 0
    bytes: int = 0  #: that came over the network

    def add(self, tally: Tally) -> None:
        """Add the counts of a unit that was committed."""
        self.records += tally.captures + sum(tally.rejects.values())
        self.requests += tally.spent.requests
        self.bytes += tally.spent.received


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
    site_rules: int = 0  #: of the captures, those of robots.txt and tdmrep.json: evidence of opt-outs, and no texts
    revisits_apart: Counter[str] = field(
        default_factory=Counter
    )  #: name of a file that the lake has not -> captures without a text, since they are revisits of records in it
    rejects: Counter[str] = field(default_factory=Counter)  #: reason -> records that could not be used
    skipped: Counter[str] = field(default_factory=Counter)  #: kind -> records that hold no page
    new_texts: int = 0
    known_texts: int = 0  #: texts that the lake had already
    captures_by_month: Counter[str] = field(default_factory=Counter)
    bytes: int = 0  #: of input
    crawls: dict[str, OfCrawl] = field(default_factory=dict)  #: crawl -> its files, records, requests and bytes
    index_requests: int = 0  #: to Common Crawl, for lists and indexes
    requests: int = 0  #: to Common Crawl, for files that came in
    received: int = 0  #: bytes that came with their answers
    waited: float = 0.0  #: seconds until these requests could leave, of all workers together
    held: float = 0.0  #: of these, seconds behind the answer of a busy server
    refusals: int = 0  #: answers of a busy server, and requests without an answer
    seconds: float = 0.0
    recovered: int = 0  #: commits of an earlier command that were finished first
    peak_worker_bytes: int = 0  #: memory of the largest worker

    def add(self, tally: Tally) -> None:
        """Add the counts of a unit that was committed."""
        self.records += tally.records
        self.captures += tally.captures
        self.site_rules += tally.site_rules
        self.bytes += tally.bytes
        self.requests += tally.spent.requests
        self.received += tally.spent.received
        self.waited += tally.spent.waited
        self.held += tally.spent.held
        self.refusals += tally.spent.refusals
        self.revisits_apart.update(tally.revisited)
        self.rejects.update(tally.rejects)
        self.skipped.update(tally.skipped)
        self.captures_by_month.update(tally.months)
        self.peak_worker_bytes = max(self.peak_worker_bytes, tally.peak)

    def sort(self) -> None:
        """Put the months in order, and the commonest reasons and kinds first."""
        self.rejects, self.skipped = (Counter(dict(each.most_common())) for each in (self.rejects, self.skipped))
        self.captures_by_month = Counter(dict(sorted(self.captures_by_month.items())))
        self.crawls = dict(sorted(self.crawls.items()))
        self.seconds, self.waited, self.held = (round(each, 3) for each in (self.seconds, self.waited, self.held))


@dataclass(frozen=True, slots=True)
class Upkeep:
    """One thing that `maintain` did, or would do."""

    step: str  #: sweep, merge, rebuild, checkpoint, log, vacuum, scratch, cache
    of: str  #: the table, folder or kind of cache
    files: int = 0  #: that went
    bytes: int = 0  #: of these
    into: int = 0  #: files that came in their place; in a dry run at least
    rows: int = 0  #: of texts that were forgotten


@dataclass(slots=True)
class MaintainResult:
    """What `maintain` did, or would do."""

    recovered: int = 0  #: commits of an earlier command that were finished first
    files: int = 0  #: that were read again
    captures: int = 0  #: of these files, that the lake has now
    replaced: int = 0  #: of these files, that the lake had before
    grades: Counter[str] = field(default_factory=Counter)  #: of the captures of these files, now
    files_kept: dict[str, str] = field(default_factory=dict)  #: file -> why it was not read, and stays as it was
    captures_kept: int = 0  #: captures that still have no grade
    bytes: int = 0  #: read
    dry_run: bool = False  #: nothing was changed
    done: list[Upkeep] = field(default_factory=list)
    forgotten: int = 0  #: texts that were forgotten, and of which tables of the index still had rows
    caches: dict[str, int] = field(default_factory=dict)  #: kind of cache on this machine -> bytes that stay
    left: list[str] = field(default_factory=list)  #: what could not be done, and why
    seconds: float = 0.0
