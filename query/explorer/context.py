"""What one request sees of a lake, and the questions that it asks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pyarrow as pa

from archive.lake import Lake
from query.explorer.background import Waiting
from query.explorer.busy import Busy
from query.explorer.checking import Checking
from query.explorer.connected import TOO_LONG, Connect
from query.explorer.cube.counting import Counting
from query.explorer.indexes import Indexes
from query.explorer.scans import Scanned
from query.explorer.sites import Of
from query.explorer.whole_lake import WholeLake
from query.sql import query_error
from query.verify.one_text import RecordCheck, cite_text

if TYPE_CHECKING:
    from index.passages.find import PassageIndex
    from query.lookup import Lookup

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Question:
    """A question in SQL that a page asked."""

    about: str  #: what it answers
    sql: str


@dataclass(frozen=True, slots=True)
class Shared:
    """What all requests share that see one version of a lake."""

    lake: Lake  #: its tables stay as they were
    versions: Mapping[str, int | None]  #: of the tables; None: the lake does not have it
    marks: Mapping[str, str | None]  #: what tells each table in its version from all others
    counting: Counting
    checking: Checking
    indexes: Indexes
    whole_lake: WholeLake
    in_background: Callable[[str, Hashable, Callable[[Context], Any], float | None], Any]
    scan: Callable[[str, float, Of | None], Scanned]


class Context:
    """What one request sees of the lake: one version of each table, and the questions that it asks."""

    def __init__(self, shared: Shared, connection: Connect, posted: bool = False) -> None:
        self.lake = shared.lake  #: its tables stay as they were when the request began
        self.versions = shared.versions  #: of the tables; None: the lake does not have it
        self.marks = shared.marks  #: what tells each table in its version from all others
        self.counting = shared.counting  #: counts clean sets without asking the lake
        self.posted = posted  #: whether somebody pressed the button of a page with `Page.acts`
        self._shared = shared
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

    def scan(self, seconds: float, about: str, sql: str, of_sites: Of | None = None) -> Scanned:
        """Ask the same for a time, behind all who ask for less: one such question is asked at a time.

        Ask this before anything else, so that nobody waits whose turn it is.

        Args:
            seconds: the most that it may take; less where others wait.
            sql: without an order, so that rows come as they are found.
            of_sites: as of `rows`.
        """
        self._asked.append(Question(about, _tidy(sql)))
        with _as_errors():
            return self._shared.scan(sql, seconds, of_sites)

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
        found = self._shared.whole_lake.rows(sql, is_narrow)
        if found is None:
            self._uncounted.append(about)
        return found

    def in_background(
        self, kind: str, key: Hashable, make: Callable[[Context], Value], patience: float | None = None
    ) -> Value | Waiting:
        """Return what a function finds that takes long: it works in the background, without a bound on time.

        Args:
            kind: of what is made. Of each kind one is made at a time, what was asked for last first.
            key: what tells it from others of its kind.
            patience: seconds for which it is waited for; None: as for what is counted of the whole lake.
        """
        found: Value | Waiting = self._shared.in_background(kind, key, make, patience)
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
        return self._shared.checking.check(cited, self.versions)

    def look_up(self, ask: Callable[[Lookup], Value]) -> Value:
        """Ask the indexes that look up a text.

        Raises:
            ArchiveError: this machine has not what they need.
            Busy: it takes too long.
        """
        return self._shared.indexes.look_up(ask)

    def in_passages(self, ask: Callable[[PassageIndex], Value]) -> Value:
        """Ask the index of passages.

        Raises:
            LakeError: the lake has no such index.
            Busy: it takes too long.
        """
        return self._shared.indexes.in_passages(ask)

    @property
    def asked(self) -> tuple[Question, ...]:
        """The questions that were asked."""
        return tuple(self._asked)


@contextlib.contextmanager
def _as_errors() -> Iterator[None]:
    """Raise what DuckDB says as what a page says."""
    try:
        yield
    except duckdb.InterruptException:
        raise Busy(TOO_LONG) from None
    except (duckdb.Error, MemoryError, pa.ArrowException) as error:
        if "interrupt" in str(error).lower():  # as Arrow says it
            raise Busy(TOO_LONG) from None
        raise query_error(error) from None


def _tidy(sql: str) -> str:
    """Return SQL without the indentation that it has in a program."""
    return "\n".join(line.strip() for line in sql.strip().splitlines() if line.strip())


def frozen(row: Iterable[Any]) -> tuple[Any, ...]:
    """Return a row whose lists are tuples."""
    return tuple(tuple(value) if isinstance(value, list) else value for value in row)
