"""`witness`: keeps the lines of indexes that confirm captures of a lake."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from archive import proofs
from archive.commoncrawl.mirror import RATE
from archive.commoncrawl.paths import OWN
from archive.commoncrawl.source import is_crawl
from archive.compact import compact
from archive.damage import naming_damage
from archive.engine import Engine, Failed, Workers, open_engine
from archive.errors import SourceError
from archive.evidence.names import crawl_name
from archive.evidence.operators import COMMON_CRAWL, is_common_crawl, operator_name, same_operator
from archive.intake.commit import Committer
from archive.intake.crawled import Crawled
from archive.intake.decisions import take_out
from archive.intake.part import Tally
from archive.intake.unit import Settings, Unit
from archive.lake import Lake, open_lake
from archive.progress import Reporter
from archive.records import Span
from archive.records.base import Look
from archive.sources import Listed, Sources, is_text, list_files, open_bytes, source_names
from archive.tables import INDEX, TABLES
from archive.witness.lines import IndexLine, IndexParser, is_index
from archive.witness.work import UNMATCHED, Job, keys_of, work

_log = logging.getLogger(__name__)

_BATCH = 1 << 16
#: What can link a capture with an index.
_DIGESTS = """
SELECT DISTINCT payload_digest FROM stored_captures
WHERE record_type IS DISTINCT FROM 'index' AND payload_digest IS NOT NULL AND NOT starts_with(payload_digest, 'md5:')
UNION SELECT transfer_digest FROM stored_captures WHERE transfer_digest IS NOT NULL
"""


@dataclass(slots=True)
class WitnessResult:
    """What `witness` read. `lines` = `matched` + `unmatched` + all `rejects` + all `skipped`."""

    files: int = 0  #: indexes that were read
    files_skipped: int = 0  #: read before, with the same captures in the lake
    files_failed: dict[str, str] = field(default_factory=dict)  #: file -> why it could not be read
    lines: int = 0
    matched: int = 0  #: lines with the digest of a capture in the lake; they were kept
    unmatched: int = 0  #: lines with a digest that the lake does not have; a later ingest may bring it
    rejects: Counter[str] = field(default_factory=Counter)  #: reason -> lines that could not be read
    skipped: Counter[str] = field(default_factory=Counter)  #: kind -> lines that state no digest, or no holder
    digests: int = 0  #: different ones in the lake, which the lines were matched with
    corroborated: int = 0  #: captures of the lake that have grade B now, with all that was read before
    bytes: int = 0  #: of input
    seconds: float = 0.0

    def add(self, tally: Tally) -> None:
        """Add the counts of an index that was committed."""
        skipped = Counter(tally.skipped)
        self.lines += tally.records
        self.matched += tally.captures
        self.unmatched += skipped.pop(UNMATCHED, 0)
        self.rejects.update(tally.rejects)
        self.skipped.update(skipped)
        self.bytes += tally.bytes


def witness(
    lake: Lake | str | os.PathLike[str],
    sources: Sources,
    *,
    operator: str | None = None,
    url: str | Iterable[str] = (),
    host: str | Iterable[str] = (),
    domain: str | Iterable[str] = (),
    tld: str | Iterable[str] = (),
    mirror: str = OWN,
    rate: float = RATE,
    contact: str | None = None,
    workers: Workers = None,
    reporter: Reporter | None = None,
) -> WitnessResult:
    """Read indexes of other archives, and keep the lines with the payload digest of a capture in the lake.

    A capture of grade C or D is of grade B where such a line, of another holder, is within a day of it. A line is no
    page: it proves no text by itself, at whatever grade. MD5 links nothing.

    An index that was read before is skipped, as long as the lake has the same digests. Run it again after an ingest:
    then it is read again, and what it gave earlier is replaced.

    Args:
        sources: indexes (CDX, CDXJ, JSON of an index server), plain or compressed: files, folders, patterns, `s3://…`,
            `https://…`; one or several. Or crawls of Common Crawl (`cc:2013..2021`), of whose indexes the parts are
            read that list the pages of the next four options.
        operator: who holds the captures that the indexes list. Common Crawl's indexes name it themselves.
        url: addresses of pages, or all below one with `*` at its end.
        host: hosts; `www.` in front does not count.
        domain: hosts with all below them.
        tld: top-level domains.
        mirror: `https://…`, `s3://…` or a folder with the files of Common Crawl.
        rate: requests a second.
        contact: an address of yours, for the people who run the server.
        workers: processes (by default one for each core), or an engine.
        reporter: receives the progress.

    Raises:
        SourceError: a source does not exist, or nobody says who holds the captures of an index.
        LakeError: there is no lake, or it cannot be written.
        ArchiveError: there is no such engine.
    """
    crawled = Crawled.of(url=url, host=host, domain=domain, tld=tld, mirror=mirror, rate=rate, contact=contact)
    names = source_names(sources)
    crawled.check(names, False)
    lake, engine = open_lake(lake), open_engine(workers)
    lake.require()
    started = time.monotonic()
    with naming_damage(lake):
        result = _Witness(lake, operator_name(operator), reporter or Reporter(), crawled).run(names, engine)
    result.seconds = round(time.monotonic() - started, 3)
    return result


class _Witness:
    def __init__(self, lake: Lake, operator: str | None, reporter: Reporter, crawled: Crawled) -> None:
        self._lake, self._operator, self._reporter, self._crawled = lake, operator, reporter, crawled
        self._result = WitnessResult()
        self._now = datetime.now(UTC)
        self._units: dict[str, str] = {}  # version of an index -> its unit in this run

    def run(self, sources: list[str], engine: Engine) -> WitnessResult:
        listed = {file.version: file for source in sources if not is_crawl(source) for file in self._list(source)}
        crawls = [source for source in sources if is_crawl(source)]
        listed |= {file.version: file for file in self._crawled.blocks(crawls, self._fail)}
        holders = {file.version: self._holder(file) for file in listed.values()}
        self._reporter.stage("witness", size=sum(file.size or 0 for file in listed.values()))
        self._lake.create()
        committer = Committer(self._lake)
        try:
            committer.recover()
            with engine.scratch() as folder:
                state = self._write_digests(Path(folder) / "digests.npy")
                jobs = list(self._plan(listed.values(), holders, "digests.npy", state))
                for end in engine.run(work, jobs, progress=self._reporter.advance, scratch=folder):
                    if isinstance(end, Failed):
                        self._fail(end.task.unit.file, end.error)
                    elif committer.commit(end.task.batch, end.result) is None:
                        self._lake.discard(end.result.files)
                        self._result.files_skipped += 1  # another process has just read it
                    else:
                        self._result.files += 1
                        self._result.add(end.result.tallies[0])
            self._take_out_older()
            for table in TABLES.values():
                compact(self._lake, table)
        finally:
            committer.close()
        with proofs.connect(self._lake) as db:
            ((self._result.corroborated,),) = db.execute("SELECT count(*) FROM captures WHERE grade = 'B'").fetchall()
        return self._result

    def _list(self, source: str) -> Iterator[Listed]:
        for file in list_files(source, self._fail):
            if not is_text(file.uri):
                self._fail(file.uri, "a file whose name is not UTF-8 cannot be cited; rename it")
            elif not file.uri.startswith(f"{self._lake.location}/"):
                yield file

    def _fail(self, file: str, error: str) -> None:
        self._result.files_failed[file.encode("utf-8", "backslashreplace").decode()] = error
        _log.warning("not read: %s: %s", file, error)

    def _holder(self, file: Listed) -> str | None:
        """Return who holds what an index lists; None where only its lines can name them.

        Raises:
            SourceError: nobody says.
        """
        if self._operator:
            return self._operator
        if crawl_name(file.uri) or is_common_crawl(file.uri):
            return COMMON_CRAWL
        try:
            with open_bytes(file.uri) as opened:
                head = Look(opened, file.uri).further
        except (OSError, SourceError):
            return None  # the work says why
        parser = IndexParser()
        found = [each for line in head.split(b"\n")[:1000] if line.strip() for each in parser.parse(line)]
        stated = [each for each in found if isinstance(each, IndexLine)]
        if is_index(head) and any(each.holder is None for each in stated):
            raise SourceError(f"{file.uri}: who holds these captures? --operator ORG names the archive")
        return None

    def _write_digests(self, path: Path) -> str:
        """Write the hashes of the lake's digests, sorted. Returns what tells this set of digests from another."""
        with proofs.connect(self._lake) as db:
            batches = db.sql(_DIGESTS).to_arrow_reader(_BATCH)
            found = [keys_of(batch.column(0).to_pylist()) for batch in batches]
        keys = np.unique(np.concatenate([*found, np.empty(0, np.uint64)]))
        np.save(path, keys)
        self._result.digests = len(keys)
        return hashlib.sha256(keys.tobytes()).hexdigest()[:32]

    def _plan(
        self, listed: Iterable[Listed], holders: dict[str, str | None], digests: str, state: str
    ) -> Iterator[Job]:
        """Yield the indexes that were not read yet for these holders and with these digests."""
        done = set(self._lake.read("sources", ["unit"])["unit"].to_pylist())
        for file in listed:
            settings = Settings(extractor=INDEX, operator=holders[file.version])
            version = f"{file.version} {INDEX} {same_operator(settings.operator or '')} {state}"
            span = Span(file.start, file.start + (file.size or 0)) if file.through else Span()
            unit = Unit(file.uri, version, file.size, INDEX, settings, span, through=file.through)
            self._units[file.version] = unit.key
            if unit.key in done:
                self._result.files_skipped += 1
                self._reporter.skip(0, file.size or 0)
            else:
                yield Job(self._lake.location, unit, digests, self._now)

    def _take_out_older(self) -> None:
        """Take out what an index gave when the lake had other digests, or under another holder: the newest counts.

        It is done last. A process that is killed before loses nothing; the next run does it.
        """
        names = ["unit", "version", "format"]
        rows = [row for row in self._lake.read("sources", names).to_pylist() if row["format"] == INDEX]
        there = {row["unit"] for row in rows}
        newest = {version: unit for version, unit in self._units.items() if unit in there}
        older = [
            row["unit"]
            for row in rows
            if newest.get(row["version"].rpartition(f" {INDEX} ")[0], row["unit"]) != row["unit"]
        ]
        if older:
            take_out(self._lake, older)
