"""What raw files that are read at an offset share."""

from __future__ import annotations

import io


class SeekableFile(io.RawIOBase):
    """A raw file that knows where it is.

    Args:
        size: bytes of the file; None where nobody knows.
    """

    def __init__(self, size: int | None = None) -> None:
        self._at, self._size = 0, size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END and self._size is None:
            raise io.UnsupportedOperation("the length of the file is not known")
        self._at = offset + (0, self._at, self._size or 0)[whence]
        return self._at
