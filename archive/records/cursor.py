"""A position in a decompressed stream, with the address of each byte in the file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from archive.records.members import Fault, Members


class Cursor:
    """Reads the chunks of `Members` as one stream of bytes. It holds a small part of the stream.

    An address is `(member, skip)`: the offset in the file of the compressed member, and the number of decompressed
    bytes to skip in it. In an uncompressed file, `member` is the position itself and `skip` is 0.
    """

    def __init__(self, members: Members) -> None:
        self.members = members
        self._buffer = b""
        self._at = 0
        self._base = members.member if not members.compression else 0  # stream position of _buffer[0]
        self._starts: list[int] = []  # stream positions where members start …
        self._members: list[int] = []  # … and their offsets in the file

    # -- filling -----------------------------------------------------------------------------------

    def _pull(self) -> bytes:
        """Return the next chunk and note its member; empty at the end or before a fault."""
        chunk = self.members.next_chunk()
        if chunk is None:
            return b""
        if self.members.compression and (chunk.first or not self._starts):
            self._starts.append(self._base + len(self._buffer))
            self._members.append(chunk.member)
        return chunk.data

    def available(self) -> int:
        """Return how many bytes are in the buffer."""
        return len(self._buffer) - self._at

    def fill(self, count: int) -> int:
        """Fill the buffer up to `count` bytes, if the stream has them. Returns how many there are."""
        if (have := self.available()) >= count:
            return have
        self._compact()
        parts, have = [self._buffer], len(self._buffer)
        while have < count and (data := self._pull_at(have)):
            parts.append(data)
            have += len(data)
        self._buffer = b"".join(parts)
        return len(self._buffer)

    def _pull_at(self, have: int) -> bytes:
        """Do as `_pull`, while the buffer is in pieces of `have` bytes in all."""
        known = len(self._starts)
        data = self._pull()
        if len(self._starts) > known:
            self._starts[-1] = self._base + have
        return data

    def _compact(self) -> None:
        if self._at:
            self._buffer = self._buffer[self._at :]
            self._base += self._at
            self._at = 0
        if len(self._starts) > 64:
            keep = max(bisect_right(self._starts, self._base) - 1, 0)
            del self._starts[:keep], self._members[:keep]

    # -- reading -----------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """The position in the decompressed stream."""
        return self._base + self._at

    @property
    def fault(self) -> Fault | None:
        """The damage that ends the stream, once everything in front of it is read."""
        return None if self.available() else self.members.fault

    def address(self, position: int | None = None) -> tuple[int, int]:
        """Return `(member, skip)` of a stream position (default: here)."""
        position = self.position if position is None else position
        if not self.members.compression:
            return position, 0
        at = bisect_right(self._starts, position) - 1
        if at < 0:
            return self.members.member, 0
        return self._members[at], position - self._starts[at]

    def boundary_in(self, start: int, end: int, starts_record: Callable[[bytes], bool]) -> int | None:
        """Return the first position in (start, end) where a member starts that begins like a record."""
        for at in self._starts[bisect_right(self._starts, start) :]:
            if at >= end:
                return None
            offset = at - self._base
            if 0 <= offset < len(self._buffer) and starts_record(self._buffer[offset : offset + 512]):
                return at
        return None

    def peek(self, count: int) -> bytes:
        """Return the next bytes and stay in front of them."""
        self.fill(count)
        return self._buffer[self._at : self._at + count]

    def find(self, mark: bytes, limit: int) -> int:
        """Return the distance from here to `mark`, or -1 if it is not among the next `limit` bytes."""
        size = 1 << 12
        while True:
            have = self.fill(min(size, limit))
            position = self._buffer.find(mark, self._at, self._at + limit)
            if position >= 0:
                return position - self._at
            if have >= limit or have < size:
                return -1
            size *= 4

    def take(self, count: int) -> bytes:
        """Return the next bytes and go behind them."""
        self.fill(count)
        data = self._buffer[self._at : self._at + count]
        self._at += len(data)
        return data

    def unread(self, data: bytes) -> None:
        """Put back the bytes that were taken last."""
        self._compact()
        self._buffer = data + self._buffer
        self._base -= len(data)

    def skip(self, count: int) -> int:
        """Pass over bytes without keeping them. Returns how many there were."""
        left = count
        while left:
            have = self.fill(min(left, 1))
            if not have:
                break
            step = min(have, left)
            self._at += step
            left -= step
        return count - left

    def rest_of_member(self) -> int:
        """Skip the rest of the current member, in a file whose members are records. Returns its bytes."""
        start, (member, _) = self.position, self.address()
        while True:
            if not self.available() and not self.fill(1):
                return self.position - start
            after = bisect_right(self._starts, self.position)
            if self.address()[0] != member:
                return self.position - start
            end = self._starts[after] - self._base if after < len(self._starts) else len(self._buffer)
            self._at = end

    def resync(self) -> bool:
        """Continue behind damage, at the next member that begins with a record. Returns False if there is none."""
        self._compact()
        if not self.members.resync():
            return False
        self._base += len(self._buffer)
        self._buffer, self._at = b"", 0
        return True
