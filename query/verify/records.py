"""Read the records that rows cite, and compare them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO

import pyarrow.dataset as pads

from archive import registry
from archive.capture import Capture, Limits
from archive.commoncrawl.gate import Refused
from archive.commoncrawl.source import is_cited, open_cited
from archive.engine import Context
from archive.errors import SourceError, error_line
from archive.examine import Examiner
from archive.records import READERS, Address, Reading, Record, kind_of, open_reader
from archive.records.base import Item
from archive.records.rows import Row as ArchiveRow
from archive.sources import open_bytes
from archive.sources.base import SCHEMES, scheme_of
from archive.sources.public import open_public
from archive.storage import is_s3, local_or_store
from archive.text import EXTRACTORS
from archive.text.base import keeping
from archive.text.content.parts import PARTS
from query.tokenizer import Tokenizer
from query.verify.bounds import FileBounds, Known, may_rest_on_bound
from query.verify.compare import Against, Outcome, Row, compare, extractor_of
from query.verify.result import Finding

Texts = Callable[[], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Places:
    """Where records may be read.

    Attributes:
        moved: prefixes of cited files, and what they begin with now.
        trusted: folders and prefixes in which alone a record proves something; any place where there are none.
        own: the folder or prefix of the set itself, which proves nothing about itself; empty for a lake.
        network: public web servers may be asked, and stores of objects.
    """

    moved: tuple[tuple[str, str], ...] = ()
    trusted: tuple[str, ...] = ()
    own: str = ""
    network: bool = False

    def located(self, file: str | None) -> tuple[str, bool]:
        """Return where a file is now, and whether the user named it: then it may be on any server."""
        file = file or ""
        for old, new in self.moved:
            if file.startswith(old):
                rest = file[len(old) :]
                # or the set could lead from https://a.org to https://a.org.example.com
                return new + rest, not rest or new.endswith("/") or rest.startswith("/")
        return file, False

    def refusal(self, cited: str, location: str) -> str | None:
        """Return why a file proves nothing where it is; None where it may."""
        outer, here = cited.partition("!/")[0], location.partition("!/")[0]
        scheme = _scheme(outer)
        if not SCHEMES.has(scheme):
            return scheme
        if scheme == "file" and (not os.path.isabs(outer) or os.path.normpath(outer) != outer or "\0" in outer):
            return "the row cites it by a name that no ingest gives: with .., or not from the root"
        if scheme in {"http", "https", "s3"} and {".", ".."} & set(outer.split("/")):
            return "the row cites it by a name that no ingest gives: with .."
        if self._is_own(here):
            return "it is in the set, which proves nothing about itself"
        if self.trusted and not any(_is_in(here, prefix) for prefix in self.trusted):
            return "it is outside of what --trusted names"
        return None

    def _is_own(self, here: str) -> bool:
        if is_s3(self.own):
            return _scheme(here) == "s3" and f"{local_or_store(here)}/".startswith(f"{self.own}/")
        return bool(self.own) and _scheme(here) == "file" and _is_below(os.path.realpath(here), self.own)


def _is_in(location: str, prefix: str) -> bool:
    if _scheme(prefix) == "file":
        return _scheme(location) == "file" and _is_below(os.path.realpath(location), os.path.realpath(prefix))
    return _is_below(location, prefix.rstrip("/"))


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


@dataclass(frozen=True, slots=True)
class Unit:
    """Citations of one file, by their range in a Parquet file that is sorted by file and offset."""

    citations: str  #: in the scratch folder
    file: str | None
    start: int
    end: int
    trust: Places
    tokenizer: Tokenizer | None
    honours: bool  #: whether the set promises that no text opts out
    bounds: Known = None
    plugins: registry.Entries = field(default_factory=registry.entries)

    @property
    def is_walked(self) -> bool:
        """Whether the file is on this machine: then its records are reached from its start."""
        return _scheme(self.trust.located(self.file)[0]) == "file"


def work(unit: Unit, ctx: Context) -> list[Finding]:
    """Compare each citation with the record. Needs a scratch folder that all workers see."""
    registry.adopt(unit.plugins)
    cited: list[Row] = (
        pads.dataset(ctx.read(unit.citations))
        .to_table(filter=(pads.field("position") >= unit.start) & (pads.field("position") < unit.end))
        .to_pylist()
    )
    return follow(unit, cited, lambda *_: ctx.progress(1, 0))


def follow(unit: Unit, cited: list[Row], seen: Callable[[Row, Outcome], None]) -> list[Finding]:
    """Compare some citations of one file with the records.

    Args:
        cited: in the order of offset and skip, each with its `position`.
        seen: called with each citation whose record was read, and with what the record is worth now.
    """
    file, chosen = unit.trust.located(unit.file)
    is_file = unit.is_walked
    if why := unit.trust.refusal(unit.file or "", file):
        return [Finding(each["row"], "differs", f"{_shown(file)}: {why}") for each in cited]
    if not (is_file or chosen or unit.trust.network):
        why = f"{file} is on the network; --network reads it, or --moved names where it is"
        return [_unchecked(each, why) for each in cited]
    findings: dict[int, Finding] = {}
    why = "there is no record"
    try:
        is_bound = any(may_rest_on_bound(each) for each in cited)
        bounds = FileBounds.of(file, unit.bounds) if is_bound else None
        against = Against(file, unit.tokenizer, unit.honours, file != unit.file, bounds)
        for citation, outcome, texts in _outcomes(file, cited, chosen, is_file):
            findings[citation["position"]] = compare(citation, outcome, against, texts)
            seen(citation, outcome)
        differ = [
            each for each in cited if each["position"] in findings and findings[each["position"]].kind == "differs"
        ]
        if differ and not is_file:  # a joined file has more than one warcinfo: the records in front say which one holds
            for citation, outcome, texts in _outcomes(file, differ, chosen, True):
                findings[citation["position"]] = compare(citation, outcome, against, texts)
    except Refused as error:  # nobody knows what is there
        left = (each for each in cited if each["position"] not in findings)
        return [*findings.values(), *(_unchecked(each, str(error)) for each in left)]
    except Exception as error:  # whatever is in files that anybody may have written
        why = error_line(error)
    for each in cited:
        gone = Finding(each["row"], "gone", f"{_shown(file)} at {each['offset']}+{each['skip']}: {why}")
        findings.setdefault(each["position"], gone)
    return list(findings.values())


def _unchecked(citation: Row, why: str) -> Finding:
    return Finding(citation["row"], "unchecked", why)


def _scheme(location: str) -> str:
    """Return the scheme of a location; what is wrong with it, where nothing reads it."""
    try:
        return scheme_of(location.partition("!/")[0])
    except SourceError as error:
        return str(error)


def _shown(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _opened(file: str, chosen: bool) -> BinaryIO:
    """Open a file; one at Common Crawl within the budget of requests that all processes of this machine share."""
    if scheme_of(file) not in {"http", "https"}:
        return open_bytes(file)
    return open_cited(file) if is_cited(file) and not chosen else open_public(file, chosen)


def _outcomes(location: str, cited: list[Row], chosen: bool, walk: bool) -> Iterator[tuple[Row, Outcome, Texts]]:
    """Yield each citation with what its record is worth now, and what gives the texts that all extractors take from it.

    The citations are in the order of offset and skip.

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
    with _opened(outer, chosen) as file:
        kind = kind_of(file, outer)
        if kind not in READERS:
            return
        reader = open_reader(kind)
        if inner and not reader.is_package:
            raise SourceError("the package has no such entry")
        reading = Reading(location, part=inner, walk=walk)
        for items in reader.find(file, list(citations), reading):
            # as an ingest did
            examiner = Examiner(location, extractor_of(None), Limits(), altered=reading.altered, stale=reading.stale)
            examiner.takes_rules = False  # in a set of an older version, a robots.txt is a text
            for address, item in items:
                if address is None:
                    if isinstance(item, Record):
                        examiner.pass_by(item)
                    continue
                for citation in citations.pop(address, []):
                    if isinstance(item, ArchiveRow) and item.values is not None:
                        yield citation, item, lambda: iter(())
                        continue
                    examiner.extract = extractor_of(citation["extractor"])
                    examiner.operator = citation["operator"]  # the user may have named one, where the record names none
                    yield citation, examiner.examine(item), partial(_texts, examiner, item)


def _texts(examiner: Examiner, item: Item) -> Iterator[str]:
    for name in (*EXTRACTORS, keeping("resiliparse", PARTS), *(keeping("resiliparse", [part]) for part in PARTS)):
        with contextlib.suppress(ModuleNotFoundError):  # the library of an extractor may not be installed
            examiner.extract = extractor_of(name)
            outcome = examiner.examine(item)
            if isinstance(outcome, Capture) and outcome.text is not None:
                yield outcome.text
