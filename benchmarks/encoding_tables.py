"""Compares the decoders with the indexes of the Encoding Standard, each label and each pointer.

    npm install --prefix /tmp/indexes @exodus/bytes
    python benchmarks/encoding_tables.py /tmp/indexes/node_modules/@exodus/bytes

The npm package has the indexes as tables, which node prints. The script counts the byte sequences that our decoder and
Python's codec decode otherwise than the index says, and prints what `archive/text/encoding/decoders.py` has to correct,
and the checksums that the tests compare with. It exits with 1 where one of our decoders is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from archive.text.encoding.decoders import BAD, decode_as
from archive.text.encoding.labels import LABELS

#: Encoding -> the codec of Python that is nearest.
CODECS = {
    "gb18030": "gb18030",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "euc-jp": "euc_jp",
    "koi8-r": "koi8_r",
    "koi8-u": "koi8_u",
    "ibm866": "cp866",
    "macintosh": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "windows-874": "cp874",
    "iso-8859-8-i": "iso8859_8",
}
_NODE = """
const folder = process.argv[1]
const { getTable } = await import(folder + '/fallback/multi-byte.table.js')
const { encodingDecoder } = await import(folder + '/fallback/single-byte.js')
const labels = (await import(folder + '/fallback/encoding.labels.js')).default
const out = { labels, tables: {}, single: {} }
const ids = ['big5', 'euc-kr', 'jis0208', 'jis0212', 'gb18030', 'gb18030-ranges']
for (const id of ids) out.tables[id] = [...getTable(id)]
for (const id of Object.keys(labels)) {
  try { out.single[id] = encodingDecoder(id)(Uint8Array.from({ length: 256 }, (_, i) => i), true) } catch {}
}
console.log(JSON.stringify(out))
"""


class Published:
    """The indexes, as a folder with the npm package has them."""

    def __init__(self, package: Path) -> None:
        command = ["node", "--input-type=module", "-e", _NODE, str(package.resolve())]
        data = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        self.labels = {label: name for name, labels in data["labels"].items() for label in [name, *labels]}
        self.single: dict[str, str] = data["single"]
        self._ranges: list[tuple[int, int]] = [
            (pointer, code) for pointer, code in data["tables"].pop("gb18030-ranges")
        ]
        self.index = {name: {i: _text(u) for i, u in enumerate(units) if u} for name, units in data["tables"].items()}

    def character(self, encoding: str, data: bytes) -> str | None:
        """Return what an index has for a whole byte sequence; None where it has nothing."""
        lead, trail = data[-2], data[-1]
        if encoding == "gb18030" and len(data) == 4:
            return self._from_ranges((((data[0] - 0x81) * 10 + data[1] - 0x30) * 126 + lead - 0x81) * 10 + trail - 0x30)
        if encoding == "gb18030":
            return self.index[encoding].get((lead - 0x81) * 190 + trail - (0x40 if trail < 0x7F else 0x41))
        if encoding == "big5":
            return self.index[encoding].get((lead - 0x81) * 157 + trail - (0x40 if trail < 0x7F else 0x62))
        if encoding == "euc-kr":
            return self.index[encoding].get((lead - 0x81) * 190 + trail - 0x41)
        if encoding == "euc-jp":
            return self.index["jis0212" if len(data) == 3 else "jis0208"].get((lead - 0xA1) * 94 + trail - 0xA1)
        pointer = (lead - (0x81 if lead < 0xA0 else 0xC1)) * 188 + trail - (0x40 if trail < 0x7F else 0x41)
        return chr(0xE000 - 8836 + pointer) if 8836 <= pointer <= 10715 else self.index["jis0208"].get(pointer)

    def _from_ranges(self, pointer: int) -> str | None:
        if 39419 < pointer < 189000 or pointer > 1237575:
            return None
        if pointer == 7457:
            return "\ue7c7"
        start, code = self._ranges[bisect_right(self._ranges, (pointer, 1 << 21)) - 1]
        return chr(code + pointer - start)


def _text(unit: int) -> str:
    """A unit of the package is UTF-16: one code unit, or two."""
    return chr(unit) if unit < 0x10000 else unit.to_bytes(4, "big").decode("utf-16-be", "replace")


def sequences(encoding: str) -> Iterator[bytes]:
    """Yield each byte sequence for which the index of an encoding has a pointer, in order."""
    if encoding == "euc-jp":
        pairs = [bytes((lead, trail)) for lead in range(0xA1, 0xFF) for trail in range(0xA1, 0xFF)]
        yield from (*pairs, *(b"\x8f" + pair for pair in pairs))
        return
    leads = [*range(0x81, 0xA0), *range(0xE0, 0xFD)] if encoding == "shift_jis" else list(range(0x81, 0xFF))
    trails = {
        "gb18030": [*range(0x40, 0x7F), *range(0x80, 0xFF)],
        "big5": [*range(0x40, 0x7F), *range(0xA1, 0xFF)],
        "euc-kr": [*range(0x41, 0xFF)],
        "shift_jis": [*range(0x40, 0x7F), *range(0x80, 0xFD)],
    }[encoding]
    yield from (bytes((lead, trail)) for lead in leads for trail in trails)
    if encoding == "gb18030":
        digits, thirds = range(0x30, 0x3A), range(0x81, 0xFF)
        yield from (bytes((a, b, c, d)) for a in thirds for b in digits for c in thirds for d in digits)


def checksum(encoding: str) -> str:
    """Return the start of the SHA-256 of all that our decoder makes of the sequences of an encoding, a line each."""
    digest = hashlib.sha256()
    for sequence in sequences(encoding) if encoding in MULTI else (bytes((byte,)) for byte in range(256)):
        digest.update(decode_as(sequence, encoding).encode("utf-8") + b"\n")
    return digest.hexdigest()[:16]


MULTI = ("gb18030", "big5", "euc-kr", "shift_jis", "euc-jp")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    published = Published(parser.parse_args().package)
    wrong = len(published.labels.items() ^ LABELS.items())
    print(
        f"{len(LABELS)} labels, {wrong} wrong\n\n"
        "| encoding | sequences | ours, wrong | Python's codec, wrong | checksum |"
    )
    print("| --- | --: | --: | --: | --- |")
    corrections = {}
    for encoding in MULTI:
        count = ours = 0
        differs: list[str] = []
        for sequence in sequences(encoding):
            count += 1
            index, python = published.character(encoding, sequence), _strict(sequence, CODECS[encoding])
            decoded = decode_as(sequence, encoding)
            ours += decoded != index if index else not decoded.startswith(BAD)
            if python != index:
                differs.append(f"{sequence.hex()}:{index or BAD}")
        wrong += ours
        corrections[encoding] = differs
        print(f"| {encoding} | {count:,} | {ours} | {len(differs)} | {checksum(encoding)} |")
    for encoding, table in published.single.items():
        codec = CODECS.get(encoding) or encoding.replace("windows-", "cp").replace("iso-", "iso")
        ours = sum(decode_as(bytes((byte,)), encoding) != table[byte] for byte in range(256))
        others = sum((_strict(bytes((byte,)), codec) or BAD) != table[byte] for byte in range(256))
        wrong += ours
        print(f"| {encoding} | 256 | {ours} | {others} | {checksum(encoding)} |")
    for encoding, differs in corrections.items():
        print(f"{encoding}: {' '.join(differs)}")
    return 1 if wrong else 0


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except (LookupError, UnicodeDecodeError):
        return None


if __name__ == "__main__":
    sys.exit(main())
