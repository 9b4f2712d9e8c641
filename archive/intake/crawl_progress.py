"""The progress of an ingest of Common Crawl in words: where it is, what it waits for, and how long the rest takes."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cached_property

from archive.commoncrawl.gate import Gate, Seen, Watch
from archive.commoncrawl.mirror import Access
from archive.commoncrawl.reach import BANDWIDTH
from archive.commoncrawl.sizes import kept_mean
from archive.evidence.names import crawl_name
from archive.intake.part import Tally
from archive.intake.unit import Unit
from archive.progress import Reporter
from archive.show import count_of, time_text
from archive.sources.base import Listed
from archive.storage import is_http

#: Seconds between two looks at the gate.
_EVERY = 0.5
#: Seconds after which the speed so far counts, and not that of the plan.
_SETTLED = 10.0
#: Seconds without a record that are worth a word.
_QUIET = 15.0
_NEWS = re.compile(r"/crawl-data/CC-NEWS/(\d{4})/(\d\d)/")


def crawl_of(uri: str) -> str:
    """Return the crawl that a file of Common Crawl is of.

    >>> crawl_of("https://data.commoncrawl.org/crawl-data/CC-NEWS/2019/08/CC-NEWS-20190805100000-00000.warc.gz")
    'CC-NEWS-2019-08'
    """
    if match := _NEWS.search(uri):
        return f"CC-NEWS-{match[1]}-{match[2]}"
    return crawl_name(uri) or ""


def waits_for(seen: Seen) -> str:
    """Return why no request leaves, or fewer than usual; empty where they leave as usual.

    >>> waits_for(Seen("data.commoncrawl.org", 61, 58.2, 31.5, 503, 1566000000.0, 0.5, True))
    'waits 32 s: data.commoncrawl.org answered 503 at 00:00:00Z'
    >>> waits_for(Seen("data.commoncrawl.org", 61, 58.2, 0.0, 503, 1566000000.0, 0.5, True))
    'only a request every 2 s: data.commoncrawl.org answered 503 at 00:00:00Z'
    """
    if not (seen.hold or seen.is_slowed):
        return ""
    at = datetime.fromtimestamp(seen.at, UTC).strftime("%H:%M:%SZ")
    what = f"answered {seen.status}" if seen.status else "gave no answer"
    if seen.hold:
        return f"waits {time_text(math.ceil(seen.hold))}: {seen.host} {what} at {at}"
    slow = f"{seen.rate:.2g} requests a second" if seen.rate > 1 else f"a request every {1 / seen.rate:.2g} s"
    return f"only {slow}: {seen.host} {what} at {at}"


class CrawlProgress(Watch):
    """Follows the plan of an ingest, then the work on it.

    The time that is left follows from the plan: its requests at the rate at which they leave now, its bytes at the
    speed so far, whichever takes longer. Requests are counted by the gate, for all processes of the machine.

    Args:
        clock: seconds, of any beginning.
    """

    def __init__(self, access: Access, reporter: Reporter, clock: Callable[[], float] = time.monotonic) -> None:
        self._access, self._reporter, self._clock = access, reporter, clock
        self._before: dict[str, Seen] = {}  # by host, before the first request
        self._where, self._looked, self._began, self._last = "", 0.0, clock(), clock()
        self._files: dict[str, tuple[int, int | None]] = {}  # requests and bytes of each, by the plan
        self._crawls: list[str] = []
        self._lengths: list[float] = []  # of some of the files that are streamed
        self._lately: dict[str, int] = {}  # bytes so far of files that are streamed
        self._requests = self._bytes = self._streamed = 0  # requests that are left; bytes of parts, and streamed files
        self._came = self._committed = self._asked = 0  # bytes; requests of committed units; requests up to the last

    @cached_property
    def _gate(self) -> Gate | None:
        mirror = self._access.mirror
        return self._access.gate(mirror) if is_http(mirror) else None

    @property
    def has_files(self) -> bool:
        """Whether there is anything of Common Crawl to do."""
        return bool(self._files)

    def _look(self) -> Seen | None:
        return self._gate.look() if self._gate else None

    # -- planning ----------------------------------------------------------------------------------

    def index(self, crawl: str, number: int, of: int) -> None:
        """Tell which index is read."""
        self._where = _numbered(f"the index of {crawl}", number, of)
        self._reporter.note(self._where)
        self._reporter.advance(0, 0)

    def beat(self, seen: Seen) -> None:
        """Tell what the plan waits for."""
        if self._is_time():
            self._tell(seen)
            self._reporter.advance(0, 0)

    # -- the work ----------------------------------------------------------------------------------

    def listed(self, files: Iterable[Listed]) -> int | None:
        """Take the plan. Returns the bytes that it will read; None where nobody knows."""
        for file in files:
            if file.take is not None:
                requests, size = file.take.requests + (not file.take.streams), file.take.bytes
                self._files[file.uri] = requests, size
                self._requests += requests
                self._bytes += size or 0
                self._streamed += size is None
        self._crawls = list(dict.fromkeys(map(crawl_of, self._files)))
        cache = self._access.open_cache()
        kept = [kept_mean(cache, crawl) for crawl in self._crawls] if self._streamed else []
        self._lengths = [each for each in kept if each]
        self._began = self._last = self._clock()
        self._where = ""
        if (seen := self._look()) is not None:
            self._before[seen.host] = seen
        self._reporter.detail("")
        return self._total

    @property
    def _total(self) -> int | None:
        """Bytes that are read, by the plan."""
        if self._streamed and not self._lengths:
            return None
        return self._bytes + round(self._streamed * sum(self._lengths) / max(len(self._lengths), 1))

    def begun(self, unit: Unit) -> None:
        """Note that a worker gets a unit."""
        if (crawl := crawl_of(unit.file)) in self._crawls:
            self._where = _numbered(crawl, self._crawls.index(crawl) + 1, len(self._crawls))

    def skipped(self, file: str) -> None:
        """Note that the lake has what was wanted of a file."""
        requests, size = self._files.get(file, (0, 0))
        self._requests -= requests
        self._bytes -= size or 0
        self._streamed -= size is None

    def came(self, size: int) -> None:
        """Note that workers have read so many bytes."""
        self._came += size
        if size > 0:
            self._last = self._clock()

    def committed(self, unit: Unit, tally: Tally, is_complete: bool) -> None:
        """Note that a unit is in the lake; its file may have others."""
        self._asked = self._asks()
        self._committed += tally.spent.requests
        requests, size = self._files.get(unit.file, (0, 0))
        took = requests if is_complete else min(unit.take.requests if unit.take else 0, requests)
        self._requests -= took
        self._files[unit.file] = requests - took, size
        if size is None:
            self._lately[unit.file] = self._lately.get(unit.file, 0) + tally.bytes
            if is_complete:
                self._lengths.append(self._lately.pop(unit.file))

    def work(self) -> None:
        """Tell the reporter how far the work is."""
        if self._is_time():
            seen = self._look()
            self._tell(seen)
            self._reporter.remaining(self._seconds(seen))

    # -- words -------------------------------------------------------------------------------------

    def _is_time(self) -> bool:
        now = self._clock()
        if now - self._looked < _EVERY:
            return False
        self._looked = now
        return True

    def _tell(self, seen: Seen | None) -> None:
        if seen is None:
            self._reporter.detail(self._where if self._files else "")
            return
        before = self._before.setdefault(seen.host, seen)
        asked, waited = seen.requests - before.requests, seen.waited - before.waited
        parts = [self._where] if self._files else []
        parts.append(f"{count_of(asked, 'request')} ({asked / max(self._clock() - self._began, 1.0):.1f}/s)")
        if waited >= 1:
            parts.append(f"workers waited {time_text(waited)}")
        quiet = self._clock() - self._last
        if why := waits_for(seen):
            parts.append(why)
        elif self._files and quiet > _QUIET:
            parts.append(f"no record for {time_text(quiet)}")
        self._reporter.detail(", ".join(part for part in parts if part))

    def _asks(self) -> int:
        """Return the requests that left since the work began, of all processes of the machine."""
        seen = self._look()
        return seen.requests - self._before[seen.host].requests if seen else 0

    def _seconds(self, seen: Seen | None) -> float | None:
        """Return how long the rest takes; None if nobody can tell."""
        total, spent = self._total, self._clock() - self._began
        if total is None:
            return None
        in_hand = self._asks() - self._asked  # requests of units that are not committed
        rate, speed = seen.rate if seen else float("inf"), BANDWIDTH
        if spent > _SETTLED:
            rate = min(rate, (self._committed + in_hand) / spent or rate)
            speed = self._came / spent or speed
        left = max((self._requests - in_hand) / rate, (total - self._came) / speed, 0.0)
        return left + (seen.hold if seen else 0.0)


def _numbered(what: str, number: int, of: int) -> str:
    return f"{what} ({number} of {of})" if of > 1 else what
