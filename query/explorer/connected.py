"""The connections to one version of a lake: to all of it, to the rows of a few texts, and to those of a few sites."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol, TypeVar

import duckdb

from archive.lake import Lake
from query.explorer.busy import Busy
from query.explorer.one_text import OneText
from query.explorer.places import Places
from query.explorer.pool import Connection, Pool
from query.explorer.sites import Of, Sites, SiteViews
from query.sql import connect

#: What is said of a page that takes too long.
TOO_LONG = "this page took longer than it may; ask for less, or use the command"

#: Connects to the lake, or to the rows of texts (and of what one more says), or to those of sites.
Connect = Callable[[tuple[str, ...], str | None, Of | None], duckdb.DuckDBPyConnection]
Opened = TypeVar("Opened", bound=Connection)


class Indexed(Protocol):
    """What knows where rows are; it waits until it does, and returns None where that cannot be known."""

    def row_index(self) -> Places | None: ...

    def sites(self) -> Sites | None: ...


class Connected:
    """Connections that can be used again. Any number of threads may ask.

    Args:
        lake: in one version.
        memory: the most that DuckDB may use for one of them; the rest goes to the folder `spill`.
    """

    def __init__(self, lake: Lake, memory: str, spill: str) -> None:
        self._lake, self._memory, self._spill = lake, memory, spill
        self._lakes: Pool[duckdb.DuckDBPyConnection] = Pool()
        self._texts: Pool[OneText] = Pool()
        self._by_site: Pool[SiteViews] = Pool()

    def end(self) -> None:
        """Close what nobody uses now, and the rest once nobody does."""
        for pool in (self._lakes, self._texts, self._by_site):
            pool.close()

    def close(self) -> None:
        """End, and interrupt what is going on."""
        self.end()
        for pool in (self._lakes, self._texts, self._by_site):
            pool.interrupt()

    def until_closed(
        self, stack: contextlib.ExitStack, seconds: float, indexed: Indexed, begin: Callable[[float], object]
    ) -> Connect:
        """Return what connects one request, each way when it is first asked for, until the stack is closed.

        Args:
            seconds: the most that the request may take from then on.
            indexed: where the rows of texts and sites are.
            begin: called, with the seconds that are left, before it is connected first.
        """
        until = lru_cache(lambda: time.monotonic() + seconds)  # whose turn comes late has all of the time then

        def left() -> float:
            """
            Raises:
                Busy: nothing is left of the time.
            """
            still = until() - time.monotonic()
            if still <= 0:  # whoever interrupts between two questions interrupts nothing
                raise Busy(TOO_LONG)
            return still

        begun = lru_cache(lambda: begin(left()))

        def take(pool: Pool[Opened], make: Callable[[], Opened]) -> Opened:
            begun()
            return stack.enter_context(pool.take(make, left()))

        whole_lake = lru_cache(lambda: take(self._lakes, self._connect))
        some_texts = lru_cache(
            lambda rows: take(self._texts, lambda: OneText(self._lake, rows, self._memory, self._spill))
        )
        some_sites = lru_cache(
            lambda sites: take(self._by_site, lambda: SiteViews(self._lake, sites, self._memory, self._spill))
        )

        def connection(
            of_texts: tuple[str, ...], and_text: str | None, of_sites: Of | None
        ) -> duckdb.DuckDBPyConnection:
            left()
            if of_sites is not None and (sites := indexed.sites()):
                views = some_sites(sites)
                views.see(of_sites)
                return views.db
            if of_texts and (rows := indexed.row_index()):
                text = some_texts(rows)
                if text.see(of_texts, and_text):
                    return text.db
            return whole_lake()

        return connection

    def _connect(self) -> duckdb.DuckDBPyConnection:
        return connect(self._lake, memory=self._memory, spill=self._spill)
