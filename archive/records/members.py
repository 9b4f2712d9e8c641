"""Compressed files as a stream of decompressed chunks, each with its offset in the file.

Archives compress each record as a member of its own, so that a record can be cited and read by its byte offset.
`Members` yields decompressed chunks with the offset of their member (gzip member, zstd or lz4 frame); a plain file is
one member at offset 0. Behind damage it finds the next member. It never holds more than a chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import lz4.frame
import zstandard
from isal import isal_zlib

GZIP_MAGIC = b"\x1f\x8b\x08"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
LZ4_MAGIC = b"\x04\x22\x4d\x18"

#: Compressed bytes that are read at once: few, because the bytes behind the end of a member are copied.
READ = 1 << 16
#: Decompressed bytes of a chunk, which bounds the memory that a gzip bomb takes.
CHUNK = 1 << 20
#: Bytes of memory that a frame may need; one that needs more counts as damaged.
_ZSTD_WINDOW = 1 << 27


@dataclass(frozen=True, slots=True)
class Chunk:
    """Decompressed bytes. `member` is the offset in the file of their member."""

    data: bytes
    member: int
    first: bool  #: whether the member starts with these bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """Damage: the decompression of the member at `member` failed."""

    reason: str
    member: int
    detail: str


class _Decoder(Protocol):
    """Decompresses one member. `rest` is the input that it has not used."""

    eof: bool
    rest: bytes

    def feed(self, data: bytes) -> bytes:
        """Decompress some of `data`, at most about a chunk of output."""
        ...


class _Gzip:
    def __init__(self) -> None:
        self._object = isal_zlib.decompressobj(31)
        self.eof = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        out: bytes = self._object.decompress(data, CHUNK)
        self.eof = self._object.eof
        self.rest = self._object.unused_data if self.eof else self._object.unconsumed_tail
        return out


class _Lz4:
    def __init__(self) -> None:
        self._object = lz4.frame.LZ4FrameDecompressor()
        self.eof = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        # small steps: the library keeps what is beyond the limit of its output
        step = data if self._object.needs_input else b""
        out: bytes = self._object.decompress(step[:4096], max_length=CHUNK)
        self.eof = self._object.eof
        self.rest = (self._object.unused_data or b"") + data[4096 if step else 0 :]
        return out


class _Zstd:
    """A zstd frame. The library has no limit on its output, so its input is fed in small steps."""

    def __init__(self, dictionary: bytes | None) -> None:
        known = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        engine = zstandard.ZstdDecompressor(dict_data=known, max_window_size=_ZSTD_WINDOW)
        self._object = engine.decompressobj()
        self.eof = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        out: list[bytes] = []
        at = size = 0
        while at < len(data) and size < CHUNK and not self._object.eof:
            out.append(self._object.decompress(data[at : at + 256]))
            size += len(out[-1])
            at += 256
        self.eof = self._object.eof
        self.rest = (self._object.unused_data if self.eof else b"") + data[at:]
        return b"".join(out)


_ERRORS: tuple[type[Exception], ...] = (isal_zlib.error, zstandard.ZstdError, RuntimeError, EOFError)  # type: ignore[assignment]


def compression_of(head: bytes) -> str | None:
    """Return `gzip`, `zstd` or `lz4`; None for a file that begins like none of them."""
    if head.startswith(GZIP_MAGIC):
        return "gzip"
    if head.startswith(ZSTD_MAGIC) or _is_skippable(head):
        return "zstd"
    if head.startswith(LZ4_MAGIC):
        return "lz4"
    return None


def _is_skippable(head: bytes) -> bool:
    """Return whether this is a skippable frame of zstd or lz4 (magic 0x184D2A50 to 0x184D2A5F, little-endian)."""
    return len(head) >= 8 and head[1:4] == b"\x2a\x4d\x18" and head[0] >> 4 == 5


class Members:
    """The decompressed chunks of a file from the offset `start` on.

    `next_chunk` returns None at the end of the file and where a member is damaged. In that case `fault` is set, and
    `resync` continues behind the damage.

    Args:
        file: a seekable binary file.
        starts_record: whether decompressed bytes begin like a record. In a search, only the magic number of such a
            member counts. By default nothing does, so that nothing is read behind damage.
    """

    def __init__(
        self,
        file: BinaryIO,
        compression: str | None,
        start: int = 0,
        starts_record: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        self._file = file
        self.compression = compression
        self._starts_record = starts_record
        self._magic = {"gzip": GZIP_MAGIC, "zstd": ZSTD_MAGIC, "lz4": LZ4_MAGIC}.get(compression or "", b"")
        self._dictionary: bytes | None = None
        self._decoder: _Decoder | None = None
        self._emitted = 0  # decompressed bytes of the current member handed out so far
        self._first = True
        self.member = start
        self.fault: Fault | None = None
        self.ends: dict[int, int] = {}  #: offset of a member -> offset of its end, once known
        if compression == "zstd" and start:
            self._read_dictionary()
        self._go_to(start)

    def _go_to(self, offset: int) -> None:
        self._file.seek(offset)
        self._raw = b""
        self._raw_at = offset  # the offset in the file of the first byte of _raw
        self._at_end = False
        self._decoder = None

    def _fill(self, need: int = 1) -> bool:
        while len(self._raw) < need and not self._at_end:
            data = self._file.read(READ)
            self._at_end = not data
            self._raw += data
        return len(self._raw) >= need

    def _drop(self, count: int) -> None:
        self._raw = self._raw[count:]
        self._raw_at += count

    def next_chunk(self) -> Chunk | None:
        """Return the next chunk; None at the end of the file or at damage."""
        if self.fault:
            return None
        if not self.compression:
            return self._next_plain()
        while True:
            if self._decoder is None and not self._begin():
                return None
            assert self._decoder is not None
            self._fill()
            before = len(self._raw)
            try:
                out = self._decoder.feed(self._raw)
            except _ERRORS as error:
                return self._salvage(str(error))
            self._raw = self._decoder.rest
            self._raw_at += before - len(self._raw)
            if self._decoder.eof:
                self.ends[self.member] = self._raw_at
                self._decoder = None
            elif not out and not before:
                self.fault = Fault("truncated", self.member, "the file ends inside a compressed member")
                return None
            if out:
                return self._emit(out)

    def _emit(self, out: bytes) -> Chunk:
        chunk = Chunk(out, self.member, self._first)
        self._first = False
        self._emitted += len(out)
        return chunk

    def _next_plain(self) -> Chunk | None:
        if not self._fill():
            self.ends[0] = self._raw_at
            return None
        chunk = Chunk(self._raw, 0, False)
        self._drop(len(self._raw))
        return chunk

    def _begin(self) -> bool:
        """Start the decoder on the next member. Returns False at the end of the file and where no member begins."""
        while True:
            if not self._fill(8) and not self._raw.strip(b"\0"):
                return False
            if self.compression != "gzip" and _is_skippable(self._raw):
                length = int.from_bytes(self._raw[4:8], "little")
                if self._raw_at == 0 and self.compression == "zstd":
                    self._first_frame(length)
                else:
                    self._go_to(self._raw_at + 8 + length)
                continue
            self.member, self._emitted, self._first = self._raw_at, 0, True
            if self._raw.startswith(self._magic):
                try:
                    self._decoder = self._new_decoder()
                except _ERRORS as error:  # the dictionary is not one
                    self.fault = Fault("bad-compression", self._raw_at, str(error))
                    return False
                return True
            if not self._raw[:READ].strip(b"\0"):  # padding
                self._drop(len(self._raw))
                continue
            self.fault = Fault("bad-compression", self._raw_at, f"the bytes begin no {self.compression} member")
            return False

    def _new_decoder(self) -> _Decoder:
        if self.compression == "zstd":
            return _Zstd(self._dictionary)
        return _Gzip() if self.compression == "gzip" else _Lz4()

    def _read_dictionary(self) -> None:
        self._go_to(0)
        if self._fill(8) and _is_skippable(self._raw):
            self._first_frame(int.from_bytes(self._raw[4:8], "little"))

    def _first_frame(self, length: int) -> None:
        """Keep the dictionary that a .warc.zst may begin with (IIPC's WARC zstd specification)."""
        length = min(length, 1 << 25)
        self._fill(8 + length)
        frame = self._raw[8 : 8 + length]
        if self._raw[0] == 0x5D and frame:
            try:
                if frame.startswith(ZSTD_MAGIC):
                    with zstandard.ZstdDecompressor().stream_reader(frame) as reader:
                        frame = reader.read(1 << 25)
                self._dictionary = frame
            except zstandard.ZstdError:
                pass  # its frames will not decode, and are reported
        self._drop(8 + length)

    def _salvage(self, detail: str) -> Chunk | None:
        """Decompress what a damaged member has in front of the damage, byte by byte near it."""
        bad_at = self._raw_at
        self.fault = Fault("bad-compression", self.member, detail)
        emitted, out = self._emitted, bytearray()
        self._go_to(self.member)
        position = 0
        try:
            decoder = self._new_decoder()
            while not decoder.eof and self._fill():
                step = self._raw if self._raw_at + len(self._raw) <= bad_at else self._raw[:1]
                fed = decoder.feed(step)
                self._drop(len(step) - len(decoder.rest))
                position += len(fed)
                if position > emitted:
                    out += fed[max(len(fed) - (position - emitted), 0) :]
                    if len(out) > 16 * CHUNK:
                        break
        except _ERRORS:
            pass
        return self._emit(bytes(out)) if out else None

    def resync(self) -> bool:
        """After a fault, go to the next member that begins with a record. Returns False if there is none."""
        assert self.fault is not None
        offset = self._find(self.fault.member + (1 if self._is_magic_at(self.fault.member) else 0))
        if offset is None:
            return False
        self.fault = None
        self._go_to(offset)
        return True

    def find_start(self, offset: int, end: int | None = None) -> int | None:
        """Go to the first member in [offset, end) that begins with a record, and return its offset."""
        start = self._find(offset, end)
        if start is not None:
            self._go_to(start)
        return start

    def _is_magic_at(self, offset: int) -> bool:
        self._go_to(offset)
        return self._fill(4) and self._raw.startswith(self._magic)

    def _find(self, offset: int, end: int | None = None) -> int | None:
        self._go_to(offset)
        while self._fill(4) and (end is None or self._raw_at < end):
            at = self._raw.find(self._magic)
            if at < 0:
                self._drop(max(len(self._raw) - 3, 1))
                if self._at_end:
                    return None
                self._fill(READ)
                continue
            self._drop(at)
            candidate = self._raw_at
            self._fill(1 << 12)
            if self._begins_record(self._raw):
                return candidate
            self._drop(1)
        return None

    def _begins_record(self, raw: bytes) -> bool:
        out = b""
        try:
            decoder = self._new_decoder()
            while len(out) < 512 and raw and not decoder.eof:
                out += decoder.feed(raw[:256])
                raw = decoder.rest + raw[256:]
        except _ERRORS:
            pass
        return self._starts_record(out)
