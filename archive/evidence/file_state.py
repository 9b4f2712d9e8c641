"""What is known of a file where one of its records is: the warcinfo records in front of it, and damage."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from html import unescape

from archive.evidence.names import crawl_windows, windows_of
from archive.evidence.operators import COMMON_CRAWL, INTERNET_ARCHIVE, operator_name
from archive.records.record import Record, decode, parse_fields

#: Infos of one file that are kept. A file that is joined of more has the records of the first ones without any.
_INFOS = 4096
#: The first line of the content of an ARC's filedesc, the name of an ARC, the `source` of a file made from a HAR.
_FILEDESC = re.compile(rb"\s*[12] \d [^\n]*")
_ARC = re.compile(r"\.arc(\.gz)?$", re.I)
_HAR = re.compile(r"\s*HAR\b", re.I)
#: The fields of a warcinfo with the names of the crawl and the file, and with what wrote the file.
_NAMES, _WRITERS = ("ispartof", "filename"), ("software", "format", "conformsto")
#: They are elements where the filedesc of an ARC has its metadata as XML (Heritrix).
_ELEMENT = re.compile(
    r"<(?:[\w.-]+:)?(ispartof|filename|software|format|conformsto)\b[^<>]*>(.*?)(?:</|\Z)", re.I | re.S
)
_PREFIX = re.compile(rb"^[ \t]*(?:dcterms|dc|arc):", re.I | re.M)
#: Limits of what is kept of a warcinfo; more of it counts as a doubt.
_INFO_BYTES, _SOFTWARE_KEPT, _NAMES_KEPT = 1 << 22, 2000, 100


@dataclass(frozen=True, slots=True)
class Info:
    """What a warcinfo record (ARC: filedesc) says about the records behind it."""

    record_id: str | None
    names: tuple[str, ...] = ()  #: of its crawl and its file
    operator: str | None = None
    pacific: bool = False  #: it begins an ARC file of Common Crawl, whose dates are US Pacific time
    software: str | None = None  #: that wrote the file, and the version of the format
    arc: bool = False  #: the file was converted from an ARC, and nothing says whether that had Pacific time
    any_zone: bool = False  #: it was converted from a HAR, whose dates have zones that converters drop
    broken: bool = False  #: its length is wrong, so that what it says may be cut off

    @classmethod
    def of(cls, record: Record) -> Info:
        """Read a warcinfo or filedesc record. All values of a repeated field count."""
        fields = parse_fields(_PREFIX.sub(b"", record.block[: _INFO_BYTES + 1]), _INFO_BYTES)
        if b"<" in record.block:
            for match in _ELEMENT.finditer(decode(record.block[:_INFO_BYTES])):
                fields.add(match[1].lower(), unescape(match[2]).strip())
        named = fields.every(*_NAMES) + record.headers.every("warc-filename")
        software = " ".join(dict.fromkeys(fields.every(*_WRITERS))).strip()
        if record.format == "arc":
            pacific = b"CommonCrawl" in record.block.split(b"\n", 1)[0]
            info = cls(None, (record.uri.removeprefix("filedesc://"),), "Common Crawl" if pacific else None, pacific)
        else:
            first = _FILEDESC.match(record.block)  # converters may keep what was in the ARC's filedesc
            info = cls(
                record.record_id,
                (),
                _operator_in(fields.every("operator", "publisher")),
                b"CommonCrawl" in first[0] if first else False,
                None,
                not first and any(_ARC.search(name.strip()) for name in named),
                any(_HAR.match(each) for each in fields.every("source")),
            )
        return replace(info, software=software, broken=fields.cut)._with_names(named)

    def _with_names(self, names: Iterable[str]) -> Info:
        """Return it with further names and within its limits; those of crawls are kept first."""
        every = sorted(dict.fromkeys((*self.names, *names)), key=lambda name: not crawl_windows(name))
        software, kept = self.software or "", every[:_NAMES_KEPT]
        broken = self.broken or len(software) > _SOFTWARE_KEPT or bool(windows_of(every[_NAMES_KEPT:]))
        return replace(self, names=tuple(kept), software=software[:_SOFTWARE_KEPT], broken=broken)

    def joined(self, other: Info) -> Info:
        """Return what this record and an earlier one say, where both hold for one record."""
        software = self.software or ""
        if other.software and other.software not in software:
            software = f"{other.software} {software}".strip()
        operators = [each for each in (self.operator, other.operator) if each]
        both = replace(
            self,
            operator=_operator_in(operators),
            pacific=self.pacific or other.pacific,
            software=software,
            arc=self.arc or other.arc,
            any_zone=self.any_zone or other.any_zone,
            broken=self.broken or other.broken,
        )
        return both._with_names(other.names)


def _operator_in(stated: Sequence[str]) -> str | None:
    """Return the operator of several that a file names: a known archive, else the first one."""
    known = (each for each in stated if operator_name(each) in {COMMON_CRAWL, INTERNET_ARCHIVE})
    found = next(known, None) or next(filter(None, stated), None)
    return found and (operator_name(found) if operator_name(found) in {COMMON_CRAWL, INTERNET_ARCHIVE} else found[:200])


def _same_id(stated: str | None) -> str | None:
    """Return the ID of a record as IDs are compared: without brackets, in lower case."""
    return stated.strip(" \t<>").lower() if stated is not None else None


@dataclass(slots=True)
class FileState:
    """What is known of a file where a record is.

    Attributes:
        name: of the file, which may contain that of a crawl.
        now: the time of the ingest.
        infos: the warcinfo records in front, the newest last.
        behind: the record is behind damage …
        floor: … and whatever was found there was inside a record of this date; None where that is not known.
    """

    name: str
    now: datetime
    infos: tuple[Info, ...] = ()
    behind: bool = False
    floor: datetime | None = None

    def introduce(self, info: Info) -> None:
        """Add a warcinfo record that was met. Of two with one ID, what both say counts."""
        own = _same_id(info.record_id)
        for each in self.infos:
            if own is not None and _same_id(each.record_id) == own:
                info = info.joined(each)
        kept = tuple(each for each in self.infos if _same_id(each.record_id) != own)
        self.infos = (*kept, info)[-_INFOS:]

    def note_broken_info(self) -> None:
        """Note that the newest warcinfo record has bytes behind it that its length leaves out."""
        if self.infos:
            self.infos = (*self.infos[:-1], replace(self.infos[-1], broken=True))

    def info_of(self, record: Record) -> tuple[Info | None, bool]:
        """Return the warcinfo record that holds for a record, and whether it is the one that the record cites.

        Where the cited one is not in front of the record, that is the newest that is; then the record is no more than
        plain. Of several that it cites, all hold.
        """
        newest = self.infos[-1] if self.infos else None
        cited = {_same_id(each) for each in record.headers.every("warc-warcinfo-id")}
        if not cited:
            return newest, True
        found = [info for info in reversed(self.infos) if _same_id(info.record_id) in cited]
        if not found:
            return newest, False
        return reduce(Info.joined, found), len(found) == len(cited)
