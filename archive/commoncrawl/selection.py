"""What is wanted of some crawls: which pages, which files, and which part of them this machine does."""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from archive import dates
from archive.commoncrawl.crawls import LANGUAGES_SINCE, Crawl
from archive.commoncrawl.surt import host_key, key_of, successor
from archive.errors import SourceError
from archive.storage import is_text

#: A stretch of the sorted index: keys from the first text on, up to the second and without it.
KeyRange = tuple[bytes, bytes]
SUBSETS = ("warc", "wet")
_PART = re.compile(r"(\d+)/(\d+)")
_LANGUAGE = re.compile(r"[a-z]{3}")
_HOST = re.compile(r"[^\s/:?#@*,]+")
#: Folders of a crawl without pages.
_NO_PAGES = re.compile(r"/(?:crawldiagnostics|robotstxt)/")


@dataclass(frozen=True)
class Selection:
    """What is wanted. Addresses, hosts, domains and top-level domains add up; everything else narrows.

    Args:
        subset: `warc`, or `wet` for the texts that Common Crawl extracted.
        urls: addresses, or all below one with `*` at its end. `http` and `https`, and `www.` in front, do not count.
        hosts: `www.` in front does not count.
        domains: a host with all below it.
        tlds: `pt`.
        languages: three letters (ISO 639-3). A page counts as of the first language that the index names.
        mimes: `text/html`, or a pattern; as the server stated or as was detected.
        statuses: of HTTP.
        after: pages from this date on, and
        before: pages from before this date, by the time of the index.
        sample: this part of the records; the same ones in each run.
        files: so many files of each crawl; the same ones in each run.
        part: (i, n): the i-th of n parts. Together they are everything, and no two share a file.
    """

    subset: str = "warc"
    urls: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    tlds: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    mimes: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    after: datetime | None = None
    before: datetime | None = None
    sample: float | None = None
    files: int | None = None
    part: tuple[int, int] = (1, 1)

    @classmethod
    def of(
        cls,
        *,
        subset: str = "warc",
        url: Iterable[str] = (),
        host: Iterable[str] = (),
        domain: Iterable[str] = (),
        tld: Iterable[str] = (),
        language: Iterable[str] = (),
        mime: Iterable[str] = (),
        status: Iterable[int] = (),
        after: str | None = None,
        before: str | None = None,
        sample: float | None = None,
        files: int | None = None,
        part: str | None = None,
    ) -> Selection:
        """Read the options of a command.

        Raises:
            SourceError: one of them is no such thing.
        """
        selection = cls(
            subset,
            tuple(url),
            tuple(each.lower() for each in host),
            tuple(each.lower() for each in domain),
            tuple(each.lower().lstrip(".") for each in tld),
            tuple(each.lower() for each in language),
            tuple(each.lower() for each in mime),
            tuple(status),
            _date("after", after),
            _date("before", before),
            sample,
            files,
            _part(part),
        )
        selection._require()
        return selection

    def _require(self) -> None:
        if self.subset not in SUBSETS:
            raise SourceError(f"--subset {self.subset}: write warc or wet")
        for name, values in (("host", self.hosts), ("domain", self.domains), ("tld", self.tlds)):
            for value in values:
                if not (_HOST.fullmatch(value) and is_text(value)):
                    raise SourceError(
                        f"--{name} {value}: no name of a host; --domain has all below one, and an address is for --url"
                    )
        for status in self.statuses:
            if not 0 <= status <= 999:
                raise SourceError(f"--status {status}: no status of HTTP")
        for language in self.languages:
            if not _LANGUAGE.fullmatch(language):
                raise SourceError(f"--language {language}: write three letters (ISO 639-3), as por for Portuguese")
        if self.sample is not None and not 0 < self.sample <= 1:
            raise SourceError(f"--sample {self.sample:g}: write a part of all, as 0.001")
        if self.files is not None and self.files < 1:
            raise SourceError("--files: write a number of files, 1 or more")
        if self.after and self.before and self.after >= self.before:
            raise SourceError("--after must be before --before")
        if self.subset == "wet" and self.by_record:
            raise SourceError("--subset wet: no index lists the records of these files; select warc, or --files N")
        self.key_ranges  # noqa: B018  raises where an address is none

    @property
    def by_record(self) -> bool:
        """Whether single records are chosen, which takes an index."""
        return bool(
            self.urls
            or self.hosts
            or self.domains
            or self.tlds
            or self.languages
            or self.mimes
            or self.statuses
            or self.after
            or self.before
            or self.sample is not None
        )

    @property
    def by_key(self) -> bool:
        """Whether the sorted index has the records together."""
        return bool(self.urls or self.hosts or self.domains or self.tlds)

    def narrowed(self, crawl: Crawl) -> Selection | None:
        """Return the selection for one crawl: dates that hold for all of it are left out; None if nothing is wanted.

        Raises:
            SourceError: the crawl has no index that tells.
        """
        if (self.after and crawl.end < self.after) or (self.before and crawl.start >= self.before):
            return None
        after = self.after if self.after and crawl.start < self.after else None
        before = self.before if self.before and crawl.end >= self.before else None
        rest = replace(self, after=after, before=before)
        if rest.by_record and crawl.is_news:
            raise SourceError(f"{crawl.id}: no index lists the records of CC-NEWS; select by month, --files and --part")
        if rest.languages and not crawl.has_languages:
            raise SourceError(
                f"{crawl.id}: --language needs an index that names languages, which Common Crawl has since "
                f"{LANGUAGES_SINCE}; for earlier crawls select by --tld or --host, and ask the lake for the language"
            )
        if rest.subset == "wet" and crawl.is_arc:
            raise SourceError(f"{crawl.id}: there are no WET files of the crawls before 2013")
        return rest

    # -- by address --------------------------------------------------------------------------------

    @cached_property
    def key_ranges(self) -> list[KeyRange]:
        """The stretches of the sorted index that hold the wanted addresses, in order, none in another."""
        found: list[KeyRange] = []
        for url in self.urls:
            try:
                if url.endswith("*"):
                    key = key_of(url[:-1]).encode()
                    key += b"/" if url[:-1].endswith("/") and not key.endswith(b"/") else b""
                    found.append((key, successor(key)))
                else:
                    key = key_of(url).encode() + b" "
                    found.append((key, successor(key)))
            except ValueError as error:
                raise SourceError(f"--url {url}: {error}") from None
        for host in self.hosts:
            found += _below(host_key(host), b")", b":")
        for domain in self.domains:
            found += _below(host_key(domain), b")", b":", b",")
        for tld in self.tlds:
            found += _below(host_key(tld), b")", b":", b",")
        merged: list[KeyRange] = []
        for low, high in sorted(found):
            if merged and low <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        return merged

    def holds_key(self, line: bytes) -> bool:
        """Return whether a line of the sorted index, `key timestamp …`, is of a wanted address."""
        return not self.by_key or any(low <= line < high for low, high in self.key_ranges)

    # -- by what an index states -------------------------------------------------------------------

    def takes(self, timestamp: str, fields: Mapping[str, str]) -> bool:
        """Return whether a line of the sorted index is wanted, whose address is.

        Args:
            fields: as the line has them: url, mime, mime-detected, status, digest, length, offset, filename, languages.
        """
        if _NO_PAGES.search(fields.get("filename", "")):
            return False
        if self.statuses and fields.get("status") not in {str(each) for each in self.statuses}:
            return False
        if self.languages and (fields.get("languages") or "").partition(",")[0] not in self.languages:
            return False
        if self.mimes and not any(
            fnmatch.fnmatchcase((fields.get(name) or "").lower(), pattern)
            for name in ("mime", "mime-detected")
            for pattern in self.mimes
        ):
            return False
        return not (self.after or self.before) or self._holds(_moment(timestamp))

    def _holds(self, moment: datetime | None) -> bool:
        if moment is None:
            return False
        return (self.after is None or moment >= self.after) and (self.before is None or moment < self.before)

    @property
    def columns(self) -> list[str]:
        """The columns of the index table that `mask` needs."""
        wanted = {
            "url_surtkey": self.by_key,
            "fetch_time": self.after or self.before,
            "fetch_status": self.statuses,
            "content_mime_type": self.mimes,
            "content_mime_detected": self.mimes,
            "content_languages": self.languages,
        }
        return [name for name, needed in wanted.items() if needed]

    def mask(self, batch: pa.RecordBatch | pa.Table) -> pa.Array | pa.ChunkedArray | None:
        """Return for each row of the index table whether it is wanted; None for all."""
        parts = []
        if self.by_key:
            parts.append(self._of_keys(batch.column("url_surtkey")))
        if self.statuses:
            parts.append(pc.is_in(batch.column("fetch_status"), pa.array(self.statuses, pa.int16())))
        if self.languages:
            first = pc.utf8_slice_codeunits(_plain(batch.column("content_languages")), 0, 3)
            parts.append(pc.fill_null(pc.is_in(first, pa.array(self.languages)), False))
        if self.mimes:
            either = [
                self._of_mimes(_plain(batch.column(name)))
                for name in ("content_mime_type", "content_mime_detected")
                if name in batch.schema.names
            ]
            parts.append(either[0] if len(either) == 1 else pc.or_(*either))
        if self.after or self.before:
            at = pc.cast(batch.column("fetch_time"), pa.timestamp("s"), safe=False)
            if self.after:
                parts.append(pc.greater_equal(at, _naive(self.after)))
            if self.before:
                parts.append(pc.less(at, _naive(self.before)))
        if not parts:
            return None
        every = parts[0]
        for part in parts[1:]:
            every = pc.and_(every, part)
        return pc.fill_null(every, False)

    def _of_mimes(self, column: Any) -> Any:
        # Arrow has no such patterns, and its regular expressions not all that Python makes of them; types are few
        there = [text for text in pc.unique(column).to_pylist() if text is not None]
        wanted = [text for text in there if any(fnmatch.fnmatchcase(text.lower(), each) for each in self.mimes)]
        return pc.is_in(column, pa.array(wanted, column.type))

    def _of_keys(self, keys: Any) -> Any:
        found: Any = None
        keys = pc.cast(_plain(keys), pa.binary())
        for low, high in self.key_ranges:
            # a whole address ends with a blank here, as in the lines of the sorted index
            part = (
                pc.equal(keys, low[:-1])
                if low.endswith(b" ")
                else pc.and_(pc.greater_equal(keys, low), pc.less(keys, high))
            )
            found = part if found is None else pc.or_(found, part)
        return found

    # -- by chance ---------------------------------------------------------------------------------

    def has_file(self, path: str) -> bool:
        """Return whether a file is of this machine's part."""
        return hash_of(path) % self.part[1] == self.part[0] - 1

    def chosen(self, paths: Sequence[str]) -> list[str]:
        """Return the files of a crawl that are wanted here, in the order in which they are read.

        The order is that of a hash, so that machines that begin at once meet rarely, and the first N files are a
        sample.
        """
        ordered = sorted(paths, key=hash_of)
        return [path for path in ordered[: self.files] if self.has_file(path)]

    def sampled(self, path_hashes: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Return for each record whether it is in the sample: by a hash of its file and its offset.

        Args:
            path_hashes: `hash_of` the file of each record.
        """
        if self.sample is None:
            return np.ones(len(offsets), np.bool_)
        mixed = _mixed(path_hashes ^ _mixed(offsets.astype(np.uint64)))
        return mixed >> np.uint64(11) < np.uint64(round(self.sample * 2**53))


def hash_of(path: str) -> int:
    """Return 64 bits of a hash of a path: the same on every machine."""
    return int.from_bytes(hashlib.blake2b(path.encode(), digest_size=8).digest(), "big")


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Mix the bits of some numbers (the finalizer of SplitMix64)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _below(key: str, *ends: bytes) -> list[KeyRange]:
    return [(key.encode() + end, successor(key.encode() + end)) for end in ends]


def _plain(column: Any) -> Any:
    return pc.cast(column, pa.string()) if pa.types.is_dictionary(column.type) else column


def _naive(moment: datetime) -> pa.Scalar:
    return pa.scalar(moment.replace(tzinfo=None), pa.timestamp("s"))


def _moment(timestamp: str) -> datetime | None:
    return dates.interval(timestamp).start


def _date(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    found = dates.interval(text).start
    if found is None:
        raise SourceError(f"--{name} {text}: no date; write 2014-05 or 2014-05-20")
    return found


def _part(text: str | None) -> tuple[int, int]:
    if text is None:
        return 1, 1
    match = _PART.fullmatch(text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise SourceError(f"--part {text}: write 3/16 for the third of sixteen parts")
    return int(match[1]), int(match[2])
