"""Excess vocabulary: how many texts have a word whose use rose beyond what earlier years let expect.

After Kobak et al. 2024 (arXiv:2406.07016). It needs no machine text, and is a lower bound: a machine text without such
a word is not seen. Which words rose is learned from half of the hosts and counted in the other half, so that words that
rose by chance count for nothing. Words that rise without machines, with the news or a fashion, are in the floor: the
same procedure at dates before the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collapse.share.corpus import Corpus
from collapse.share.estimates.bootstrap import deviation, interval, sums_by_cell
from collapse.share.estimates.calibrate import drift
from collapse.share.estimates.lengths import length_classes
from collapse.share.estimates.months import middle, name_of, periods
from collapse.share.estimates.texts import frequent_words, host_ranks, part, presence
from collapse.share.results import Point, Series

SOURCE = "Kobak et al. 2024, arXiv:2406.07016"
#: Fewest texts before the reference, and of a month; fewest hosts of each.
BEFORE, MONTH, HOSTS = 200, 20, 10
#: Refused: a floor above this.
FLOOR = 0.1
_MOST_WORDS = 20_000
#: A word of the group is in at most this share of earlier texts: a common word tells of no machine.
_RARE = 0.05
#: It was there before, in so many texts: a new word is a name.
_KNOWN = 3
#: It rose by so many standard deviations, and so many times.
_ROSE, _TIMES = 3.0, 1.5
#: Words in the group: the number whose rise is the clearest.
_SIZES = (1, 2, 3, 5, 10, 20, 50, 100, 200)
#: Words of the group that are named.
_NAMED = 15

Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Texts:
    """What is counted of the texts of a stratum."""

    words: Any  #: CSR (n, words)
    names: list[str]
    months: NDArray[np.int32]
    hosts: NDArray[np.int64]
    lengths: NDArray[np.int32]
    half: NDArray[np.int64]  #: 0 or 1, by host


@dataclass(frozen=True, slots=True)
class Excess:
    """The excess of some months over what earlier ones let expect."""

    periods: list[list[int]]  #: months, one or more that have enough texts together
    shares: Numbers  #: (periods, 1 + draws)
    words: list[str]  #: the group, those of either half

    def deviation(self, row: int) -> float:
        """The standard deviation of the draws of a period, infinite where hosts are too few to draw."""
        return deviation(self.shares[row, 1:])


def excess(corpus: Corpus, stratum: str, reference: int, seed: int, *, panel: bool = False) -> Series:
    """Return the excess of one stratum.

    Args:
        corpus: the texts of the stratum, in an order that is always the same.
    """
    before = corpus.months < reference
    texts, hosts = int(before.sum()), len(np.unique(corpus.hosts[before]))
    if texts < BEFORE or hosts < HOSTS:
        reason = f"{texts} texts of {hosts} hosts before the reference, and {BEFORE} of {HOSTS} are needed"
        return _series(stratum, panel, None, "It gives no number, since one would mean nothing.", reason, ())
    counted = _counted(corpus, before, seed)
    placebos = [
        found
        for start in _placebo_dates(corpus.months[before])
        if (found := _excess(counted, before, start, reference, seed, merge=True)).periods
    ]
    readings = [(found, row) for found in placebos for row in range(len(found.periods))]
    floor = drift(
        [float(found.shares[row, 0]) for found, row in readings], [found.deviation(row) for found, row in readings]
    )
    if not readings or floor > FLOOR:
        reason = (
            f"the floor is {floor:.2f}: that much is read where no machine can have written, and {FLOOR} is the most"
            if readings
            else "too few texts before the reference to know what is read where no machine can have written"
        )
        return _series(stratum, panel, floor if readings else None, "It gives no number.", reason, ())
    found = _excess(counted, np.ones(len(before), bool), reference, int(corpus.months.max()) + 1, seed, merge=False)
    earlier = corpus.months[before]
    date = _placebo_dates(earlier)[0]
    measured = max(1.0, float(earlier[earlier >= date].mean() - earlier[earlier < date].mean()))
    far = [max(1.0, (period[0] - float(earlier.mean())) / measured) for period in found.periods]
    single = [row for row, period in enumerate(placebos[0].periods) if len(period) == 1]
    points = [
        *(_point(counted, placebos[0], row, floor) for row in single),
        *(_point(counted, found, row, floor * grown) for row, grown in enumerate(far)),
        *_silent(counted, found, reference),
    ]
    points.sort(key=lambda point: point.month)
    return _series(stratum, panel, floor, _says(found, floor), None, tuple(points))


def _series(
    stratum: str, panel: bool, floor: float | None, says: str, refused: str | None, points: tuple[Point, ...]
) -> Series:
    return Series(
        method="excess",
        title="excess vocabulary: a lower bound",
        source=SOURCE,
        unit="share of texts",
        stratum=stratum,
        panel=panel,
        floor=floor,
        ceiling=None,
        slope=None,
        says=says,
        refused=refused,
        points=points,
    )


def _says(found: Excess, floor: float) -> str:
    more = f", and {len(found.words) - _NAMED} more" if len(found.words) > _NAMED else ""
    group = ", ".join(found.words[:_NAMED]) + more
    return (
        "How many more texts than expected have one of the words whose use rose most since the reference "
        f"({group or 'there are none'}). At least so many texts were written or edited in another way than before, by "
        "machines if the words are none of the news: read them. The interval is of this excess, and the share of "
        "machine text may be above it. The floor is the same at dates before the reference: "
        f"{floor:.3f}. It is part of the intervals, and grows with the distance from the reference."
    )


def _counted(corpus: Corpus, before: Mask, seed: int) -> Texts:
    sides = [part(corpus, side) for side in (before, ~before) if side.any()]
    words = frequent_words(sides, _MOST_WORDS)
    names = list(corpus.vocabulary.positions)
    hosts = host_ranks(corpus)
    known, position = np.unique(hosts, return_inverse=True)
    halves = np.random.default_rng(seed).permutation(np.arange(len(known)) % 2)
    return Texts(
        words=presence(corpus, words),
        names=[names[word] for word in words],
        months=corpus.months,
        hosts=hosts,
        lengths=corpus.lengths,
        half=halves[position],
    )


def _placebo_dates(months: NDArray[np.int32]) -> list[int]:
    """Return dates that divide earlier months: at their middle, and at the middle of the newer half."""
    first = middle(months) + 1
    later = months[months >= first]
    second = middle(later) + 1 if len(later) and later.min() < later.max() else first
    return [first, second] if second > first else [first]


def _excess(texts: Texts, used: Mask, start: int, end: int, seed: int, *, merge: bool) -> Excess:
    """Return the excess of the months from `start` to `end`, over what the used months before `start` let expect.

    Args:
        merge: take months together that have too few texts alone.
    """
    before = used & (texts.months < start)
    after = used & (texts.months >= start) & (texts.months < end)
    late = before & (texts.months > middle(texts.months[before])) if before.any() else before
    has_word = np.zeros(len(used))
    group: list[str] = []
    for half in (0, 1):
        chosen = _risen(texts, *(side & (texts.half == half) for side in (before, late, after)))
        mask = np.zeros(len(texts.names), np.float32)
        mask[chosen] = 1
        other = texts.half != half
        has_word[other] = (texts.words @ mask > 0)[other]
        group += [texts.names[word] for word in chosen]
    return _measured(texts, has_word, before, after, list(dict.fromkeys(group)), seed, merge)


def _risen(texts: Texts, before: Mask, late: Mask, after: Mask) -> NDArray[np.int64]:
    """Return the group of words that rose most clearly."""
    sizes = [max(float(side.sum()), 1.0) for side in (before, late, after)]
    counts = [np.asarray(texts.words.T @ side.astype(np.float32)) for side in (before, late, after)]
    expected = np.maximum(counts[0] / sizes[0], counts[1] / sizes[1])
    both = (counts[0] + counts[2] + 1) / (sizes[0] + sizes[2] + 2)
    rise = (counts[2] / sizes[2] - expected) / np.sqrt(both * (1 - both) * (1 / sizes[0] + 1 / sizes[2]))
    risen = (rise > _ROSE) & (counts[2] / sizes[2] > _TIMES * expected) & (expected <= _RARE) & (counts[0] >= _KNOWN)
    ordered = np.flatnonzero(risen)
    ordered = ordered[np.argsort(-rise[ordered], kind="stable")][: _SIZES[-1]]
    if not len(ordered):
        return ordered
    best, group = -np.inf, ordered
    had = np.zeros(len(before), bool)
    done = 0
    for size in _SIZES:
        mask = np.zeros(texts.words.shape[1], np.float32)
        mask[ordered[done:size]] = 1
        had |= texts.words @ mask > 0
        then, now = had[late].mean() if late.any() else had[before].mean(), had[after].mean()
        clear = (now - then) / np.sqrt(max(now * (1 - now) / sizes[2] + then * (1 - then) / sizes[1], 1e-9))
        if clear > best:
            best, group = clear, ordered[:size]
        done = size
        if done >= len(ordered):
            break
    return group


def _measured(
    texts: Texts, has_word: Numbers, before: Mask, after: Mask, group: list[str], seed: int, merge: bool
) -> Excess:
    """Return how many more texts have a word of the group than texts as long had before, with their trend."""
    classes = length_classes(texts.lengths, (before, after))
    used = (before | after) & (classes >= 0)
    months, column = np.unique(texts.months[used], return_inverse=True)
    earlier = months < (texts.months[after].min() if after.any() else np.inf)
    number_of_classes = max(int(classes.max(initial=0)), 0) + 1
    cells = np.full(len(used), -1, np.int64)
    cells[used] = (texts.half[used] * len(months) + column) * number_of_classes + classes[used]
    shape = (2, len(months), number_of_classes)
    sums = sums_by_cell(cells, texts.hosts, (np.ones(len(used)), has_word), int(np.prod(shape)), seed)
    number, had = sums.reshape(2, *shape, sums.shape[-1])
    with np.errstate(invalid="ignore", divide="ignore"):
        # of each half, which has a group of its own
        rate = had[:, earlier].sum(axis=1, keepdims=True) / number[:, earlier].sum(axis=1, keepdims=True)
        above = (had - number * np.nan_to_num(rate)).sum(axis=2)
        texts_of = number.sum(axis=2)
        above -= texts_of * _trend(above, texts_of, months, earlier)
    found = periods(texts.months, texts.hosts, after & used, MONTH, HOSTS, merge=merge)
    rows = [np.isin(months, period) for period in found]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [above[:, row].sum(axis=(0, 1)) / texts_of[:, row].sum(axis=(0, 1)) for row in rows]
    return Excess(found, np.array(shares).reshape(len(rows), above.shape[-1]), group)


def _trend(above: Numbers, number: Numbers, months: NDArray[np.int32], earlier: Mask) -> Numbers:
    """Return how much a trend of the earlier months adds in each month: (halves, months, draws).

    A falling trend is taken for none, as Kobak et al. do: the estimate remains a lower bound.
    """
    weights = np.where(earlier[None, :, None], number, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    centre = (weights * months[None, :, None]).sum(axis=1, keepdims=True) / total
    away = months[None, :, None] - centre
    rising = np.where(earlier[None, :, None], above * away, 0.0).sum(axis=1, keepdims=True)
    spread = (weights * away**2).sum(axis=1, keepdims=True)
    slope = np.where(spread > 0, rising / np.where(spread > 0, spread, 1.0), 0.0)
    trend: Numbers = np.maximum(np.nan_to_num(slope), 0.0) * away
    return trend


def _point(texts: Texts, found: Excess, row: int, spread: float) -> Point:
    rows = np.isin(texts.months, found.periods[row])
    value = float(found.shares[row, 0])
    name, size, hosts = name_of(found.periods[row][0]), int(rows.sum()), len(np.unique(texts.hosts[rows]))
    if spread > FLOOR:
        reason = f"so far from the reference the floor is {spread:.2f}, and {FLOOR} is the most"
        return Point(name, size, hosts, None, None, None, reason)
    low, high = interval(value, found.shares[row, 1:], texts.hosts[rows], spread)
    value, low, high = (min(max(number, 0.0), 1.0) for number in (value, low, high))
    return Point(name, size, hosts, value, low, high)


def _silent(texts: Texts, found: Excess, reference: int) -> list[Point]:
    """Return the months that have too few texts."""
    points = []
    for month in np.unique(texts.months[texts.months >= reference]):
        if [int(month)] not in found.periods:
            rows = texts.months == month
            size, hosts = int(rows.sum()), len(np.unique(texts.hosts[rows]))
            reason = (
                f"{size} texts of {hosts} hosts, and {MONTH} of {HOSTS} that are as long as those before are needed"
            )
            points.append(Point(name_of(int(month)), size, hosts, None, None, None, reason))
    return points
