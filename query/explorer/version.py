"""One version of a lake, and what a server keeps of it: connections, answers, and where its rows are."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import duckdb

from archive.damage import naming_damage
from archive.lake import Lake
from query.explorer.answers import Answers
from query.explorer.background import Background, Waiting
from query.explorer.bounds import Patience
from query.explorer.busy import Busy, NotYet
from query.explorer.checking import Checking
from query.explorer.connected import Connected
from query.explorer.context import Context, Shared
from query.explorer.cube.counting import Counting
from query.explorer.indexes import Indexes
from query.explorer.places import Places
from query.explorer.scans import Scanned, Scans
from query.explorer.sites import Of, Sites
from query.explorer.whole_lake import WholeLake

#: So many values of each kind that were made in the background are kept.
_MADE = 200
#: Seconds between two looks at what is made in the background.
_LOOK = 0.02
#: Seconds that the end of a server waits for work in the background.
_END = 5.0

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Means:
    """What a server works with, whatever the version of its lake."""

    seconds: float  #: the most that one page may take
    memory: str  #: the most that DuckDB may use for one page
    spill: str  #: the folder for its temporary files
    patience: float  #: seconds for which pages wait for what is counted of the whole lake
    wait: float  #: seconds for which they wait until it is known where the rows of their texts and sites are
    slots: threading.BoundedSemaphore  #: how many pages are worked on at once
    encoder: str | None  #: of the lake's vectors
    counting: Counting
    checking: Checking
    scans: Scans
    lookers: Patience  #: of those who ask the indexes that look up texts


class Version:
    """A lake in one version of its tables. Any number of threads may ask.

    Args:
        versions: of the tables. None: the lake does not have it.
        marks: what tells each table in its version from all others, see `Lake.mark`.
    """

    def __init__(
        self, lake: Lake, versions: Mapping[str, int | None], marks: Mapping[str, str | None], means: Means
    ) -> None:
        self.versions, self.marks = versions, marks
        self.answers = Answers(means.seconds)
        self._lake, self._means = lake.at(versions), means
        #: of pages, and of what is done in the background: a connection stays with those who have its priority
        self._pages, self._behind = (Connected(self._lake, means.memory, means.spill) for _ in range(2))
        self._lock = threading.Lock()
        self._is_ended = False
        self._row_index: Places | None = None
        self._sites: Sites | None = None
        self._backgrounds: dict[str, Background[Hashable, Any]] = {}
        self._indexes = Indexes(self._lake, means.lookers, means.encoder)
        self._whole_lake = WholeLake(self._lake, marks, means.memory, means.spill, means.patience)
        self._shared = Shared(
            self._lake, versions, marks, means.counting, means.checking, self._indexes, self._whole_lake,
            self._in_background, self._scan,
        )  # fmt: skip

    @property
    def is_ended(self) -> bool:
        """Whether the lake has another version now, or nobody shows it any more."""
        return self._is_ended

    def end(self) -> None:
        """Close what nobody uses, and the rest once nobody does."""
        with self._lock:
            self._is_ended = True
            waiting = list(self._backgrounds.values())
        for each in waiting:
            each.stop()
        self._pages.end()
        self._behind.end()
        self._indexes.close()
        if self._sites is not None:
            self._sites.end()

    def close(self) -> None:
        """End, and stop what is going on in the background."""
        self.end()
        self._behind.close()
        if self._sites is not None:
            self._sites.wait(_END)
        self._whole_lake.close()
        for each in self._backgrounds.values():
            each.join()

    @contextlib.contextmanager
    def context(self, posted: bool = False) -> Iterator[Context]:
        """Open the lake for one request. It is connected to when it is first asked."""
        with contextlib.ExitStack() as stack, naming_damage(self._lake):
            indexed = _Indexed(self, self._means.wait)
            connect = self._pages.until_closed(
                stack, self._means.seconds, indexed, lambda left: stack.enter_context(self._slot(left))
            )
            yield Context(self._shared, connect, posted)

    def begin_places(self) -> Places | None:
        """Begin to find where the rows of texts are, unless that is known."""
        with self._lock:
            if self._row_index is None and not self._is_ended:
                self._row_index = Places(self._lake, self.marks, self._means.spill)
            return self._row_index

    def begin_sites(self) -> Sites | None:
        """Begin to sort what the lake has by site, unless that is done."""
        with self._lock:
            if self._sites is None and not self._is_ended:
                self._sites = Sites(self._lake, self.marks, self._means.spill)
            return self._sites

    @contextlib.contextmanager
    def _slot(self, seconds: float) -> Iterator[None]:
        """Bound how many are worked on at once."""
        if not self._means.slots.acquire(timeout=seconds):
            raise Busy("too many pages are asked for at once; try again")
        try:
            yield
        finally:
            self._means.slots.release()

    @contextlib.contextmanager
    def _context_behind(self) -> Iterator[Context]:
        """Open the lake for work that no page waits for: for any time."""
        with contextlib.ExitStack() as stack, naming_damage(self._lake):
            forever = threading.TIMEOUT_MAX
            connect = self._behind.until_closed(stack, forever, _Indexed(self, forever), lambda _: None)
            yield Context(self._shared, connect)

    def _in_background(
        self, kind: str, key: Hashable, make: Callable[[Context], Value], patience: float | None
    ) -> Value | Waiting:
        """Return what a function finds in the background, where it is there within the patience of pages."""

        def work() -> Value:
            with self._context_behind() as context:
                return make(context)

        with self._lock:
            background = self._backgrounds.setdefault(kind, Background(_MADE))
            if self._is_ended:
                background.stop()
        most = self._means.patience
        if patience is not None and most < threading.TIMEOUT_MAX:
            most = patience
        while True:
            found: Value | Waiting = background.of(key, work)
            if not isinstance(found, Waiting) or found.problem or found.seconds >= most or self._is_ended:
                return found
            time.sleep(_LOOK)

    def _scan(self, sql: str, seconds: float, of_sites: Of | None) -> Scanned:
        """Ask for a time, behind all pages."""
        if of_sites is not None:
            _Indexed(self, self._means.wait).sites()

        @contextlib.contextmanager
        def lend() -> Iterator[duckdb.DuckDBPyConnection]:
            with contextlib.ExitStack() as stack:
                indexed = _Indexed(self, self._means.wait)
                yield self._behind.until_closed(stack, self._means.seconds, indexed, lambda _: None)((), None, of_sites)

        return self._means.scans.rows(lend, sql, seconds)


class _Indexed:
    """Where the rows of texts and sites are, for those who wait so many seconds until it is known."""

    def __init__(self, version: Version, seconds: float) -> None:
        self._version, self._seconds = version, seconds

    def row_index(self) -> Places | None:
        """Return where the rows of texts are; None where that cannot be known.

        Raises:
            NotYet: it is worked on.
        """
        index = self._version.begin_places()
        if index is None:
            return None
        if not index.wait(self._seconds):
            raise NotYet("the texts of this lake are being indexed for these pages")
        return index if index.is_made else None

    def sites(self) -> Sites | None:
        """Return what the lake has by site; None where that cannot be kept.

        Raises:
            NotYet: it is worked on.
        """
        sites = self._version.begin_sites()
        if sites is None:
            return None
        if not sites.wait(self._seconds):
            raise NotYet("the sites of this lake are being sorted for these pages")
        return sites if sites.is_ready else None
