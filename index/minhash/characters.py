"""Which characters are parts of words, and their lower case: a table of Unicode 14.0, in `characters.tsv`.

Python's own tables grow with each release of Unicode, and indexes that were computed ten years apart must be
comparable. So the table is part of the project. `python -m index.minhash.characters` prints it; this needs a Python
that has Unicode 14.0 (3.11).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

UNICODE = "14.0.0"
#: Flags in the table, above the 21 bits of a code point.
ALONE = np.uint32(1 << 31)
MARK = np.uint32(1 << 30)
_POINTS = 0x110000

#: Blocks of scripts without spaces between words. Each of their letters is a word of its own, so that their shingles
#: are shingles of characters.
_UNSPACED = (
    (0x0E00, 0x0E7F),  # Thai
    (0x0E80, 0x0EFF),  # Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # ideographic iteration mark, closing mark, zero
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3100, 0x312F),  # Bopomofo
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9FF),  # Myanmar
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),  # Han
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x1B000, 0x1B16F),  # Kana
    (0x20000, 0x3FFFD),  # Han
)


def table() -> npt.NDArray[np.uint32]:
    """Return an entry for each code point: 0 if it separates words, else its lower case with the flag ALONE or MARK."""
    folded = np.zeros(_POINTS, np.uint32)
    text = Path(__file__).with_name("characters.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        first, last, kind, shift = line.split("\t")
        points = np.arange(int(first, 16), int(last, 16) + 1, dtype=np.int64)
        flag = {"word": np.uint32(0), "alone": ALONE, "mark": MARK}[kind]
        folded[points] = (points + int(shift)).astype(np.uint32) | flag
    return folded


def _rows() -> Iterator[tuple[int, str, int]]:
    """Yield each code point that is part of words, its kind, and the distance to its lower case."""
    for point in range(_POINTS):
        letter = chr(point)
        category = unicodedata.category(letter)[0]
        if category not in "LMN":
            continue
        lower = letter.lower()
        shift = ord(lower) - point if len(lower) == 1 else 0
        unspaced = category == "L" and any(first <= point <= last for first, last in _UNSPACED)
        yield point, "mark" if category == "M" else "alone" if unspaced else "word", shift


def write() -> str:
    """Return the table as text: ranges of code points (hexadecimal), kind, distance to the lower case."""
    if unicodedata.unidata_version != UNICODE:
        raise SystemExit(f"this Python has Unicode {unicodedata.unidata_version}, the table is {UNICODE}")
    lines = [f"# Unicode {UNICODE}: first, last, kind, distance of the lower case"]
    first = last = -1
    previous: tuple[str, int] | None = None
    for point, kind, shift in [*_rows(), (-1, "", 0)]:
        if previous == (kind, shift) and point == last + 1:
            last = point
            continue
        if previous is not None:
            lines.append(f"{first:X}\t{last:X}\t{previous[0]}\t{previous[1]}")
        first = last = point
        previous = (kind, shift)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(write(), end="")
