"""What is measured of each segment of a page: whole numbers, so that every machine makes the same text of it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archive.text.content.discussion import is_article, is_marked
from archive.text.content.segments import Segments
from archive.text.content.words import BIT, BITS

Numbers = NDArray[np.float64]

_STOP, _COMMA, _DIGIT, _WIDE, _END, _BARE = (1 << at for at in range(6))


def _classes() -> NDArray[np.uint8]:
    """Return what each character of the first plane is: an end of a sentence in any script, a sign inside of one…"""
    table = np.zeros(0x10000, np.uint8)
    for kind, characters in (
        (_STOP, ".!?…。！？؟۔।॥፡።།။។"),
        (_COMMA, ",;:،、，；：؛"),
        (_DIGIT, "0123456789"),
        (_END, ".!?…。！？؟۔।॥።:\"”’»」』)】"),
    ):
        for character in characters:
            table[ord(character)] |= kind
    for first, last in ((0x2E80, 0xA4CF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF)):
        table[first : last + 1] |= _WIDE
    table[0x0E00 : 0x0EFF + 1] |= _BARE
    return table


_CLASSES = _classes()
#: Letters of a sentence in Thai and Lao, which have no sign for its end.
_SENTENCE = 50
#: Words that short segments of the frame of a page have.
_FRAME = frozenset(
    "© copyright rights reserved cookie cookies newsletter subscribe sign login log register privacy terms share tweet "
    "facebook twitter whatsapp pinterest instagram read more related comments comment reply posted filed tagged "
    "advertisement sponsored follow click download cart previous next photo: image: foto: photo image getty reuters "
    "abonnieren anmelden datenschutz impressum teilen kommentare kommentar weiterlesen mehr lesen auch rechte werbung "
    "anzeige suscríbete compartir leer más comentarios derechos s'abonner partager lire commentaires droits condividi "
    "leggi iscriviti diritti подписаться поделиться комментарии читайте 版权所有 分享 评论 相关 关注 登录".split()
)
_TAGS = "p h1 h2 h3 li td th div pre blockquote dd dt span figcaption section article caption tr".split()
_TAG = {name: at for at, name in enumerate(_TAGS)} | {"h4": 3, "h5": 3, "h6": 3, "summary": 3}
#: Bits that still count for an element that holds most of a page.
_KEPT = sum(BIT[name] for name in ("content", "article", "title", "lead", "embed", "discussion", "form", "noscript"))
_COMMENTS = BIT["comments"]
#: The share of a page's paragraphs that are comments, from which on it is a discussion.
_MOSTLY = 0.7
_SHIFTS = np.arange(len(BITS))


@dataclass(slots=True)
class Measured:
    """What is measured of the segments of a page, a row for each."""

    rows: Numbers
    weight: Numbers  #: length in letters of an alphabet; an ideogram counts as three
    bits: NDArray[np.int64]  #: what the elements around say
    titled: NDArray[np.bool_]  #: it is the page's title, or a part of it
    above: NDArray[np.bool_]  #: no paragraph is in front of it
    loose: Numbers  #: letters that are not in links
    discussion: bool


def measure(found: Segments, title: str, html: str) -> Measured:
    """Measure the segments of a page, of which there is at least one.

    Args:
        title: of the page.
        html: the page.
    """
    texts, parents, near = found.texts, found.parents, found.bits
    count, elements = len(texts), len(parents)
    length = np.array(list(map(len, texts)), np.float64)
    first = (np.cumsum(length) - length).astype(np.int64)
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "replace"), np.uint32)
    classes = _CLASSES[np.minimum(codes, 0xFFFF)]
    stops, commas, digits, wide, bare = (
        np.add.reduceat((classes & kind) != 0, first, dtype=np.float64) for kind in (_STOP, _COMMA, _DIGIT, _WIDE, _BARE)
    )
    stops += np.floor(bare / _SENTENCE)
    weight = length + 2 * wide
    linked = np.minimum(np.array(found.links, np.float64), length)
    loose = np.floor(weight * (length - linked) / length)
    good = np.where((weight > 80) & (stops > 0) & (linked * 3 < length), loose, 0.0)
    # sums over what is inside of each element
    owner, parent = np.array(found.owners), np.array(parents)
    sums = [
        np.bincount(owner, each, elements).tolist() for each in (weight, weight - loose, good, np.ones(count))
    ]  # fmt: skip
    direct = sums[2].copy()
    mass, link_mass, good_mass, pieces = sums
    for at in range(elements - 1, 0, -1):
        up = parents[at]
        mass[up] += mass[at]
        link_mass[up] += link_mass[at]
        good_mass[up] += good_mass[at]
        pieces[up] += pieces[at]
    whole, whole_good = mass[0], good_mass[0]
    discussion = (is_marked(html) or _is_mostly_comments(found, direct, whole_good)) and not is_article(html)
    # what the elements around say; one that holds most of the page says only good of it
    held, half = (good_mass, whole_good / 2) if whole_good > 500 else (mass, whole / 2)
    off = ~_COMMENTS if discussion else -1
    above = [0] * elements
    score = [0.0] * elements
    for at in range(1, elements):
        own, up = near[at], parents[at]
        if own:
            own &= off
            if held[at] > half:
                own &= _KEPT if discussion or held[at] > 1.8 * half else _KEPT | _COMMENTS
        above[at] = above[up] | own
        if value := direct[at]:
            score[at] += value
            score[up] += 2 * value
            score[parents[up]] += value
    # the container of most paragraphs, and all around it that has not much more
    best = score.index(max(score))
    wider = best
    while wider and good_mass[parents[wider]] < good_mass[best] * 1.3:
        wider = parents[wider]
    inside, around = [False] * elements, [False] * elements
    inside[best] = around[wider] = True
    for at in range(1, elements):
        up = parents[at]
        if around[up]:
            around[at] = True
            if inside[up]:
                inside[at] = True
    levels = [owner, parent[owner]]
    levels += [parent[levels[1]]]
    levels += [parent[levels[2]]]
    table = np.array(sums)[:, np.array(levels)]  # 4 sums, 4 levels, segments
    before, good_before, order = np.cumsum(weight) - weight, np.cumsum(good) - good, np.arange(count)
    names = [found.tags[at] for at in found.owners]
    headed = np.array([name == "h1" for name in names])
    short = title.lower()
    longest = min(2 * len(short), 300)
    titled = np.array([3 < len(text) < longest and _is_title(text.lower(), short) for text in texts])
    seen = Counter(texts)
    columns = np.empty((52, count))
    columns[0:4] = _steps(np.array([weight, stops, commas, np.array(found.anchors, np.float64)]))
    columns[4] = np.floor(linked / length * 16)
    columns[5] = np.floor(np.minimum(np.array(found.strong), length) / length * 8)
    columns[6] = np.floor(digits / length * 16)
    columns[7] = (classes[first + length.astype(np.int64) - 1] & _END != 0) | (bare >= _SENTENCE)
    columns[8] = [len(text) < 120 and not _FRAME.isdisjoint(text.lower().split()) for text in texts]
    columns[9] = found.breaks
    columns[10:22] = _steps(table[[0, 2, 3]]).reshape(12, count)
    columns[22:26] = np.floor(table[1] / np.maximum(table[0], 1) * 16)
    columns[26:30] = np.floor(table[2] / max(whole_good, 1) * 16)
    columns[30] = np.floor(before / whole * 16)
    columns[31] = np.floor(good_before / max(whole_good, 1) * 16)
    columns[32] = good_before >= whole_good
    columns[33] = good_before == 0
    columns[34] = np.floor(order / count * 16)
    columns[35:37] = _steps(np.array([order, order[::-1]], np.float64))
    columns[37] = np.array(inside)[owner]
    columns[38] = np.array(around)[owner]
    columns[39] = np.cumsum(headed) > 0
    columns[40] = headed.any()
    columns[41] = titled
    columns[42] = [seen[text] > 1 for text in texts]
    columns[43:46] = _steps(np.array([[whole], [whole_good], [float(count)]]))
    columns[46] = np.floor(whole_good / whole * 16)
    columns[47] = np.floor(link_mass[0] / whole * 16)
    columns[48] = discussion
    columns[49] = np.minimum(np.array([text.count("\n") for text in texts]), 30)
    columns[50] = np.floor(stops / weight * 256)
    columns[51] = np.floor(wide / length * 4)
    tags = np.zeros((count, len(_TAGS) + 1))
    tags[order, [_TAG.get(name, len(_TAGS)) for name in names]] = 1
    bits = np.array(above)[owner]
    own = np.array(near) & off
    closest = own[owner] | own[levels[1]]
    rows = np.hstack([columns.T, tags, (bits[:, None] >> _SHIFTS) & 1, (closest[:, None] >> _SHIFTS) & 1])
    return Measured(rows, weight, bits, titled, good_before == 0, loose, discussion)


def _is_mostly_comments(found: Segments, direct: list[float], whole: float) -> bool:
    """Return whether most paragraphs of a page are in what its class names call comments, or the like.

    Args:
        direct: letters of the paragraphs that each element holds itself.
        whole: of the page.
    """
    in_comments = [False] * len(direct)
    commented = 0.0
    for at in range(1, len(direct)):
        if in_comments[found.parents[at]] or found.bits[at] & _COMMENTS:
            in_comments[at] = True
            commented += direct[at]
    return whole > 500 and commented > _MOSTLY * whole


def _steps(values: Numbers) -> Numbers:
    """Return logarithms of whole numbers as whole numbers, four steps to a doubling."""
    mantissa, exponent = np.frexp(values + 1)
    return exponent * 4.0 + np.floor(mantissa * 8)


def _is_title(text: str, title: str) -> bool:
    return text in title or title in text
