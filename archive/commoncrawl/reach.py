"""A mirror with its cache, and the numbers by which requests and bytes are weighed against each other."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from archive.commoncrawl.cache import Cache
from archive.commoncrawl.crawls import Crawl, crawls_of, published
from archive.commoncrawl.gate import Watch
from archive.commoncrawl.mirror import Access, Mirror
from archive.errors import SourceError
from archive.evidence.crawls import Published

#: Bytes a second at which a file is taken to come.
BANDWIDTH = 20e6
#: Bytes of the largest list, unpacked: those of files have 15 MB.
_LARGEST = 1 << 30


@dataclass
class Reach:
    """Common Crawl as one process reaches it.

    Args:
        bandwidth: bytes a second, for the decision between parts of a file and all of it.
        watch: hears which index is read, and what requests wait for.
    """

    access: Access = Access()
    bandwidth: float = BANDWIDTH
    watch: Watch | None = None
    _published: dict[str, Published] = field(default_factory=dict, init=False)

    @cached_property
    def mirror(self) -> Mirror:
        """The mirror, opened when it is first needed."""
        return self.access.open(self.watch)

    @cached_property
    def cache(self) -> Cache:
        """What is kept of it on this machine."""
        return self.access.open_cache()

    @property
    def seconds_for_request(self) -> float:
        """How long a request waits for the one before; none where there is no web server."""
        return self.access.machines / self.access.rate if self.access.mirror.startswith("http") else 0.01

    @property
    def worth(self) -> int:
        """Bytes that come in the time that a request takes: a smaller gap between two parts is read."""
        return int(self.bandwidth * self.seconds_for_request)

    def crawls(self, sources: Iterable[str]) -> list[Crawl]:
        """Return the crawls that some sources name, each once, in the order of time.

        Raises:
            SourceError: one names none.
        """
        found = {each.id: each for source in sources for each in crawls_of(source, self.published)}
        return sorted(found.values(), key=lambda each: (each.start, each.id))

    def published(self) -> dict[str, Published]:
        """Return the crawls that there are.

        Raises:
            SourceError: the mirror does not say.
        """
        if not self._published:
            self._published = published(self.mirror, self.cache, self.access.is_own)
        return self._published

    def gunzipped(self, path: str, age: float | None = None) -> bytes:
        """Return the content of a small compressed file; it is asked for once.

        Args:
            age: seconds after which it is asked for again, where it changes.

        Raises:
            SourceError: it is not there, or damaged.
        """
        data = self.cache.kept(path, lambda: self.mirror.read_all(path), age)
        try:
            return _gunzipped(data)
        except (OSError, EOFError, zlib.error) as error:
            self.cache.drop(path)
            raise SourceError(f"{path}: the compressed file is damaged, or cut ({error})") from None


def _gunzipped(data: bytes) -> bytes:
    text = bytearray()
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        while some := file.read(1 << 20):
            text += some
            if len(text) > _LARGEST:
                raise EOFError(f"it unpacks to more than {_LARGEST:,} bytes")
    if not text:
        raise EOFError("there is nothing in it")
    return bytes(text)
