"""A second, plain implementation of the signals: the same definitions in Python's own words, for comparison.

The measures follow the text of docs/quality.md with sets, counters and regular expressions; nothing is shared with
the kernel but the table of classes, the abbreviations and the names of the columns.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

from index.quality import characters as c
from index.quality.lines import C4, FINEWEB
from index.quality.repetition import COLUMNS as REPETITION
from index.quality.signals import GOPHER
from index.quality.tokens import EXCEPTIONS

#: With the sign in front of each: - and ~ are their own signs, dashes have x.
_HYPHENS = r"(?:--){1,3}|(?:x\u2014){1,2}|x\u2013|~~"


@lru_cache(maxsize=1 << 16)
def kind(letter: str) -> int:
    return int(c.classes()[ord(letter)])


def pattern(text: str) -> str:
    """A text as classes, so that regular expressions can ask for them: one character for each."""
    return "".join(map(_sign, text))


def _sign(letter: str) -> str:
    has = kind(letter)
    if letter in ".+-%,/:*^~=":  # their own signs
        return letter
    if letter in "0123456789":
        return "0"
    if has & c.ALONE:
        return "H"
    if has & c.LETTER:
        return "A" if has & c.UPPER else "a"
    return "m" if has & c.MARK else "x"


def words(text: str) -> list[str]:
    return [word for piece in text.split() for word in _piece(piece)]


def _stays(piece: str) -> bool:
    return piece in EXCEPTIONS or bool(re.fullmatch(r"[a-z]\.", piece))


def _piece(piece: str) -> list[str]:
    if piece in {"cannot", "Cannot"}:
        return [piece[:3], piece[3:]]
    front: list[str] = []
    back: list[str] = []
    while piece and not _stays(piece):
        if size := _front(piece):
            front.append(piece[:size])
            piece = piece[size:]
        elif size := _back(piece):
            back.insert(0, piece[-size:])
            piece = piece[:-size]
        else:
            break
    middle = [] if not piece else [piece] if _stays(piece) or _address(piece) else _inner(piece)
    return [*front, *middle, *back]


def _front(piece: str) -> int:
    if found := re.match(r"\.\.+|\+(?![0-9])", piece):
        return found.end()
    return int(bool(kind(piece[0]) & c.FRONT))


def _back(piece: str) -> int:
    if kind(piece[-1]) & c.BACK:
        return 1
    if found := re.search(r"(['’][sS]|\.\.+|(?<=[0-9])[%+])$", piece):
        return len(found[0])
    if len(piece) > 1 and kind(piece[-1]) & c.CURRENCY and piece[-2] in "0123456789":
        return 1
    if len(piece) > 1 and piece[-1] == ".":
        before = kind(piece[-2])
        if before & c.UPPER:
            return int(len(piece) > 2 and bool(kind(piece[-3]) & c.UPPER))
        return int(bool(before & (c.LETTER | c.BACK)) or piece[-2] in "0123456789%-+")
    return 0


def _address(piece: str) -> bool:
    signs = "".join(_plain(letter) for letter in piece)
    found = re.match(r"[Aa0._@-]*", signs)
    assert found
    host, rest = found[0], piece[found.end() :]
    if rest.startswith("://"):
        return bool(host)
    return rest[:1] in {"", "/", "?"} and bool(re.search(r".\.a{2,}$", host))


def _plain(letter: str) -> str:
    has = kind(letter)
    return "A" if has & c.UPPER else "a" if has & c.LETTER else "0" if has & c.DIGIT else letter


def _inner(piece: str) -> list[str]:
    tail: list[str] = []
    if found := re.search(r"(?<=.)(n['’]t|['’](?:m|d|re|ve|ll))$", piece, re.S):
        piece, tail = piece[: found.start()], [found[0]]
    signs = pattern(piece)
    quotes = "".join(re.escape(mark) for mark in sorted(set(piece)) if kind(mark) & c.QUOTE)
    icons = "".join(re.escape(mark) for mark in sorted(set(piece)) if kind(mark) & c.ICON)
    # classes beside the text: a sign for each character, then the character itself
    text = "".join(sign + mark for sign, mark in zip(signs, piece, strict=True))
    quote, icon = rf".[{quotes or chr(0)}]", rf".[{icons or chr(0)}]"  # no text has NUL
    runs = [
        r"H.(?:m.)*",
        rf"(?<=..)(?:(?:\..){{2,}}|.\u2026|{icon})",
        r"(?<=0.)[-+*^].(?=0.|-.)",
        rf"(?<=(?:[aH].|{quote}))\..(?=A.|{quote})",
        r"(?<=[aAH].),.(?=[aAH].)",
        rf"(?<=[aAH0].)(?:{_HYPHENS})(?=[aAH].)",
        r"(?<=[aAH0].)(?:[:/=].|.[<>])(?=[aAH].)",
    ]
    whole = re.compile("|".join(runs), re.S)
    out, start, place = [], 0, 0
    while place < len(text):
        found = whole.match(text, place)
        if not found or found.end() == place:
            place += 2
            continue
        out += [text[start:place], found[0]]
        start = place = found.end()
    out.append(text[start:])
    return [part[1::2] for part in out if part] + tail


def sentences(line: str) -> int:
    count, ended = 1, False
    for word in words(line):
        if len(word) == 1 and kind(word) & c.TERMINAL:
            ended = True
        elif ended and not all(kind(letter) & c.PUNCT for letter in word):
            count, ended = count + 1, False
    return count


def _again(items: list[str]) -> tuple[int, int]:
    seen: set[str] = set()
    found = []
    for item in items:
        if item in seen:
            found.append(item)
        seen.add(item)
    return len(found), sum(map(len, found))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def gopher(text: str) -> list[float]:
    tokens, lines = words(text), text.split("\n") if text else []
    plain = [word for word in tokens if any(not kind(letter) & c.SYMBOL for letter in word)]
    return [
        len(text),
        len(tokens),
        len(plain),
        _share(sum(map(len, plain)), len(plain)),
        _share(text.count("#"), len(tokens)),
        _share(text.count("...") + text.count("…"), len(tokens)),
        _share(sum(line.startswith(("•", "-")) for line in lines), len(lines)),
        _share(sum(line.endswith(("...", "…")) for line in lines), len(lines)),
        _share(sum(any(letter.isalpha() for letter in word) for word in tokens), len(tokens)),
        len({"the", "be", "to", "of", "and", "that", "have", "with"} & set(tokens)),
    ]


def repetition(text: str) -> list[float]:
    tokens = words(text)
    out: list[float] = []
    for separator in ("\n+", "\n{2,}"):
        items = list(filter(None, re.split(separator, text)))
        count, letters = _again(items)
        out += [_share(count, len(items)), _share(letters, len(text))]
    for size in (2, 3, 4):
        grams = Counter(tuple(tokens[place : place + size]) for place in range(len(tokens) - size + 1))
        most = max(grams.items(), key=lambda item: item[1], default=((), 0))
        out.append(_share(len(" ".join(most[0])) * most[1], len(text)))
    for size in range(5, 11):
        seen: set[str] = set()
        place = letters = 0
        while place + size <= len(tokens):
            gram = "".join(tokens[place : place + size])
            letters += len(gram) * (gram in seen)
            place += size if gram in seen else 1
            seen.add(gram)
        out.append(_share(letters, len(text)))
    return out


def c4(text: str, punctuation: bool) -> tuple[list[float], list[str]]:
    """The causes, lines, sentences and the two flags; and the lines that are left."""
    causes = [0] * 6
    kept: list[str] = []
    lorem = curly = False
    for line in filter(None, text.split("\n")):
        pieces = line.split()
        bare = re.sub(r"\[\d*]|\[edit]|\[citation needed]", "", line)
        low = bare.lower()
        causes[5] += not bare.strip()
        if any(len(piece) > 1000 for piece in pieces):
            causes[0] += 1
        elif punctuation and not re.search(r"""[.?!"'](?<!\.\.\.)\Z""", bare):
            causes[1] += 1
        elif len(pieces) < 3:
            causes[2] += 1
        else:
            lorem |= "lorem ipsum" in low
            if "javascript" in low:
                causes[3] += 1
                continue
            curly |= "{" in bare
            policies = "terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies"
            if re.search(policies, low):
                causes[4] += 1
                continue
            kept.append(bare)
    return [*causes, len(kept), sum(map(sentences, kept)), lorem, curly], kept


def fineweb(text: str) -> list[float]:
    numbers, kept = c4(text, punctuation=False)
    left = "\n".join(kept).strip()
    lines = [line for line in left.split("\n") if line.strip()]
    tokens = words(left)
    ends = sum(bool(kind(line[-1]) & c.TERMINAL) for line in lines)
    return [
        len(lines),
        *numbers[7:],
        len(tokens),
        _share(ends, len(lines)),
        _share(sum(len(line) <= 30 for line in lines), len(lines)),
        _share(_again(lines)[1], len(left.replace("\n", ""))),
        _share(left.count("\n"), len(tokens)),
    ]


def signals(text: str) -> dict[str, float]:
    out = dict(zip(GOPHER, gopher(text), strict=True))
    out |= dict(zip(REPETITION, repetition(text), strict=True))
    out |= dict(zip(C4, c4(text, punctuation=True)[0], strict=True))
    return out | dict(zip(FINEWEB, fineweb(text), strict=True))
