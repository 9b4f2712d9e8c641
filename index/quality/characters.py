"""The class of each character for the word rule and the filters: a table of Unicode 14.0, in `classes.tsv`.

It is part of the project for the reason that `index.minhash.characters` gives: measurements of ten years apart must
agree. `python -m index.quality.characters` writes it; this needs a Python that has Unicode 14.0 (3.11).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.minhash import characters

#: Bits of a class.
LETTER = np.uint16(1)  # general category L: str.isalpha
DIGIT = np.uint16(2)  # Nd: \d
UPPER = np.uint16(4)  # a letter that has another lower case
MARK = np.uint16(8)  # M
PUNCT = np.uint16(16)  # P: what spaCy calls is_punct
ICON = np.uint16(32)  # So: dingbats, emoji
ALONE = np.uint16(64)  # a letter of a script without spaces between words
SYMBOL = np.uint16(128)  # a word of these only is no word to Gopher's filter
TERMINAL = np.uint16(256)  # ends a sentence
FRONT = np.uint16(512)  # comes off the front of a word
BACK = np.uint16(1024)  # comes off the back of a word
QUOTE = np.uint16(2048)
CURRENCY = np.uint16(4096)  # Sc
SPACE = np.uint16(8192)

_FILE = Path(__file__).with_name("classes.tsv")
_KINDS = {"letter": LETTER, "digit": DIGIT, "mark": MARK, "punctuation": PUNCT, "icon": ICON, "currency": CURRENCY}

#: What separates from words at both ends, and what at the front only, as in spaCy's `lang/char_classes.py` (MIT).
_MARKS = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
_QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧"
_DASHES = "—–"
_FRONT = "§%="

#: PUNCTUATION of datatrove's `utils/text.py` (Apache-2.0), without the control characters, which no text here has.
_SYMBOLS = "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»\n "
#: TERMINAL_PUNCTUATION of the same file: characters of all scripts that end sentences, hexadecimal.
_TERMINAL = (
    "21 2E 3F 589 61D-61F 6D4 700-702 7F9 837 839 83D-83E 964-965 104A-104B 1362 1367-1368 166E 1735-1736 "
    "17D4-17D6 17D9-17DA 1803 1809 1944-1945 1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1B7D-1B7E 1C3B-1C3C 1C7E-1C7F "
    "203C-203D 2047-2049 2E2E 2E3C 2E53-2E54 3002 A4FF A60E-A60F A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9 "
    "AA5D-AA5F AAF0-AAF1 ABEB FE52 FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 10F55-10F59 10F86-10F89 "
    "11047-11048 110BE-110C1 11141-11143 111C5-111C6 111CD 111DE-111DF 11238-11239 1123B-1123C 112A9 "
    "1144B-1144C 115C2-115C3 115C9-115D7 11641-11642 1173C-1173E 11944 11946 11A42-11A43 11A9B-11A9C "
    "11C41-11C42 11EF7-11EF8 11F43-11F44 16A6E-16A6F 16AF5 16B37-16B38 16B44 16E98 1BC9F 1DA88"
)


@lru_cache(maxsize=1)
def classes() -> npt.NDArray[np.uint16]:
    """Return the class of each code point, as bits."""
    table = np.zeros(0x110000, np.uint16)
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        first, last, kind = line.split("\t")
        table[int(first, 16) : int(last, 16) + 1] |= _KINDS[kind]
    folded = characters.table()
    points = np.arange(len(table), dtype=np.uint32)
    table[(folded & characters.ALONE) != 0] |= ALONE
    table[((folded & np.uint32(0x1FFFFF)) != points) & ((table & LETTER) != 0)] |= UPPER
    for letters, bit in (
        (_MARKS + _QUOTES + _DASHES + _FRONT, FRONT),
        (_MARKS + _QUOTES + _DASHES, BACK),
        (_QUOTES, QUOTE),
        (_SYMBOLS, SYMBOL),
        (" \n", SPACE),
    ):
        table[[ord(letter) for letter in letters]] |= bit
    table[(table & (ICON | CURRENCY)) != 0] |= FRONT
    table[(table & ICON) != 0] |= BACK
    for run in _TERMINAL.split():
        first, _, last = run.partition("-")
        table[int(first, 16) : int(last or first, 16) + 1] |= TERMINAL | SYMBOL
    return table


def _kind(point: int) -> str:
    category = unicodedata.category(chr(point))
    named = {"Nd": "digit", "So": "icon", "Sc": "currency"}
    return named.get(category) or {"L": "letter", "M": "mark", "P": "punctuation"}.get(category[0], "")


def write() -> str:
    """Return the table as text: ranges of code points (hexadecimal) and their kind."""
    if unicodedata.unidata_version != characters.UNICODE:
        raise SystemExit(f"this Python has Unicode {unicodedata.unidata_version}, the table is {characters.UNICODE}")
    lines = [f"# Unicode {characters.UNICODE}: first, last, kind"]
    first, kind = 0, ""
    for point in range(0x110001):
        now = _kind(point) if point < 0x110000 else "end"
        if now != kind:
            if kind:
                lines.append(f"{first:X}\t{point - 1:X}\t{kind}")
            first, kind = point, now
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    _FILE.write_text(write(), encoding="utf-8")
