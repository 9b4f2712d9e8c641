"""Names of crawls, and ranges of them: `cc:CC-MAIN-2019-35`, `cc:2013..2021`, `cc:..2021`, `cc:CC-NEWS-2019-08`."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from difflib import get_close_matches

from archive.commoncrawl.cache import DAY, Cache
from archive.commoncrawl.mirror import Mirror
from archive.errors import SourceError
from archive.evidence.crawls import ARC_CRAWLS, Published, frozen, read_collinfo

SCHEME = "cc:"
#: The first month of the news crawl.
NEWS_BEGAN = (2016, 8)
#: The first crawl whose index names the languages of pages.
LANGUAGES_SINCE = "CC-MAIN-2018-39"
_YEAR, _MONTH, _MAIN = re.compile(r"\d{4}"), re.compile(r"(\d{4})-(\d\d)"), re.compile(r"CC-MAIN-[\d-]+", re.I)
_NEWS = re.compile(r"CC-NEWS(?:-(.*))?", re.I)


@dataclass(frozen=True, slots=True)
class Crawl:
    """One crawl, or one month of the news crawl.

    Attributes:
        start: when its first page was fetched, in UTC; of the crawls before 2013 in Pacific time.
        end: when its last page was fetched.
    """

    id: str
    start: datetime
    end: datetime

    @property
    def is_news(self) -> bool:
        """Whether it is a month of CC-NEWS, which has no index."""
        return self.id.startswith("CC-NEWS-")

    @property
    def is_arc(self) -> bool:
        """Whether it is of 2008 to 2012: ARC files, which only the sorted index lists."""
        return self.id in ARC_CRAWLS

    @property
    def has_languages(self) -> bool:
        """Whether its index names languages."""
        return not self.is_news and not self.is_arc and self.id >= LANGUAGES_SINCE

    @property
    def folder(self) -> str:
        """The folder of its lists of files."""
        if self.is_news:
            year, month = self.id.removeprefix("CC-NEWS-").split("-")
            return f"crawl-data/CC-NEWS/{year}/{month}"
        return f"crawl-data/{self.id}"


def published(mirror: Mirror, cache: Cache, is_own: bool = True) -> dict[str, Published]:
    """Return the crawls that Common Crawl has published, in the order of time; the list is asked for once a day.

    Args:
        is_own: it is Common Crawl's own host. Where that does not answer, the list that this program has counts.

    Raises:
        SourceError: another mirror has no list.
    """
    try:
        found = read_collinfo(json.loads(cache.kept("collinfo.json", mirror.collinfo, DAY)))
        if found:
            return found
        raise ValueError
    except (SourceError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        cache.drop("collinfo.json")
        if is_own:
            warnings.warn(
                "the list of crawls (collinfo.json) cannot be read; that of August 2025 counts, without later crawls",
                stacklevel=2,
            )
            return frozen()
        why = error if isinstance(error, SourceError) else "no list of crawls"
        raise SourceError(f"collinfo.json: {why}; the mirror must have it, to know its crawls") from None


def crawls_of(source: str, known: Callable[[], Mapping[str, Published]], now: datetime | None = None) -> list[Crawl]:
    """Return the crawls that a source names, in the order of time.

    Args:
        source: `cc:` and the name of a crawl, a year, a month of the news, or a range of either with `..`.
        known: returns the crawls that there are.
        now: news months go up to it.

    Raises:
        SourceError: it is no such name, or there is no such crawl.
    """
    name = "".join(source[len(SCHEME) :].split()).strip("/")
    if match := _NEWS.fullmatch(name):
        return _news(source, match[1] or "", now or datetime.now(UTC))
    first, dots, last = name.partition("..")
    crawls = known()
    if not dots and _MAIN.fullmatch(name):
        return [_named(source, name, crawls)]
    if not (dots or _YEAR.fullmatch(name)):
        raise _wrong(source)
    low, high = _edge(source, first, crawls), _edge(source, last if dots else first, crawls)
    found = [
        Crawl(each.id, each.start, each.end)
        for each in sorted(crawls.values(), key=lambda each: each.start)
        if (low is None or each.start >= low[0]) and (high is None or each.end <= high[1])
    ]
    if not found:
        raise SourceError(f"{source}: no crawl of Common Crawl is within this time")
    return found


def _named(source: str, name: str, crawls: Mapping[str, Published]) -> Crawl:
    each = crawls.get(name.upper()) or frozen().get(name.upper())
    if each is None:
        close = get_close_matches(name.upper(), crawls, 3, 0.8)
        hint = f"; near it are {', '.join(close)}" if close else ""
        raise SourceError(f"{source}: Common Crawl has no crawl of this name{hint}")
    return Crawl(each.id, each.start, each.end)


def _edge(source: str, text: str, crawls: Mapping[str, Published]) -> tuple[datetime, datetime] | None:
    """Return the first and the last instant of one end of a range; None where it is open."""
    if not text:
        return None
    if _YEAR.fullmatch(text):
        year = int(text)
        if not 1 <= year < MAXYEAR:
            raise _wrong(source)
        return datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    if _MAIN.fullmatch(text):
        each = _named(source, text, crawls)
        return each.start, each.end
    raise _wrong(source)


def _wrong(source: str) -> SourceError:
    return SourceError(
        f"{source}: names no crawl; write cc:CC-MAIN-2019-35, a year or a range (cc:2013..2021, cc:..2021), or a month "
        "of news (cc:CC-NEWS-2019-08)"
    )


def _news(source: str, text: str, now: datetime) -> list[Crawl]:
    first, dots, last = text.partition("..")
    if not text:
        raise _wrong(source)
    low = _months(source, first)[0] if first else NEWS_BEGAN
    high = _months(source, last)[1] if last else ((now.year, now.month) if dots else _months(source, first)[1])
    found = [_month(*each) for each in _between(max(low, NEWS_BEGAN), min(high, (now.year, now.month)))]
    if not found:
        raise SourceError(f"{source}: CC-NEWS has no files of this time; it began in August 2016")
    return found


def _months(source: str, text: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the first and the last month that `2019` or `2019-08` names."""
    text = text.upper().removeprefix("CC-NEWS-")
    if _YEAR.fullmatch(text):
        return (int(text), 1), (int(text), 12)
    if (match := _MONTH.fullmatch(text)) and 1 <= int(match[2]) <= 12:
        return ((int(match[1]), int(match[2])),) * 2
    raise _wrong(source)


def _between(low: tuple[int, int], high: tuple[int, int]) -> Iterator[tuple[int, int]]:
    while low <= high:
        yield low
        low = (low[0] + low[1] // 12, low[1] % 12 + 1)


def _month(year: int, month: int) -> Crawl:
    start = datetime(year, month, 1, tzinfo=UTC)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC) - timedelta(seconds=1)
    return Crawl(f"CC-NEWS-{year}-{month:02}", start, end)
