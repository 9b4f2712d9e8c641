"""What is measured of each segment of a page: integers, so that every machine makes the same text of it."""

from __future__ import annotations

import codecs
from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from archive.text.content.discussion import is_article, is_marked
from archive.text.content.segments import Segments
from archive.text.content.words import BIT, BITS, listed

Numbers = NDArray[np.float64]

_STOP, _COMMA, _DIGIT, _WIDE, _END, _BARE = (1 << at for at in range(6))


def _classes() -> NDArray[np.uint8]:
    """Return what each character of the first plane is: an end of a sentence in any script, a sign inside of one…"""
    table = np.zeros(0x10000, np.uint8)
    for kind, characters in (
        (_STOP, ".!?…。！？؟۔।॥፡።།။។"),
        (_COMMA, ",;:،、，；：؛"),
        (_DIGIT, "0123456789"),
        (_END, '.!?…。！？؟۔।॥።:"”’»」』)】'),
    ):
        for character in characters:
            table[ord(character)] |= kind
    for first, last in ((0x2E80, 0xA4CF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF)):
        table[first : last + 1] |= _WIDE
    table[0x0E00 : 0x0EFF + 1] |= _BARE
    return table


_CLASSES = _classes()
_COUNTED = (_STOP, _COMMA, _DIGIT, _WIDE, _BARE)
#: Bits of a count, several of which share an integer: where all segments are shorter than 2**12, and where not.
_NARROW, _BROAD = 12, 31
#: Letters of a sentence in Thai and Lao, which have no sign for its end.
_SENTENCE = 50
#: Words that short segments of the frame of a page have.
_FRAME = frozenset(
    listed(
        "© copyright rights reserved cookie cookies newsletter subscribe sign login log "
        "register privacy terms share tweet "
        "facebook twitter whatsapp pinterest instagram read more related comments comment reply posted filed tagged "
        "advertisement sponsored follow click download cart previous next photo: image: "
        "foto: photo image getty reuters "
        "abonnieren anmelden datenschutz impressum teilen kommentare kommentar weiterlesen "
        "mehr lesen auch rechte werbung "
        "anzeige suscríbete compartir leer más comentarios derechos s'abonner partager "
        "lire commentaires droits condividi "
        "leggi iscriviti diritti подписаться поделиться комментарии читайте 版权所有 分享 评论 相关 关注 登录"
    )
)
TAGS = tuple(listed("p h1 h2 h3 li td th div pre blockquote dd dt span figcaption section article caption tr"))
_H1 = TAGS.index("h1")
_TAG = {name: at for at, name in enumerate(TAGS)} | {"h4": 3, "h5": 3, "h6": 3, "summary": 3}
#: Bits that still count for an element that holds most of a page.
_KEPT = sum(BIT[name] for name in ("content", "article", "title", "lead", "embed", "discussion", "form", "noscript"))
_COMMENTS = BIT["comments"]
#: The share of a page's paragraphs that are comments, from which on it is a discussion.
_MOSTLY = 0.7
#: Python loads it when it is first asked for, and a process in a sandbox may have no right to read its files then.
_UTF_32 = codecs.getencoder("utf-32-le")
#: Columns of a row in front of those for the tag and for what the elements around say.
_COLUMNS = 52


@dataclass(slots=True)
class Measured:
    """What is measured of the segments of a page, a row for each."""

    rows: NDArray[np.int16]
    weight: Numbers  #: length in letters of an alphabet; an ideogram counts as three
    bits: NDArray[np.int64]  #: what the elements around say
    breaks: NDArray[np.int64]  #: what is in front
    titled: NDArray[np.bool_]  #: it is the page's title, or a part of it
    above: NDArray[np.bool_]  #: no paragraph is in front of it
    loose: Numbers  #: letters that are not in links
    tags: NDArray[np.int64]  #: of the innermost elements, as indexes of `TAGS`; others have its length
    discussion: bool


def measure(found: Segments, title: str, html: str) -> Measured:
    """Measure the segments of a page, of which there is at least one.

    Args:
        title: of the page.
        html: the page.
    """
    texts, parents = found.texts, found.parents
    count, elements = len(texts), len(parents)
    size = np.fromiter(map(len, texts), np.int64, count)
    length = size.astype(np.float64)
    breaks, owner, *others = np.array(found.numbers).reshape(count, 5).T
    linked, anchors, strong = np.array(others, np.float64)
    np.minimum(linked, length, out=linked)
    joined = "".join(texts)
    stops, commas, digits, wide, bare, ended = _counts(joined, size)
    bareness = np.floor(bare / _SENTENCE)
    stops += bareness
    weight = length + 2 * wide
    loose = np.floor(weight * (length - linked) / length)
    good = np.where((weight > 80) & (stops > 0) & (linked * 3 < length), loose, 0.0)
    # sums over what is inside of each element
    parent, near = np.array(parents), np.array(found.bits)
    ends = list(range(1, elements + 1))  # an element and all in it are next to each other
    for at in range(elements - 1, 0, -1):
        if ends[above_it := parents[at]] < (end := ends[at]):
            ends[above_it] = end
    held = np.zeros((4, elements + 1))
    for row, each in enumerate((weight, weight - loose, good, None)):
        held[row, 1:] = np.bincount(owner, each, elements)
    direct = held[2, 1:].copy()
    np.cumsum(held, axis=1, out=held)
    sums = held[:, ends]
    sums -= held[:, :-1]
    everything, links, all_good, _ = sums[:, 0].tolist()
    discussion = (is_marked(html) or _is_mostly_comments(found, direct, all_good)) and not is_article(html)
    # what the elements around say; one that holds most of the page says only good of it
    half = (all_good if all_good > 500 else everything) / 2
    large = sums[2 if all_good > 500 else 0]
    alone = near & ~_COMMENTS if discussion else near
    kept = np.where((large > 1.8 * half) | discussion, _KEPT, _KEPT | _COMMENTS)
    above = [0]
    for at, bits in zip(parents[1:], np.where(large > half, alone & kept, alone)[1:].tolist(), strict=True):
        above.append(above[at] | bits)
    # the container of most paragraphs, and all around it that has not much more
    direct[0] = 0
    score = direct + 2 * np.bincount(parent, direct, elements) + np.bincount(parent[parent], direct, elements)
    best = wider = int(score.argmax())
    while wider and sums[2, parents[wider]] < sums[2, best] * 1.3:
        wider = parents[wider]
    levels = np.empty((4, count), np.int64)
    levels[0] = owner
    for at in range(3):
        levels[at + 1] = parent[levels[at]]
    table = sums[:, levels]  # 4 sums, 4 levels, segments
    before, good_before, order = np.cumsum(weight) - weight, np.cumsum(good) - good, np.arange(count)
    tags = np.array([_TAG.get(name, len(TAGS)) for name in found.tags])[owner]
    headed = tags == _H1
    titled, framed = _words_of(texts, title.lower())
    seen = Counter(texts)
    rows = np.zeros((_COLUMNS + len(TAGS) + 1 + 2 * len(BITS), count), np.int16)  # no number is above a thousand
    columns = rows[:_COLUMNS]  # that leaves out the fractions
    columns[0:4] = _steps(np.array([weight, stops, commas, anchors]))
    columns[4] = linked / length * 16
    columns[5] = np.minimum(strong, length) / length * 8
    columns[6] = digits / length * 16
    columns[7] = ended | (bareness > 0)
    columns[8] = framed
    columns[9] = breaks
    for number, kind in enumerate((0, 2, 3)):
        columns[10 + 4 * number : 14 + 4 * number] = _steps(table[kind])
    columns[22:26] = table[1] / np.maximum(table[0], 1) * 16
    columns[26:30] = table[2] / max(all_good, 1) * 16
    columns[30] = before / everything * 16
    columns[31] = good_before / max(all_good, 1) * 16
    columns[32] = good_before >= all_good
    columns[33] = first = good_before == 0
    columns[34] = order / count * 16
    columns[35:37] = _steps(np.array([order, order[::-1]], np.float64))
    columns[37] = (owner >= best) & (owner < ends[best])
    columns[38] = (owner >= wider) & (owner < ends[wider])
    columns[39] = np.logical_or.accumulate(headed)
    columns[40] = headed.any()
    columns[41] = titled
    if len(seen) < count:
        columns[42] = [seen[text] > 1 for text in texts]
    columns[43:46] = _steps(np.array([[everything], [all_good], [float(count)]]))
    columns[46] = all_good / everything * 16
    columns[47] = links / everything * 16
    columns[48] = discussion
    if "\n" in joined:
        columns[49] = np.minimum([text.count("\n") for text in texts], 30)
    columns[50] = stops / weight * 256
    columns[51] = wide / length * 4
    rows[_COLUMNS + tags, order] = 1
    around = np.array(above)[owner]
    rows[-2 * len(BITS) : -len(BITS)] = _unpacked(around)
    rows[-len(BITS) :] = _unpacked(alone[owner] | alone[levels[1]])
    return Measured(rows.T, weight, around, breaks, np.array(titled), first, loose, tags, discussion)


def _counts(
    joined: str, size: NDArray[np.int64]
) -> tuple[Numbers, Numbers, Numbers, Numbers, Numbers, NDArray[np.bool_]]:
    """Return how many ends of sentences, commas, digits, ideograms and letters of Thai or Lao are in each segment.

    The last of the six is whether it ends as a sentence does.

    Args:
        joined: the texts of all segments.
        size: their lengths.
    """
    behind = np.cumsum(size)
    if joined.isascii():
        codes = np.frombuffer(joined.encode(), np.uint8)
    else:
        codes = np.minimum(np.frombuffer(_UTF_32(joined, "replace")[0], np.uint32), 0xFFFF)
    width = _NARROW if size.max() < 1 << _NARROW else _BROAD
    counted = [np.add.reduceat(table[codes], behind - size) for table in _packed(width)]
    at_once = 63 // width
    stops, commas, digits, wide, bare = (
        (counted[at // at_once] >> at % at_once * width & (1 << width) - 1).astype(np.float64) for at in range(5)
    )
    return stops, commas, digits, wide, bare, _CLASSES[codes[behind - 1]] & _END != 0


@cache
def _packed(width: int) -> list[NDArray[np.int64]]:
    """Return tables of characters whose sums are the counts of several classes, of so many bits each."""
    at_once = 63 // width
    tables = []
    for first in range(0, len(_COUNTED), at_once):
        table = np.zeros(len(_CLASSES), np.int64)
        for at, kind in enumerate(_COUNTED[first : first + at_once]):
            table |= ((_CLASSES & kind) != 0).astype(np.int64) << at * width
        tables.append(table)
    return tables


def _words_of(texts: list[str], title: str) -> tuple[list[bool], list[bool]]:
    """Return which texts are in the title or have it, and which short ones have words of the frame of a page."""
    longest = min(2 * len(title), 300)
    titled, framed = [False] * len(texts), [False] * len(texts)
    for at, text in enumerate(texts):
        size = len(text)
        if size < 120 or size < longest:
            lower = text.lower()
            titled[at] = 3 < size < longest and (lower in title or title in lower)
            framed[at] = size < 120 and not _FRAME.isdisjoint(lower.split())
    return titled, framed


def _unpacked(bits: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return a row for each bit, and in it a column for each number."""
    octets = bits.astype("<u4").view(np.uint8).reshape(-1, 4)
    return np.unpackbits(octets, axis=1, bitorder="little")[:, : len(BITS)].T


def _is_mostly_comments(found: Segments, direct: Numbers, everything: float) -> bool:
    """Return whether most paragraphs of a page are in what its class names call comments, or the like.

    Args:
        direct: letters of the paragraphs that each element holds itself.
        everything: of the page.
    """
    if everything <= 500 or not any(map(_COMMENTS.__and__, found.bits)):
        return False
    inside, parents = [False] * len(direct), found.parents
    for at, bits in enumerate(found.bits):
        inside[at] = inside[parents[at]] or bool(bits & _COMMENTS)
    return float(direct[inside].sum()) > _MOSTLY * everything


def _steps(values: Numbers) -> Numbers:
    """Return logarithms of integers as integers, four steps to a doubling."""
    mantissa, exponent = np.frexp(values + 1)
    steps: Numbers = exponent * 4.0 + np.floor(mantissa * 8)
    return steps
