"""Large responses are kept in files while they come, so that many at once need little memory."""

from __future__ import annotations

import mmap
import tempfile
from dataclasses import dataclass
from pathlib import Path

#: Bytes of a response from which on it is kept in a file; of all that are kept in memory, from which on the larger ones
#: are kept in files too, and bytes of these.
LONGEST, MOST, LARGER = 1 << 20, 64 << 20, 1 << 16


class Spill:
    """A file without a name, which ends with the process."""

    def __init__(self, folder: Path | None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115

    def write(self, data: bytes | bytearray) -> None:
        """Append some bytes.

        Raises:
            OSError: the disk is full.
        """
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def mapped(self) -> mmap.mmap:
        """Return what was written, as memory that the system reads from the file when it is looked at."""
        with self._file:
            return mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)


@dataclass
class Spills:
    """Decides which responses are kept in files, so that those in memory have about `MOST` bytes.

    Args:
        folder: of the files; None: the one for temporary files.
    """

    folder: Path | None = None
    held: int = 0  #: bytes in memory, of responses that are on their way

    def take(self, more: int, size: int) -> bool:
        """Count some bytes in memory; return whether the response, which has `size` bytes, belongs into a file."""
        self.held += more
        return size > LONGEST or (self.held > MOST and size > LARGER)

    def give_back(self, size: int) -> None:
        """Count bytes that are no longer in memory, or whose response is over."""
        self.held -= size

    def begin(self) -> Spill:
        """Make a file."""
        return Spill(self.folder)
