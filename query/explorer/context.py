"""The lake, opened read-only: what one request sees of it, and what the server keeps between requests."""

from __future__ import annotations

import contextlib
import logging
import math
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pyarrow as pa

from archive.damage import naming_damage
from archive.lake import Lake, open_lake
from archive.tables import EVIDENCE_TABLES, TABLES
from index import tables as index_tables
from query.explorer.bounds import Patience, interrupted_after
from query.explorer.busy import Busy
from query.explorer.checking import Checking
from query.explorer.cube.background import Background, Waiting
from query.explorer.cube.counting import Counting
from query.explorer.lookups import Lookups
from query.explorer.one_text import OneText
from query.explorer.passage_index import OpenPassages
from query.explorer.places import Places
from query.explorer.pool import Pool
from query.explorer.sites import Of, Sites, SiteViews
from query.explorer.whole_lake import WholeLake
from query.sql import connect, query_error
from query.verify.one_text import RecordCheck, cite_text

if TYPE_CHECKING:
    from index.passages.find import PassageIndex
    from query.lookup import Lookup

_log = logging.getLogger(__name__)

#: Seconds for one page, memory of DuckDB for it, and how many are worked on at once.
SECONDS, MEMORY, AT_ONCE = 20.0, "400MB", 4
#: For so many seconds nobody looks whether the lake has changed.
_FRESH = 1.0
#: Seconds after which it is asked again what is being counted.
_AGAIN = 1.0
#: Seconds between two looks at what is made in the background.
_LOOK = 0.02
#: So many values that were made in the background are kept.
_MADE = 8
#: So many answers are kept.
_KEPT = 200
#: Seconds that the end of a server waits for work in the background.
_END = 5.0
#: Seconds that a page waits until it is known where the rows of its text are.
_WAIT = 15.0
#: Seconds that a page waits for the indexes that look up texts: to open them the first time takes long.
_PATIENCE = 120.0
_TOO_LONG = "this page took longer than it may; ask for less, or use the command"

Value = TypeVar("Value")
Lent = TypeVar("Lent")


#: Connects to the lake, or to the rows of texts (and of what one more says), or to those of sites.
Connect = Callable[[tuple[str, ...], str | None, Of | None], duckdb.DuckDBPyConnection]


@dataclass(frozen=True, slots=True)
class Question:
    """A question in SQL that a page asked."""

    about: str  #: what it answers
    sql: str


@dataclass
class _Kept:
    """A value that is computed by the first who asks."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    is_there: bool = False
    value: Any = None


class Context:
    """What one request sees of the lake: one version of each table, and the questions that it asks."""

    def __init__(
        self,
        lake: Lake,
        versions: Mapping[str, int | None],
        counting: Counting,
        connection: Connect,
        checking: Checking,
        lookup: Callable[[], contextlib.AbstractContextManager[Lookup]],
        passages: Callable[[], contextlib.AbstractContextManager[PassageIndex]],
        patience: Patience,
        whole_lake: WholeLake,
        background: Callable[[Hashable, Callable[[Context], Any]], Any],
        posted: bool = False,
    ) -> None:
        self.lake = lake  #: its tables stay as they were when the request began
        self.versions = versions  #: of the tables; None: the lake does not have it
        self.counting = counting  #: counts clean sets without asking the lake
        self.posted = posted  #: whether somebody pressed the button of a page with `Page.acts`
        self._checking = checking
        self._lookup, self._passages, self._patience = lookup, passages, patience
        self._whole_lake, self._background = whole_lake, background
        self._uncounted: list[str] = []
        self._connection = connection
        self._asked: list[Question] = []

    def rows(
        self,
        about: str,
        sql: str,
        of_text: str | tuple[str, ...] | None = None,
        and_text: str | None = None,
        of_sites: Of | None = None,
    ) -> list[tuple[Any, ...]]:
        """Ask the lake in SQL, which the page then shows.

        Args:
            about: what the question answers, for who reads the SQL.
            sql: complete, so that it can be copied; put values in by `archive.files.sql_literal`.
            of_text: the content id of the one text that it asks about, or those of a few. Then only the rows that
                belong to it are read, as `query.explorer.one_text.OneText` says: the answer is the same.
            and_text: that of a near-duplicate, where the question also asks what that one says.
            of_sites: the sites that it asks about. Then only their rows are read, as
                `query.explorer.sites.SiteViews` says: the answer is the same.

        Raises:
            QueryError: DuckDB cannot answer it within its memory.
            Busy: it takes too long.
        """
        self._asked.append(Question(about, _tidy(sql)))
        with _as_errors():
            of_texts = (of_text,) if isinstance(of_text, str) else of_text or ()
            return self._connection(of_texts, and_text, of_sites).execute(sql).fetchall()

    def rows_within(
        self, seconds: float, about: str, sql: str, of_sites: Of | None = None
    ) -> tuple[list[tuple[Any, ...]], bool]:
        """Ask the same for a time.

        Args:
            sql: without an order, so that rows come as they are found.
            of_sites: as of `rows`.

        Returns:
            the rows that were found by then, and whether these are all.
        """
        self._asked.append(Question(about, _tidy(sql)))
        found: list[tuple[Any, ...]] = []
        with _as_errors():
            db = self._connection((), None, of_sites)
        try:
            with interrupted_after(seconds, db.interrupt):
                answer = db.execute(sql)
                while row := answer.fetchone():
                    found.append(row)
        except duckdb.InterruptException:
            return found, False
        except (duckdb.Error, MemoryError) as error:
            raise query_error(error) from None
        return found, True

    def batches(self, about: str, sql: str, size: int) -> Iterator[pa.RecordBatch]:
        """Ask the same where the answer is large: yield so many rows at a time.

        Raises:
            QueryError, Busy: as `rows` does.
        """
        question = Question(about, _tidy(sql))
        if question not in self._asked:
            self._asked.append(question)
        with _as_errors():
            yield from self._connection((), None, None).sql(sql).to_arrow_reader(size)

    def count(self, about: str, sql: str, is_narrow: bool = True) -> list[tuple[Any, ...]] | None:
        """Ask the same of the whole lake, where it takes long: the answer is kept outside the lake, for its version.

        Args:
            is_narrow: it asks for no other columns than `query.explorer.whole_lake` holds.

        Returns:
            the rows; None where they are still being counted.

        Raises:
            ArchiveError: it cannot be answered.
        """
        self._asked.append(Question(about, _tidy(sql)))
        found = self._whole_lake.rows(sql, is_narrow)
        if found is None:
            self._uncounted.append(about)
        return found

    def in_background(self, key: Hashable, make: Callable[[Context], Value]) -> Value | Waiting:
        """Return what a function finds that takes long: it works in the background, without a bound on time.

        Args:
            key: what tells it from others.
        """
        found: Value | Waiting = self._background(key, make)
        return found

    @property
    def uncounted(self) -> tuple[str, ...]:
        """What is still being counted of the whole lake: what the questions are about."""
        return tuple(self._uncounted)

    def row(
        self, about: str, sql: str, of_text: str | None = None, of_sites: Of | None = None
    ) -> tuple[Any, ...] | None:
        """Ask the same where there is one row, or none."""
        return next(iter(self.rows(about, sql, of_text, of_sites=of_sites)), None)

    def check(self, content_id: str) -> tuple[RecordCheck, ...]:
        """Go back to the records that date a text. None where no capture dates it, or the lake does not hold the text.

        Raises:
            Busy: another text is being verified, or it takes too long.
        """
        with _as_errors():
            cited = cite_text(self._connection((content_id,), None, None), content_id)
        return self._checking.check(cited, self.versions)

    def look_up(self, ask: Callable[[Lookup], Value]) -> Value:
        """Ask the indexes that look up a text.

        Raises:
            ArchiveError: this machine has not what they need.
            Busy: it takes too long.
        """
        return self._patience.run(lambda: _lent(self._lookup, ask))

    def in_passages(self, ask: Callable[[PassageIndex], Value]) -> Value:
        """Ask the index of passages.

        Raises:
            LakeError: the lake has no such index.
            Busy: it takes too long.
        """
        return self._patience.run(lambda: _lent(self._passages, ask))

    @property
    def asked(self) -> tuple[Question, ...]:
        """The questions that were asked."""
        return tuple(self._asked)


class OpenLake:
    """A lake that a server shows: connections that can be used again, and answers, for its present version.

    Any number of threads may ask. Nothing is written into the lake.

    Args:
        seconds: the most that one page may take.
        memory: the most that DuckDB may use for one page.
        at_once: how many pages are worked on at one time.
        encoder: of the lake's vectors: a folder, or a name on the Hugging Face hub; by default the packaged one.
        network: whoever verifies a text may have files of other hosts read, where the lake says that they are.
        is_pinned: the lake is shown as it is now, whatever is written into it later, and pages wait for all counts.
        patience: seconds for which pages wait for what is counted of the whole lake; then they show what is known.

    Raises:
        LakeError: there is no lake, or it cannot be opened.
    """

    def __init__(
        self,
        location: str,
        *,
        seconds: float = SECONDS,
        memory: str = MEMORY,
        at_once: int = AT_ONCE,
        encoder: str | None = None,
        network: bool = False,
        is_pinned: bool = False,
        patience: float = SECONDS,
    ) -> None:
        self._lake = open_lake(location)
        self._lake.require()
        self.location = self._lake.location
        self._seconds, self._memory = seconds, memory
        self._fresh = math.inf if is_pinned else _FRESH
        self._patience = math.inf if is_pinned else patience
        self._slots = threading.BoundedSemaphore(at_once)
        self._spill = tempfile.TemporaryDirectory(prefix="lowbackground-")
        self._lock = threading.Lock()
        self._looked = -math.inf
        self._versions: Mapping[str, int | None] = {}
        self._lakes: Pool[duckdb.DuckDBPyConnection] = Pool()
        self._texts: Pool[OneText] = Pool()
        self._row_index: Places | None = None
        self._by_site: Pool[SiteViews] = Pool()
        self._sites: Sites | None = None
        self._whole_lake: WholeLake | None = None
        self._answers: OrderedDict[object, _Kept] = OrderedDict()
        self._counting = Counting()
        self._lookups = Lookups(encoder)
        self._checking = Checking(self.location, network)
        self._passages = OpenPassages(seconds)
        self._lookers = Patience(_PATIENCE)
        self._background: Background[Hashable, Any] = Background(_MADE)
        self._making: duckdb.DuckDBPyConnection | None = None
        self._now()

    def __enter__(self) -> OpenLake:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            whole_lake, sites = self._whole_lake, self._sites
            self._renew({})
        if sites is not None:
            sites.wait(_END)
        if whole_lake is not None:
            whole_lake.close()
        self._background.stop()
        if (making := self._making) is not None:
            making.interrupt()
        self._background.join()
        self._counting.close()
        self._lookups.close()
        self._passages.close()
        self._spill.cleanup()

    @property
    def versions(self) -> dict[str, int]:
        """The versions of the tables that the lake has now."""
        return {name: number for name, number in sorted(self._now().items()) if number is not None}

    def answer(
        self, key: object, ask: Callable[[Context], Value], is_final: Callable[[Value], bool] = lambda _: True
    ) -> Value:
        """Return what a function finds in the lake as it is now; the same question is worked on once.

        Args:
            key: what tells this question from others; None: the answer is not kept.
            is_final: whether an answer may be kept, and given to whoever asks the same of the same lake.

        Raises:
            Busy: there is too much to do, or it took too long.
            ArchiveError: what `ask` raises.
        """
        versions = self._now()
        if key is None:
            with self._context(versions) as context:
                return ask(context)
        with self._lock:
            kept = self._answers.setdefault(key, _Kept())
            self._answers.move_to_end(key)
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        if not kept.lock.acquire(timeout=self._seconds):
            raise Busy("somebody asked for this page before, and it takes long; try again")
        try:
            if not kept.is_there:
                with self._context(versions) as context:
                    kept.value = ask(context)
                kept.is_there = is_final(kept.value)
            value: Value = kept.value
            return value
        finally:
            kept.lock.release()

    def act(self, do: Callable[[Context], Value]) -> Value:
        """Return what a function finds once somebody pressed a button: it is done anew, and not kept.

        Raises:
            Busy: there is too much to do, or it took too long.
            ArchiveError: what `do` raises.
        """
        with self._context(self._now(), posted=True) as context:
            return do(context)

    def _now(self) -> Mapping[str, int | None]:
        """Return the versions of all tables. What belongs to another version is dropped."""
        with self._lock:
            if time.monotonic() - self._looked < self._fresh:
                return self._versions
            held = set(self._lake.tables())
            known = {*TABLES, *EVIDENCE_TABLES, *index_tables.TABLES}
            versions = {name: self._lake.delta(name).version() if name in held else None for name in sorted(known)}
            self._looked = time.monotonic()
            if versions != self._versions:
                self._renew(versions)
            return self._versions

    def _renew(self, versions: Mapping[str, int | None]) -> None:
        """Drop what belongs to another version."""
        self._versions, self._answers = versions, OrderedDict()
        self._row_index = None  # closed once nobody uses it
        if self._sites is not None:
            self._sites.end()
        self._sites = None
        self._whole_lake = None  # ends once it has answered
        self._lakes.renew(versions)
        self._texts.renew(versions)
        self._by_site.renew(versions)

    @contextlib.contextmanager
    def _context(self, versions: Mapping[str, int | None], posted: bool = False) -> Iterator[Context]:
        """Open the lake in these versions for one request. It is connected to when it is first asked."""
        lake = self._lake.at(versions)
        until = time.monotonic() + self._seconds

        def left() -> float:
            """
            Raises:
                Busy: nothing is left of the time.
            """
            seconds = until - time.monotonic()
            if seconds <= 0:  # whoever interrupts between two questions interrupts nothing
                raise Busy(_TOO_LONG)
            return seconds

        with contextlib.ExitStack() as stack, naming_damage(lake):
            begin = lru_cache(lambda: stack.enter_context(self._slot(left())))
            whole_lake = lru_cache(
                lambda: stack.enter_context(self._lakes.take(versions, lambda: self._connect(lake), left()))
            )
            one = lru_cache(
                lambda row_index: stack.enter_context(
                    self._texts.take(versions, lambda: OneText(lake, row_index, self._memory, self._spill.name), left())
                )
            )

            some = lru_cache(
                lambda sites: stack.enter_context(
                    self._by_site.take(versions, lambda: SiteViews(lake, sites, self._memory, self._spill.name), left())
                )
            )

            def connection(
                of_texts: tuple[str, ...], and_text: str | None, of_sites: Of | None
            ) -> duckdb.DuckDBPyConnection:
                begin()
                left()
                if of_sites is not None and (sites := self._sites_of(lake, versions)):
                    views = some(sites)
                    views.see(of_sites)
                    return views.db
                if of_texts and (row_index := self._places_of(lake, versions)):
                    text = one(row_index)
                    if text.see(of_texts, and_text):
                        return text.db
                return whole_lake()

            yield self._seen(lake, versions, connection, posted)

    def _seen(
        self,
        lake: Lake,
        versions: Mapping[str, int | None],
        connection: Connect,
        posted: bool = False,
    ) -> Context:
        return Context(
            lake,
            versions,
            self._counting,
            connection,
            self._checking,
            lambda: self._lookups.use(lake, versions),
            lambda: self._passages.use(lake, versions),
            self._lookers,
            self._counted(lake, versions),
            lambda key, make: self._make(lake, versions, key, make),
            posted,
        )

    def _make(
        self, lake: Lake, versions: Mapping[str, int | None], key: Hashable, make: Callable[[Context], Value]
    ) -> Value | Waiting:
        """Return what a function finds in the background, where it is there within the patience of pages."""

        def work() -> Value:
            with contextlib.closing(self._connect(lake)) as db, naming_damage(lake):
                self._making = db
                try:
                    return make(self._seen(lake, versions, lambda *_: db))
                finally:
                    self._making = None

        of = (key, tuple(sorted(versions.items())))
        while True:
            found: Value | Waiting = self._background.of(of, work)
            if not isinstance(found, Waiting) or found.problem or found.seconds >= self._patience:
                return found
            time.sleep(_LOOK)

    def _counted(self, lake: Lake, versions: Mapping[str, int | None]) -> WholeLake:
        with self._lock:
            if versions is self._versions and self._whole_lake is not None:
                return self._whole_lake
            counted = WholeLake(lake, versions, self._memory, self._spill.name, self._patience)
            if versions is self._versions:
                self._whole_lake = counted
            return counted

    def prepare(self, ask: Callable[[Context], object]) -> None:
        """Have a function ask what is counted of the whole lake, and the rows indexed by text and by site, in the
        background. Whoever asks for the page gets the error that this gets.
        """

        def work() -> None:
            versions = self._now()
            self._begun_places(self._lake.at(versions), versions)
            is_counting = True
            try:
                while is_counting and versions is self._versions:  # some questions follow from the answers of others
                    with self._context(versions) as context:
                        ask(context)
                        is_counting = bool(context.uncounted)
                    time.sleep(_AGAIN if is_counting else 0)
            except Exception as error:
                _log.info("%s: %s", self.location, error)
            self._begun_sites(self._lake.at(versions), versions)  # not before: both take memory

        threading.Thread(target=work, name="prepare", daemon=True).start()

    @contextlib.contextmanager
    def _slot(self, seconds: float) -> Iterator[None]:
        """Bound how many are worked on at once."""
        if not self._slots.acquire(timeout=seconds):
            raise Busy("too many pages are asked for at once; try again")
        try:
            yield
        finally:
            self._slots.release()

    def _connect(self, lake: Lake) -> duckdb.DuckDBPyConnection:
        return connect(lake, memory=self._memory, spill=self._spill.name)

    def _places_of(self, lake: Lake, versions: Mapping[str, int | None]) -> Places | None:
        """Return where the rows of texts are; None where that cannot be known, and for an earlier version.

        Raises:
            Busy: it is worked on.
        """
        row_index = self._begun_places(lake, versions)
        if row_index is None:
            return None
        if not row_index.wait(_WAIT):
            raise Busy("the texts of this lake are being indexed for these pages; look again in a minute")
        return row_index if row_index.is_made else None

    def _begun_places(self, lake: Lake, versions: Mapping[str, int | None]) -> Places | None:
        with self._lock:
            if versions is not self._versions:
                return None
            if self._row_index is None:
                self._row_index = Places(lake, versions, self._spill.name)
            return self._row_index

    def _sites_of(self, lake: Lake, versions: Mapping[str, int | None]) -> Sites | None:
        """Return what the lake has by site; None where that cannot be kept, and for an earlier version.

        Raises:
            Busy: it is worked on.
        """
        sites = self._begun_sites(lake, versions)
        if sites is None:
            return None
        if not sites.wait(_WAIT):
            raise Busy("the sites of this lake are being sorted for these pages; look again in some minutes")
        return sites if sites.is_ready else None

    def _begun_sites(self, lake: Lake, versions: Mapping[str, int | None]) -> Sites | None:
        with self._lock:
            if versions is not self._versions:
                return None
            if self._sites is None:
                self._sites = Sites(lake, versions, self._spill.name)
            return self._sites


@contextlib.contextmanager
def _as_errors() -> Iterator[None]:
    """Raise what DuckDB says as what a page says."""
    try:
        yield
    except duckdb.InterruptException:
        raise Busy(_TOO_LONG) from None
    except (duckdb.Error, MemoryError, pa.ArrowException) as error:
        if "interrupt" in str(error).lower():  # as Arrow says it
            raise Busy(_TOO_LONG) from None
        raise query_error(error) from None


def _lent(lend: Callable[[], contextlib.AbstractContextManager[Lent]], ask: Callable[[Lent], Value]) -> Value:
    with lend() as lent:
        return ask(lent)


def _tidy(sql: str) -> str:
    """Return SQL without the indentation that it has in a program."""
    return "\n".join(line.strip() for line in sql.strip().splitlines() if line.strip())


def frozen(row: Iterable[Any]) -> tuple[Any, ...]:
    """Return a row whose lists are tuples."""
    return tuple(tuple(value) if isinstance(value, list) else value for value in row)
