"""What an ingest takes of Common Crawl: the options that are for sources `cc:…` only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from archive.commoncrawl.mirror import OWN, RATE, Access
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selection import Selection
from archive.commoncrawl.source import is_crawl, list_crawls
from archive.errors import ArchiveError
from archive.sources.base import Listed

_Value = TypeVar("_Value", str, int)


@dataclass(frozen=True, slots=True)
class Crawled:
    """A selection, and how Common Crawl is reached."""

    selection: Selection = Selection()
    access: Access = Access()

    @classmethod
    def of(
        cls,
        *,
        subset: str = "warc",
        url: str | Iterable[str] = (),
        host: str | Iterable[str] = (),
        domain: str | Iterable[str] = (),
        tld: str | Iterable[str] = (),
        language: str | Iterable[str] = (),
        mime: str | Iterable[str] = (),
        status: int | Iterable[int] = (),
        after: str | None = None,
        before: str | None = None,
        sample: float | None = None,
        files: int | None = None,
        part: str | None = None,
        mirror: str = OWN,
        rate: float = RATE,
        contact: str | None = None,
    ) -> Crawled:
        """Read the options of `ingest`.

        Raises:
            SourceError: one of them is no such thing.
        """
        selection = Selection.of(
            subset=subset,
            url=_several(url),
            host=_several(host),
            domain=_several(domain),
            tld=_several(tld),
            language=_several(language),
            mime=_several(mime),
            status=_several(status),
            after=after,
            before=before,
            sample=sample,
            files=files,
            part=part,
        )
        return cls(selection, Access(mirror, rate, selection.part[1], contact=contact))

    def check(self, sources: Sequence[str], again: bool) -> None:
        """Refuse options that would do nothing, or harm.

        Raises:
            ArchiveError: a selection without a source of Common Crawl, or `again` with one.
        """
        of_crawls = [is_crawl(source) for source in sources]
        if self != Crawled() and not all(of_crawls):
            raise ArchiveError(
                "--host, --language and the other options that select pages are for sources of Common Crawl only "
                "(cc:CC-MAIN-2019-35); ingest other files without them"
            )
        if again and any(of_crawls):
            raise ArchiveError(
                "--again would forget all records of these files, and bring the selected ones only; take out what is "
                "not wanted with `archive forget`"
            )

    def files(self, sources: Sequence[str]) -> Iterator[Listed]:
        """Yield the files of some crawls with what is wanted of each.

        Raises:
            SourceError: one is no crawl, or an index cannot be read.
        """
        if sources:
            yield from list_crawls(sources, self.selection, Reach(self.access))


def _several(value: _Value | Iterable[_Value]) -> tuple[_Value, ...]:
    return (value,) if isinstance(value, str | int) else tuple(value)
