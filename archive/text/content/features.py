"""What is measured of each segment of a page: integers, so that every machine makes the same text of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

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
_TAGS = listed("p h1 h2 h3 li td th div pre blockquote dd dt span figcaption section article caption tr")
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
    names: list[str]  #: of the innermost elements
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
        np.add.reduceat((classes & kind) != 0, first, dtype=np.float64)
        for kind in (_STOP, _COMMA, _DIGIT, _WIDE, _BARE)
    )
    stops += np.floor(bare / _SENTENCE)
    weight = length + 2 * wide
    linked = np.minimum(np.array(found.links, np.float64), length)
    loose = np.floor(weight * (length - linked) / length)
    good = np.where((weight > 80) & (stops > 0) & (linked * 3 < length), loose, 0.0)
    # sums over what is inside of each element
    owner, parent = np.array(found.owners), np.array(parents)
    ends = list(range(1, elements + 1))  # an element and all in it are next to each other
    for at in range(elements - 1, 0, -1):
        if ends[parents[at]] < ends[at]:
            ends[parents[at]] = ends[at]
    held = np.zeros((4, elements + 1))
    for row, each in enumerate((weight, weight - loose, good, np.ones(count))):
        np.cumsum(np.bincount(owner, each, elements), out=held[row, 1:])
    direct = np.diff(held[2])
    sums = held[:, ends] - held[:, :-1]
    everything, links, all_good, _ = sums[:, 0].tolist()
    discussion = (is_marked(html) or _is_mostly_comments(found, direct, all_good)) and not is_article(html)
    # what the elements around say; one that holds most of the page says only good of it
    half = (all_good if all_good > 500 else everything) / 2
    large = sums[2 if all_good > 500 else 0].tolist()
    off = ~_COMMENTS if discussion else -1
    above = [0] * elements
    for at in range(1, elements):
        if own := near[at] & off:
            if large[at] > half:
                own &= _KEPT if discussion or large[at] > 1.8 * half else _KEPT | _COMMENTS
            above[at] = above[parents[at]] | own
        else:
            above[at] = above[parents[at]]
    # the container of most paragraphs, and all around it that has not much more
    direct[0] = 0
    score = direct + 2 * np.bincount(parent, direct, elements) + np.bincount(parent[parent], direct, elements)
    best = wider = int(score.argmax())
    while wider and sums[2, parents[wider]] < sums[2, best] * 1.3:
        wider = parents[wider]
    levels = [owner, parent[owner]]
    levels += [parent[levels[1]]]
    levels += [parent[levels[2]]]
    table = sums[:, np.array(levels)]  # 4 sums, 4 levels, segments
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
    columns[26:30] = np.floor(table[2] / max(all_good, 1) * 16)
    columns[30] = np.floor(before / everything * 16)
    columns[31] = np.floor(good_before / max(all_good, 1) * 16)
    columns[32] = good_before >= all_good
    columns[33] = good_before == 0
    columns[34] = np.floor(order / count * 16)
    columns[35:37] = _steps(np.array([order, order[::-1]], np.float64))
    columns[37] = (owner >= best) & (owner < ends[best])
    columns[38] = (owner >= wider) & (owner < ends[wider])
    columns[39] = np.cumsum(headed) > 0
    columns[40] = headed.any()
    columns[41] = titled
    columns[42] = [seen[text] > 1 for text in texts]
    columns[43:46] = _steps(np.array([[everything], [all_good], [float(count)]]))
    columns[46] = np.floor(all_good / everything * 16)
    columns[47] = np.floor(links / everything * 16)
    columns[48] = discussion
    columns[49] = np.minimum(np.array([text.count("\n") for text in texts]), 30)
    columns[50] = np.floor(stops / weight * 256)
    columns[51] = np.floor(wide / length * 4)
    tags = np.zeros((count, len(_TAGS) + 1))
    tags[order, [_TAG.get(name, len(_TAGS)) for name in names]] = 1
    bits = np.array(above)[owner]
    alone = np.array(near) & off
    closest = alone[owner] | alone[levels[1]]
    rows = np.hstack([columns.T, tags, (bits[:, None] >> _SHIFTS) & 1, (closest[:, None] >> _SHIFTS) & 1])
    return Measured(rows, weight, bits, titled, good_before == 0, loose, names, discussion)


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


def _is_title(text: str, title: str) -> bool:
    return text in title or title in text
