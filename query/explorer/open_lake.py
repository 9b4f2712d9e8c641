"""The lake that a server shows, opened read-only, in the version that it has now."""

from __future__ import annotations

import logging
import math
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from archive.lake import open_lake
from archive.tables import EVIDENCE_TABLES, TABLES
from index import tables as index_tables
from query.explorer.bounds import Patience
from query.explorer.checking import Checking
from query.explorer.context import Context
from query.explorer.cube.counting import Counting
from query.explorer.scans import Scans
from query.explorer.version import Means, Version

_log = logging.getLogger(__name__)

#: Seconds for one page, memory of DuckDB for it, and how many are worked on at once.
SECONDS, MEMORY, AT_ONCE = 20.0, "400MB", 4
#: For so many seconds nobody looks whether the lake has changed.
_FRESH = 1.0
#: Seconds after which it is asked again what is being counted.
_AGAIN = 1.0
#: Seconds that a page waits at least until it is known where its rows are.
_WAIT = 5.0
#: Seconds that a page waits for the indexes that look up texts: to open them the first time takes long.
_PATIENCE = 120.0

Value = TypeVar("Value")


class OpenLake:
    """A lake that a server shows, and what it keeps of the present version: connections, answers, and more.

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
        self._fresh = math.inf if is_pinned else _FRESH
        self._spill = tempfile.TemporaryDirectory(prefix="lowbackground-")
        patience = threading.TIMEOUT_MAX if is_pinned else patience
        self._means = Means(
            seconds, memory, self._spill.name, patience, max(patience, _WAIT), threading.BoundedSemaphore(at_once),
            encoder, Counting(), Checking(self.location, network), Scans(), Patience(_PATIENCE),
        )  # fmt: skip
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._version = Version(self._lake, *self._pins(), self._means)

    def __enter__(self) -> OpenLake:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._means.scans.close()
        self._version.close()
        self._means.counting.close()
        self._spill.cleanup()

    @property
    def versions(self) -> dict[str, int]:
        """The versions of the tables that the lake has now."""
        return {name: number for name, number in sorted(self._now().versions.items()) if number is not None}

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
        version = self._now()

        def work() -> Value:
            with version.context() as context:
                return ask(context)

        return work() if key is None else version.answers.of(key, work, is_final)

    def act(self, do: Callable[[Context], Value]) -> Value:
        """Return what a function finds once somebody pressed a button: it is done anew, and not kept.

        Raises:
            Busy: there is too much to do, or it took too long.
            ArchiveError: what `do` raises.
        """
        with self._now().context(posted=True) as context:
            return do(context)

    def prepare(self, ask: Callable[[Context], object]) -> None:
        """Have a function ask what is counted of the whole lake, and the rows indexed by text and by site, in the
        background. Whoever asks for the page gets the error that this gets.
        """
        threading.Thread(target=self._prepare, args=(ask,), name="prepare", daemon=True).start()

    def _prepare(self, ask: Callable[[Context], object]) -> None:
        version = self._now()
        version.begin_places()
        is_counting = True
        try:
            while is_counting and not version.is_ended:  # some questions follow from the answers of others
                with version.context() as context:
                    ask(context)
                    is_counting = bool(context.uncounted)
                time.sleep(_AGAIN if is_counting else 0)
        except Exception as error:
            _log.info("%s: %s", self.location, error)
        version.begin_sites()  # not before: both take memory

    def _now(self) -> Version:
        """Return the lake in its present version. What belongs to another one ends."""
        with self._lock:
            if time.monotonic() - self._looked < self._fresh:
                return self._version
            numbers, marks = self._pins()
            self._looked = time.monotonic()
            if marks != self._version.marks:
                before, self._version = self._version, Version(self._lake, numbers, marks, self._means)
                before.end()
            return self._version

    def _pins(self) -> tuple[Mapping[str, int | None], Mapping[str, str | None]]:
        """Return the versions of all tables that the lake has now, and what tells them from all others."""
        now = self._lake.snapshot()
        held = set(now.tables())
        known = sorted({*TABLES, *EVIDENCE_TABLES, *index_tables.TABLES})
        numbers = {name: now.delta(name).version() if name in held else None for name in known}
        return numbers, {name: now.mark(name) if name in held else None for name in known}
