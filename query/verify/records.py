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
from query.tokenizer import Tokenizer
from query.verify.compare import Outcome, Row, compare, extractor_of
from query.verify.result import Finding


@dataclass(frozen=True, slots=True)
class Unit:
    """Citations of one file, by their range in a Parquet file that is sorted by file and offset."""

    citations: str
    file: str
    start: int
    end: int
    moved: tuple[tuple[str, str], ...]  #: prefixes of files, and what they begin with now
    tokenizer: Tokenizer | None
    plugins: registry.Entries = field(default_factory=registry.entries)


def work(unit: Unit, ctx: Context) -> list[Finding]:
    """Compare each citation with the record. Needs a scratch folder that all workers see."""
    registry.adopt(unit.plugins)
    cited: list[Row] = (
        pads.dataset(unit.citations)
        .to_table(filter=(pads.field("position") >= unit.start) & (pads.field("position") < unit.end))
        .to_pylist()
    )
    file = unit.file
    for old, new in unit.moved:
        if file.startswith(old):
            file = new + file[len(old) :]
            break
    findings: dict[int, Finding] = {}
    why = "there is no record"
    try:
        for citation, outcome in _outcomes(file, cited):
            findings[citation["position"]] = compare(citation, outcome, unit.tokenizer)
            ctx.progress(1, 0)
    except Exception as error:  # whatever is in files that anybody may have written
        why = str(error).splitlines()[0] if str(error) else repr(error)
    for each in cited:
        gone = Finding(each["row"], "gone", f"{file} at {each['offset']}+{each['skip']}: {why}")
        findings.setdefault(each["position"], gone)
    return list(findings.values())


def _outcomes(location: str, cited: list[Row]) -> Iterator[tuple[Row, Outcome]]:
    """Yield each citation with what its record is worth now. The citations are in the order of offset and skip."""
    outer, _, inner = location.partition("!/")
    if scheme_of(outer) == "file" and not os.path.isfile(outer):
        raise SourceError("there is no such file")
    citations: dict[Address, list[Row]] = {}  # several rows may cite one record
    for citation in cited:
        citations.setdefault((citation["offset"], citation["skip"]), []).append(citation)
    with open_bytes(outer) as file:
        kind = kind_of(file, outer)
        if kind not in READERS:
            return
        reader = open_reader(kind)
        if inner and not reader.is_package:
            raise SourceError("the package has no such entry")
        for items in reader.find(file, list(citations), Reading(location, part=inner)):
            examiner = Examiner(location, extractor_of(None), Limits())  # as `archive ingest` did
            for address, item in items:
                if address is None:
                    if isinstance(item, Record):
                        examiner.introduce(item)
                    continue
                for citation in citations.pop(address, []):
                    if isinstance(item, ArchiveRow) and item.values is not None:
                        yield citation, dict(item.values)
                        continue
                    examiner.extract = extractor_of(citation["extractor"])
                    yield citation, examiner.examine(item)
