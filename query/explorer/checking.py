"""Goes back to the records that date a text: in a process of its own, one at a time, for a bounded time."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from archive.engine.sandbox import ChildDied, ChildTooLate, Sandbox
from query.explorer.busy import Busy
from query.typed_json import build
from query.verify.one_text import Check, RecordCheck

#: Seconds for the records of a text, and between two texts.
SECONDS, _PAUSE = 60.0, 2.0


class Checking:
    """Reads records for whoever asks.

    Args:
        location: of the lake.
        network: files on other hosts may be read too, where the lake says that they are.
        seconds: the most that the records of a text may take.
    """

    def __init__(self, location: str, network: bool, seconds: float = SECONDS) -> None:
        self._location, self._network, self._seconds = location, network, seconds
        self._lock = threading.Lock()
        self._ended = -_PAUSE

    def check(self, cited: pa.Table, versions: Mapping[str, int | None]) -> tuple[RecordCheck, ...]:
        """Compare the citations of `query.verify.one_text.cite_text` with their records.

        Raises:
            Busy: another text is being verified, or was just now; or it took too long.
        """
        if not self._lock.acquire(blocking=False):
            raise Busy("another text is being verified; try again in some seconds")
        try:
            if time.monotonic() - self._ended < _PAUSE:
                raise Busy("another text has just been verified; try again in some seconds")
            try:
                return self._checked(cited, versions)
            finally:
                self._ended = time.monotonic()
        finally:
            self._lock.release()

    def _checked(self, cited: pa.Table, versions: Mapping[str, int | None]) -> tuple[RecordCheck, ...]:
        with tempfile.TemporaryDirectory(prefix="lowbackground-") as folder:
            path = Path(folder) / "cited.parquet"
            pq.write_table(cited, path)
            request = {
                "cited": str(path), "lake": self._location, "versions": dict(versions), "network": self._network,
            }  # fmt: skip
            try:
                with Sandbox("query.verify.one_text:serve") as child:
                    found = child.call(request, self._seconds)
            except ChildTooLate:
                raise Busy(f"its file takes more than {self._seconds:g} s to read; use the command") from None
            except ChildDied:
                raise Busy("its file takes more memory to read than this page may use; use the command") from None
        return tuple(
            build(RecordCheck, {**each, "checks": tuple(build(Check, line) for line in each["checks"])})
            for each in found
        )
