"""Read the records that rows cite, and compare them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow.dataset as pads

from archive import registry
from archive.capture import Limits
from archive.engine import Context
from archive.errors import SourceError
from archive.examine import Examiner
from archive.records import READERS, Address, Reading, Record, kind_of, open_reader
from archive.records.rows import Row as ArchiveRow
from archive.sources import open_bytes
from archive.sources.base import scheme_of
from archive.sources.public import open_public
from query.tokenizer import Tokenizer
from query.verify.bounds import KINDS, FileBounds, Known
from query.verify.compare import Outcome, Row, compare, extractor_of
from query.verify.result import Finding


@dataclass(frozen=True, slots=True)
class Unit:
    """Citations of one file, by their range in a Parquet file that is sorted by file and offset."""

    citations: str
    file: str | None
    start: int
    end: int
    moved: tuple[tuple[str, str], ...]  #: prefixes of files, and what they begin with now
    tokenizer: Tokenizer | None
    network: bool  #: whether public web servers may be asked, and stores of objects
    honours: bool  #: whether the set promises that no text opts out
    bounds: Known = None
    plugins: registry.Entries = field(default_factory=registry.entries)

    @property
    def is_walked(self) -> bool:
        """Whether the file is on this machine: then its records are reached from its start."""
        return _scheme(_located(self.file, self.moved)[0]) == "file"


def work(unit: Unit, ctx: Context) -> list[Finding]:
    """Compare each citation with the record. Needs a scratch folder that all workers see."""
    registry.adopt(unit.plugins)
    cited: list[Row] = (
        pads.dataset(unit.citations)
        .to_table(filter=(pads.field("position") >= unit.start) & (pads.field("position") < unit.end))
        .to_pylist()
    )
    file, chosen = _located(unit.file, unit.moved)
    is_file = unit.is_walked
    if not (is_file or chosen or unit.network):
        why = f"{file} is on the network; --network reads it, or --moved names where it is"
        return [Finding(each["row"], "unchecked", why) for each in cited]
    findings: dict[int, Finding] = {}
    why = "there is no record"
    try:
        is_bound = any(each["date_source"] in KINDS for each in cited)
        bounds = FileBounds.of(file, unit.bounds) if is_bound else None
        for citation, outcome in _outcomes(file, cited, chosen, is_file):
            findings[citation["position"]] = compare(citation, outcome, unit.tokenizer, unit.honours, bounds)
            ctx.progress(1, 0)
        differ = [
            each for each in cited if each["position"] in findings and findings[each["position"]].kind == "differs"
        ]
        if differ and not is_file:  # a joined file has more than one warcinfo: the records in front say which one holds
            for citation, outcome in _outcomes(file, differ, chosen, True):
                findings[citation["position"]] = compare(citation, outcome, unit.tokenizer, unit.honours)
    except Exception as error:  # whatever is in files that anybody may have written
        why = str(error).splitlines()[0] if str(error) else repr(error)
    for each in cited:
        gone = Finding(each["row"], "gone", f"{file} at {each['offset']}+{each['skip']}: {why}")
        findings.setdefault(each["position"], gone)
    return list(findings.values())


def _scheme(location: str) -> str:
    try:
        return scheme_of(location.partition("!/")[0])
    except SourceError as error:  # one that nothing reads
        return str(error)


def _located(file: str | None, moved: tuple[tuple[str, str], ...]) -> tuple[str, bool]:
    """Return where a file is now, and whether the user named it: then it may be on any server."""
    file = file or ""
    for old, new in moved:
        if file.startswith(old):
            rest = file[len(old) :]
            # or the set could lead from https://a.org to https://a.org.example.com
            return new + rest, not rest or new.endswith("/") or rest.startswith("/")
    return file, False


def _outcomes(location: str, cited: list[Row], chosen: bool, walk: bool) -> Iterator[tuple[Row, Outcome]]:
    """Yield each citation with what its record is worth now. The citations are in the order of offset and skip.

    Args:
        chosen: the user named the server.
        walk: read the file from its start, so that a record is not found inside of another.
    """
    outer, _, inner = location.partition("!/")
    if scheme_of(outer) == "file" and not os.path.isfile(outer):
        raise SourceError("there is no such file")
    citations: dict[Address, list[Row]] = {}  # several rows may cite one record
    for citation in cited:
        citations.setdefault((citation["offset"], citation["skip"]), []).append(citation)
    is_web = scheme_of(outer) in {"http", "https"}
    with open_public(outer) if is_web and not chosen else open_bytes(outer) as file:
        kind = kind_of(file, outer)
        if kind not in READERS:
            return
        reader = open_reader(kind)
        if inner and not reader.is_package:
            raise SourceError("the package has no such entry")
        reading = Reading(location, part=inner, walk=walk)
        for items in reader.find(file, list(citations), reading):
            # as `archive ingest` did
            examiner = Examiner(location, extractor_of(None), Limits(), altered=reading.altered, stale=reading.stale)
            for address, item in items:
                if address is None:
                    if isinstance(item, Record):
                        examiner.pass_by(item)
                    continue
                for citation in citations.pop(address, []):
                    if isinstance(item, ArchiveRow) and item.values is not None:
                        yield citation, item.values
                        continue
                    examiner.extract = extractor_of(citation["extractor"])
                    yield citation, examiner.examine(item)
