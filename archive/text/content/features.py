"""What is measured of each segment of a page: integers, so that every machine makes the same text of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from archive.text.content.characters import Numbers, counts
from archive.text.content.discussion import is_article, is_marked
from archive.text.content.segments import Segments
from archive.text.content.words import BIT, BITS, listed

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
#: The columns of a row, in the order of the weights of the model, and how many there are of each.
_WIDTHS = {
    "amounts": 4,  # logarithms of its weight, ends of sentences, commas and links
    "linked": 1,  # shares of its letters
    "strong": 1,
    "digits": 1,
    "ends as a sentence": 1,
    "has words of the frame": 1,
    "break in front": 1,
    "held weight": 4,  # logarithms of what the innermost elements around hold, from the inside out
    "held paragraphs": 4,
    "held segments": 4,
    "held links": 4,  # share of what each of them holds
    "held share of paragraphs": 4,  # of the page's
    "weight in front": 1,  # shares of the page
    "paragraphs in front": 1,
    "behind all paragraphs": 1,
    "above all paragraphs": 1,
    "position": 1,
    "distances": 2,  # logarithms, to the first segment and to the last one
    "in the container": 1,
    "in the wider container": 1,
    "behind a heading": 1,
    "page has a heading": 1,
    "title": 1,
    "repeated": 1,
    "page": 3,  # logarithms of its weight, its paragraphs and its segments
    "page paragraphs": 1,  # shares of its weight
    "page links": 1,
    "discussion": 1,
    "lines": 1,
    "density of sentences": 1,
    "wide": 1,
    "tag": len(TAGS) + 1,
    "around": len(BITS),  # what all elements around say
    "near": len(BITS),  # what the two innermost ones say
}
_ENDS = list(accumulate(_WIDTHS.values()))
_COLUMN = {
    name: slice(end - width, end) if width > 1 else end - 1
    for (name, width), end in zip(_WIDTHS.items(), _ENDS, strict=True)
}
#: Elements around a segment of which the sums count, from the innermost one on.
_LEVELS = 4


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


@dataclass(slots=True)
class _Letters:
    """What is counted in each segment."""

    length: Numbers
    weight: Numbers
    loose: Numbers
    linked: Numbers  #: letters in links
    anchors: Numbers  #: links
    strong: Numbers  #: letters that are set off
    stops: Numbers
    commas: Numbers
    digits: Numbers
    wide: Numbers  #: ideograms
    ended: NDArray[np.bool_]  #: it ends as a sentence does
    good: Numbers  #: loose letters, where it is a paragraph of sentences


@dataclass(slots=True)
class _Elements:
    """What is inside of each element of a page: the element and all in it are next to each other, up to its `ends`."""

    parents: list[int]
    parent: NDArray[np.int64]
    ends: list[int]
    sums: Numbers  #: weight, letters of it in links, letters of paragraphs, and segments; an element a column
    direct: Numbers  #: letters of the paragraphs that each element holds itself


def measure(found: Segments, title: str, html: str) -> Measured:
    """Measure the segments of a page, of which there is at least one.

    Args:
        title: of the page.
        html: the page.
    """
    breaks, owner, *others = np.array(found.numbers).reshape(len(found.texts), 5).T
    joined = "".join(found.texts)
    letters = _letters(found.texts, joined, *np.array(others, np.float64))
    elements = _elements(found, owner, letters)
    all_good = float(elements.sums[2, 0])
    discussion = (is_marked(html) or _is_mostly_comments(found, elements.direct, all_good)) and not is_article(html)
    near, around = _bits_of(found.bits, elements, discussion)
    around = around[owner]
    tags = np.array([_TAG.get(name, len(TAGS)) for name in found.tags])[owner]
    titled, framed = _words_of(found.texts, title.lower())
    rows = np.zeros((_ENDS[-1], len(owner)), np.int16)  # no number is above a thousand, and fractions are left out
    _put_segments(rows, found.texts, joined, letters)
    _put_elements(rows, elements, owner)
    _put_positions(rows, elements, owner, letters)
    rows[_COLUMN["has words of the frame"]] = framed
    rows[_COLUMN["break in front"]] = breaks
    rows[_COLUMN["title"]] = titled
    rows[_COLUMN["discussion"]] = discussion
    headed = tags == _H1
    rows[_COLUMN["behind a heading"]] = np.logical_or.accumulate(headed)
    rows[_COLUMN["page has a heading"]] = headed.any()
    rows[_COLUMN["tag"]][tags, np.arange(len(owner))] = 1
    rows[_COLUMN["around"]] = _unpacked(around)
    rows[_COLUMN["near"]] = _unpacked(near[owner] | near[elements.parent[owner]])
    above = rows[_COLUMN["above all paragraphs"]] != 0
    return Measured(rows.T, letters.weight, around, breaks, np.array(titled), above, letters.loose, tags, discussion)


def _letters(texts: list[str], joined: str, linked: Numbers, anchors: Numbers, strong: Numbers) -> _Letters:
    size = np.fromiter(map(len, texts), np.int64, len(texts))
    length = size.astype(np.float64)
    np.minimum(linked, length, out=linked)
    stops, commas, digits, wide, bare, ended = counts(joined, size)
    sentences = np.floor(bare / _SENTENCE)
    stops += sentences
    weight = length + 2 * wide
    loose = np.floor(weight * (length - linked) / length)
    good = np.where((weight > 80) & (stops > 0) & (linked * 3 < length), loose, 0.0)
    return _Letters(
        length, weight, loose, linked, anchors, strong, stops, commas, digits, wide, ended | (sentences > 0), good
    )


def _elements(found: Segments, owner: NDArray[np.int64], letters: _Letters) -> _Elements:
    parents, size = found.parents, len(found.parents)
    ends = list(range(1, size + 1))
    for at in range(size - 1, 0, -1):
        if ends[outer := parents[at]] < (end := ends[at]):
            ends[outer] = end
    held = np.zeros((4, size + 1))
    for row, each in enumerate((letters.weight, letters.weight - letters.loose, letters.good, None)):
        held[row, 1:] = np.bincount(owner, each, size)
    direct = held[2, 1:].copy()
    np.cumsum(held, axis=1, out=held)
    sums = held[:, ends]
    sums -= held[:, :-1]
    return _Elements(parents, np.array(parents), ends, sums, direct)


def _bits_of(bits: list[int], elements: _Elements, discussion: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what each element says of its content, alone and with all elements around it.

    An element that holds most of the page says only good of it.
    """
    parents, sums = elements.parents, elements.sums
    everything, _, all_good, _ = sums[:, 0].tolist()
    half = (all_good if all_good > 500 else everything) / 2
    large = sums[2 if all_good > 500 else 0]
    near = np.array(bits)
    alone = near & ~_COMMENTS if discussion else near
    kept = np.where((large > 1.8 * half) | discussion, _KEPT, _KEPT | _COMMENTS)
    around = [0]
    for at, own in zip(parents[1:], np.where(large > half, alone & kept, alone)[1:].tolist(), strict=True):
        around.append(around[at] | own)
    return alone, np.array(around)


def _containers(elements: _Elements) -> tuple[int, int]:
    """Return the container of most paragraphs, and the widest around it that has not much more."""
    parents, parent, sums = elements.parents, elements.parent, elements.sums
    direct, size = elements.direct.copy(), len(parents)
    direct[0] = 0
    score = direct + 2 * np.bincount(parent, direct, size) + np.bincount(parent[parent], direct, size)
    best = wider = int(score.argmax())
    while wider and sums[2, parents[wider]] < sums[2, best] * 1.3:
        wider = parents[wider]
    return best, wider


def _put_segments(rows: NDArray[np.int16], texts: list[str], joined: str, letters: _Letters) -> None:
    """Put what is counted in each segment into its columns."""
    length = letters.length
    amounts = np.array([letters.weight, letters.stops, letters.commas, letters.anchors])
    rows[_COLUMN["amounts"]] = _steps(amounts)
    rows[_COLUMN["linked"]] = letters.linked / length * 16
    rows[_COLUMN["strong"]] = np.minimum(letters.strong, length) / length * 8
    rows[_COLUMN["digits"]] = letters.digits / length * 16
    rows[_COLUMN["ends as a sentence"]] = letters.ended
    rows[_COLUMN["density of sentences"]] = letters.stops / letters.weight * 256
    rows[_COLUMN["wide"]] = letters.wide / length * 4
    seen = Counter(texts)
    if len(seen) < len(texts):
        rows[_COLUMN["repeated"]] = [seen[text] > 1 for text in texts]
    if "\n" in joined:
        rows[_COLUMN["lines"]] = np.minimum([text.count("\n") for text in texts], 30)


def _put_elements(rows: NDArray[np.int16], elements: _Elements, owner: NDArray[np.int64]) -> None:
    """Put what the elements around each segment hold, and what the page holds, into the columns."""
    levels = np.empty((_LEVELS, len(owner)), np.int64)
    levels[0] = owner
    for at in range(1, _LEVELS):
        levels[at] = elements.parent[levels[at - 1]]
    weight, links, good, segments = elements.sums[:, levels]
    everything, all_links, all_good, _ = elements.sums[:, 0].tolist()
    rows[_COLUMN["held weight"]] = _steps(weight)
    rows[_COLUMN["held paragraphs"]] = _steps(good)
    rows[_COLUMN["held segments"]] = _steps(segments)
    rows[_COLUMN["held links"]] = links / np.maximum(weight, 1) * 16
    rows[_COLUMN["held share of paragraphs"]] = good / max(all_good, 1) * 16
    rows[_COLUMN["page"]] = _steps(np.array([[everything], [all_good], [float(len(owner))]]))
    rows[_COLUMN["page paragraphs"]] = all_good / everything * 16
    rows[_COLUMN["page links"]] = all_links / everything * 16


def _put_positions(rows: NDArray[np.int16], elements: _Elements, owner: NDArray[np.int64], letters: _Letters) -> None:
    """Put where each segment is on the page into its columns."""
    everything, _, all_good, _ = elements.sums[:, 0].tolist()
    before, good_before = np.cumsum(letters.weight) - letters.weight, np.cumsum(letters.good) - letters.good
    order = np.arange(len(owner))
    rows[_COLUMN["weight in front"]] = before / everything * 16
    rows[_COLUMN["paragraphs in front"]] = good_before / max(all_good, 1) * 16
    rows[_COLUMN["behind all paragraphs"]] = good_before >= all_good
    rows[_COLUMN["above all paragraphs"]] = good_before == 0
    rows[_COLUMN["position"]] = order / len(owner) * 16
    rows[_COLUMN["distances"]] = _steps(np.array([order, order[::-1]], np.float64))
    for name, container in zip(("in the container", "in the wider container"), _containers(elements), strict=True):
        rows[_COLUMN[name]] = (owner >= container) & (owner < elements.ends[container])


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
