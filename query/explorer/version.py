"""One version of a lake, and what a server keeps of it: connections, answers, and where its rows are."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import duckdb

from archive.damage import naming_damage
from archive.lake import Lake
from query.explorer.answers import Answers
from query.explorer.background import Background, Waiting
from query.explorer.bounds import Patience
from query.explorer.busy import Busy, NotYet
from query.explorer.checking import Checking
from query.explorer.context import TOO_LONG, Connect, Context, Shared
from query.explorer.cube.counting import Counting
from query.explorer.indexes import Indexes
from query.explorer.one_text import OneText
from query.explorer.places import Places
from query.explorer.pool import Connection, Pool
from query.explorer.sites import Of, Sites, SiteViews
from query.explorer.whole_lake import WholeLake
from query.sql import connect

#: Seconds between two looks at what is made in the background.
_LOOK = 0.02
#: Seconds that the end of a server waits for work in the background.
_END = 5.0

Value = TypeVar("Value")
Opened = TypeVar("Opened", bound=Connection)


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
    background: Background[Hashable, Any]
    lookers: Patience  #: of those who ask the indexes that look up texts


class Version:
    """A lake in one version of its tables. Any number of threads may ask.

    Args:
        versions: of the tables. None: the lake does not have it.
    """

    def __init__(self, lake: Lake, versions: Mapping[str, int | None], means: Means) -> None:
        self.versions = versions
        self.answers = Answers(means.seconds)
        self._lake, self._means = lake.at(versions), means
        self._lakes: Pool[duckdb.DuckDBPyConnection] = Pool()
        self._texts: Pool[OneText] = Pool()
        self._by_site: Pool[SiteViews] = Pool()
        self._beginning = threading.Lock()
        self._is_ended = False
        self._places: Places | None = None
        self._sites: Sites | None = None
        self._making: duckdb.DuckDBPyConnection | None = None
        self._indexes = Indexes(self._lake, means.lookers, means.encoder)
        self._whole_lake = WholeLake(self._lake, versions, means.memory, means.spill, means.patience)
        self._shared = Shared(
            self._lake, versions, means.counting, means.checking, self._indexes, self._whole_lake, self._in_background
        )

    @property
    def is_ended(self) -> bool:
        """Whether the lake has another version now, or nobody shows it any more."""
        return self._is_ended

    def end(self) -> None:
        """Close what nobody uses, and the rest once nobody does."""
        with self._beginning:
            self._is_ended = True
        for pool in (self._lakes, self._texts, self._by_site):
            pool.close()
        self._indexes.close()
        if self._sites is not None:
            self._sites.end()

    def close(self) -> None:
        """End, and stop what is going on in the background."""
        self.end()
        if self._sites is not None:
            self._sites.wait(_END)
        self._whole_lake.close()
        if (making := self._making) is not None:
            with contextlib.suppress(duckdb.Error):  # it has just been closed
                making.interrupt()

    @contextlib.contextmanager
    def context(self, posted: bool = False) -> Iterator[Context]:
        """Open the lake for one request. It is connected to when it is first asked."""
        with contextlib.ExitStack() as stack, naming_damage(self._lake):
            yield Context(self._shared, self._connections(stack), posted)

    def begin_places(self) -> Places | None:
        """Begin to find where the rows of texts are, unless that is known."""
        with self._beginning:
            if self._places is None and not self._is_ended:
                self._places = Places(self._lake, self.versions, self._means.spill)
            return self._places

    def begin_sites(self) -> Sites | None:
        """Begin to sort what the lake has by site, unless that is done."""
        with self._beginning:
            if self._sites is None and not self._is_ended:
                self._sites = Sites(self._lake, self.versions, self._means.spill)
            return self._sites

    def _connections(self, stack: contextlib.ExitStack) -> Connect:
        """Return what connects one request, each way when it is first asked for, until the stack is closed."""
        means, lake = self._means, self._lake
        until = time.monotonic() + means.seconds

        def left() -> float:
            """
            Raises:
                Busy: nothing is left of the time.
            """
            seconds = until - time.monotonic()
            if seconds <= 0:  # whoever interrupts between two questions interrupts nothing
                raise Busy(TOO_LONG)
            return seconds

        def take(pool: Pool[Opened], make: Callable[[], Opened]) -> Opened:
            begin()
            return stack.enter_context(pool.take(make, left()))

        begin = lru_cache(lambda: stack.enter_context(self._slot(left())))
        whole_lake = lru_cache(lambda: take(self._lakes, self._connect))
        some_texts = lru_cache(
            lambda places: take(self._texts, lambda: OneText(lake, places, means.memory, means.spill))
        )
        some_sites = lru_cache(
            lambda sites: take(self._by_site, lambda: SiteViews(lake, sites, means.memory, means.spill))
        )

        def connection(
            of_texts: tuple[str, ...], and_text: str | None, of_sites: Of | None
        ) -> duckdb.DuckDBPyConnection:
            left()
            if of_sites is not None and (sites := self._ready_sites()):
                views = some_sites(sites)
                views.see(of_sites)
                return views.db
            if of_texts and (places := self._ready_places()):
                text = some_texts(places)
                if text.see(of_texts, and_text):
                    return text.db
            return whole_lake()

        return connection

    @contextlib.contextmanager
    def _slot(self, seconds: float) -> Iterator[None]:
        """Bound how many are worked on at once."""
        if not self._means.slots.acquire(timeout=seconds):
            raise Busy("too many pages are asked for at once; try again")
        try:
            yield
        finally:
            self._means.slots.release()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        return connect(self._lake, memory=self._means.memory, spill=self._means.spill)

    def _ready_places(self) -> Places | None:
        """Return where the rows of texts are; None where that cannot be known.

        Raises:
            NotYet: it is worked on.
        """
        places = self.begin_places()
        if places is None:
            return None
        if not places.wait(self._means.wait):
            raise NotYet("the texts of this lake are being indexed for these pages")
        return places if places.is_made else None

    def _ready_sites(self) -> Sites | None:
        """Return what the lake has by site; None where that cannot be kept.

        Raises:
            NotYet: it is worked on.
        """
        sites = self.begin_sites()
        if sites is None:
            return None
        if not sites.wait(self._means.wait):
            raise NotYet("the sites of this lake are being sorted for these pages")
        return sites if sites.is_ready else None

    def _in_background(self, key: Hashable, make: Callable[[Context], Value]) -> Value | Waiting:
        """Return what a function finds in the background, where it is there within the patience of pages."""

        def work() -> Value:
            with contextlib.closing(self._connect()) as db, naming_damage(self._lake):
                self._making = db
                try:
                    return make(Context(self._shared, lambda *_: db))
                finally:
                    self._making = None

        of = (key, tuple(sorted(self.versions.items())))
        while True:
            found: Value | Waiting = self._means.background.of(of, work)
            if not isinstance(found, Waiting) or found.problem or found.seconds >= self._means.patience:
                return found
            time.sleep(_LOOK)
