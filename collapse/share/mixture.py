"""The share of machine text by month, from samples of human and machine text.

Liang et al. 2024 (arXiv:2403.07183) fit the share to the words of sentences. Here whole texts have scores, by models
that saw no text of the same host, and the share is read from their mean between two ends: the stratum's own texts
before the reference, and the sample. Months before the reference, read by an instrument of older months, show how far
the estimate drifts by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collapse.share.bootstrap import interval
from collapse.share.calibrate import drift, widened
from collapse.share.corpus import Corpus
from collapse.share.likeness import WordUse, likeness, word_use
from collapse.share.months import middle, name_of, periods
from collapse.share.reading import Instrument, Reading, instrument, read
from collapse.share.results import Point, Series
from collapse.share.texts import Table, frequent_words, part, table

SOURCE = "Liang et al. 2024, arXiv:2403.07183, with scores of whole texts"
#: Fewest texts of the human side, of a machine sample, and of a month; fewest hosts of any of them.
HUMAN, MACHINE, MONTH, HOSTS = 60, 40, 20, 10
#: Fewest texts of a side that are about as long as some of the other.
_AS_LONG = 30
#: Refused: a floor above this.
FLOOR = 0.1
#: Refused: scores of human and machine text closer than this.
SLOPE = 0.6
#: Refused: human texts on the prompts of the sample that read above this.
_COMPANION = 0.1
#: Refused: words for topics, and common words, that are less like those of both ends than this.
_ALIKE, _ALIKE_COMMON = 0.8, 0.97
#: Refused: a sample without human texts on the same prompts, whose words for topics are less like the stratum's.
_ALIKE_SAMPLE = 0.65
#: Refused: scores that fit a mixture as badly as these with this probability.
_MISFIT = 0.001

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sample:
    """Texts that a machine wrote, with the human texts on the same prompts where there are such.

    Texts on one prompt have one host, in both: nobody is scored by a model that saw the prompt.
    """

    name: str
    machine: Corpus
    human: Corpus | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table and their parts in the estimate of a stratum."""

    table: Table
    human: Mask  #: before the reference
    old: Mask  #: the older half of them
    periods: tuple[Mask, ...]  #: the newer half of them: one month each, or some months that have enough texts together
    months: dict[int, Mask]  #: from the reference on
    machine: tuple[Mask, ...]  #: of each sample
    companion: tuple[Mask, ...]  #: human texts on the prompts of each sample, maybe none
    names: tuple[str, ...]  #: of the samples

    def distance(self, rows: Mask, end: Mask) -> float:
        """Return how many months lie between some rows and a human end."""
        return float(self.table.months[rows].mean() - self.table.months[end].mean())


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one or more samples tell of a stratum."""

    tool: Instrument
    months: dict[int, Reading]
    placebo: tuple[Reading, ...]
    floor: float  #: drift of periods without machine text
    topic: float  #: what the human texts on the prompts of the samples read, beyond chance
    measured: float  #: months between the human end of the placebo and its periods
    checked: bool  #: there are human texts on the prompts of all samples


@dataclass(frozen=True, slots=True)
class Uses:
    """The use of words at both ends, and how unlike the ends periods without machine text are."""

    human: WordUse
    machine: WordUse
    topics: float
    common: float


def mixture(
    corpus: Corpus, stratum: str, reference: int, samples: Sequence[Sample], seed: int, *, panel: bool = False
) -> list[Series]:
    """Return the estimates of one stratum: whoever wrote, then one for each sample.

    Args:
        corpus: the texts of the stratum, in an order that is always the same.
    """
    usable = [sample for sample in samples if len(sample.machine) >= MACHINE]
    problem = _too_few(corpus, reference) or (None if usable else f"no machine sample has {MACHINE} texts")
    rows = None if problem else arrange(corpus, reference, usable)
    if rows is None or not rows.periods:
        problem = problem or "too few texts before the reference to measure how the estimate drifts"
        return [_refused("any machine text", stratum, panel, problem)]
    single = [_estimate(rows, (number,), seed) for number in range(len(usable))]
    given = [_series(rows, estimate, stratum, panel, seed, (number,), None) for number, estimate in enumerate(single)]
    return [_anyone(rows, single, stratum, panel, seed), *given]


def _too_few(corpus: Corpus, reference: int) -> str | None:
    before = corpus.months < reference
    texts, hosts = int(before.sum()), len(np.unique(corpus.hosts[before]))
    if texts >= HUMAN and hosts >= HOSTS:
        return None
    return f"{texts} texts of {hosts} hosts before the reference, and {HUMAN} of {HOSTS} are needed"


def arrange(corpus: Corpus, reference: int, samples: Sequence[Sample]) -> Rows:
    """Return the texts of a stratum and of samples as rows of one table."""
    human = corpus.months < reference
    machine = [sample.machine for sample in samples]
    companions = [sample.human for sample in samples]
    corpora = [corpus, *machine, *(texts for texts in companions if texts is not None)]
    everything = table(corpora, frequent_words([part(corpus, human), *machine]))
    owner = np.repeat(np.arange(len(corpora)), [len(texts) for texts in corpora])
    own = owner == 0
    numbers = iter(range(1 + len(machine), len(corpora)))
    before = own & (everything.months < reference)
    old = before & (everything.months <= middle(corpus.months[human]))
    return Rows(
        table=everything,
        human=before,
        old=old,
        periods=_periods(everything, before & ~old) if old.sum() >= HUMAN // 2 else (),
        months={int(month): own & (everything.months == month) for month in np.unique(corpus.months[~human])},
        machine=tuple(owner == 1 + number for number in range(len(machine))),
        companion=tuple(owner == (-1 if texts is None else next(numbers)) for texts in companions),
        names=tuple(sample.name for sample in samples),
    )


def _periods(texts: Table, rows: Mask) -> tuple[Mask, ...]:
    """Return rows by month, or by some months in a row that have enough texts together."""
    found = periods(texts.months, texts.hosts, rows, MONTH, HOSTS, merge=True)
    return tuple(rows & np.isin(texts.months, period) for period in found)


def _estimate(rows: Rows, numbers: tuple[int, ...], seed: int) -> Estimate | str:
    """Return what some of the samples tell, or why they tell nothing."""
    hosts = rows.table.hosts
    machine = [rows.machine[number] for number in numbers]
    companions = [rows.companion[number] for number in numbers if rows.companion[number].sum() >= MONTH]
    older = instrument(rows.table, rows.old, machine, MONTH, seed)
    tool = instrument(rows.table, rows.human, machine, _AS_LONG, seed)
    if older is None or tool is None:
        return "too few texts before the reference and of the sample are about as long as one another"
    placebo = read(older, hosts, rows.periods, seed)
    readings = read(tool, hosts, [*rows.months.values(), *companions], seed)
    of_companions = readings[len(rows.months) :]
    floor = drift([reading.value for reading in placebo], [reading.deviation for reading in placebo])
    problem = _not_comparable(rows, numbers, of_companions, seed) or _weak(tool, floor)
    return problem or Estimate(
        tool=tool,
        months=dict(zip(rows.months, readings, strict=False)),
        placebo=tuple(placebo),
        floor=floor,
        topic=max((max(r.value**2 - r.deviation**2, 0.0) ** 0.5 for r in of_companions), default=0.0),
        measured=max(rows.distance(np.logical_or.reduce(rows.periods), rows.old), 1.0),
        checked=len(companions) == len(numbers),
    )


def _weak(tool: Instrument, floor: float) -> str | None:
    if tool.slope < SLOPE:
        return (
            f"human and machine text are too much alike: the plain score rises by {tool.slope:.2f} from one to the "
            f"other, and {SLOPE} is needed"
        )
    if floor > FLOOR:
        return f"the floor is {floor:.2f}: that much is read where no machine can have written, and {FLOOR} is the most"
    return None


def _not_comparable(rows: Rows, numbers: tuple[int, ...], companions: list[Reading], seed: int) -> str | None:
    """Return why a sample is about other things than the stratum."""
    for reading in companions:
        if not reading.value <= _COMPANION:
            return (
                f"the sample is about other things than the texts: {reading.value:.2f} is read on what humans wrote "
                f"on its prompts, and {_COMPANION} is the most"
            )
    for number in numbers:
        if rows.companion[number].sum() < MONTH:
            human, machine = (word_use(rows.table, side, seed) for side in (rows.human, rows.machine[number]))
            topics, _ = likeness(machine, human, human, 0.0)
            if not topics >= _ALIKE_SAMPLE:
                return (
                    f"the sample may be about other things than the texts: their words for topics are {topics:.2f} "
                    f"alike, and {_ALIKE_SAMPLE} is needed without human texts on the same prompts"
                )
    return None


def _anyone(rows: Rows, single: list[Estimate | str], stratum: str, panel: bool, seed: int) -> Series:
    """Return the estimate for machine text of any source, by the samples that can be used and how they read others."""
    good = tuple(number for number, estimate in enumerate(single) if isinstance(estimate, Estimate))
    if not good:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in zip(rows.names, single, strict=True))
        return _refused("any machine text", stratum, panel, reasons)
    estimate = single[good[0]] if len(good) == 1 else _estimate(rows, good, seed)
    return _series(rows, estimate, stratum, panel, seed, good, list(_slopes_of_others(rows, good, seed)))


def _slopes_of_others(rows: Rows, good: tuple[int, ...], seed: int) -> Iterator[float]:
    """Yield how much is read on the text of each source by the other ones that can be used."""
    for number, source in enumerate(rows.machine):
        others = [rows.machine[other] for other in good if other != number]
        tool = instrument(rows.table, rows.human, others, MONTH, seed) if others else None
        if tool is not None:
            yield read(tool, rows.table.hosts, [source], seed, draws=0)[0].value


def _series(
    rows: Rows,
    estimate: Estimate | str,
    stratum: str,
    panel: bool,
    seed: int,
    numbers: tuple[int, ...],
    slopes: list[float] | None,
) -> Series:
    """Return a series.

    Args:
        slopes: how much the estimate rises with text of sources that it was not given; None: all machine text is taken
            for text like that of the sample.
    """
    names = ", ".join(rows.names[number] for number in numbers)
    title = f"text like that of {names}" if slopes is None else "any machine text"
    if isinstance(estimate, str):
        return _refused(title, stratum, panel, estimate)
    uses = _uses(rows, numbers, seed)
    points = [*_placebo_points(rows, estimate, slopes), *_points(rows, estimate, uses, slopes, seed)]
    return Series(
        method="mixture",
        title=title,
        source=SOURCE,
        unit="share of texts",
        stratum=stratum,
        panel=panel,
        floor=estimate.floor,
        ceiling=estimate.tool.high,
        slope=estimate.tool.slope,
        says=_says(estimate, names, slopes),
        refused=None,
        points=tuple(points),
        condition=f"all machine text of these months is like that of {names}" if slopes is None else None,
    )


def _says(estimate: Estimate, names: str, slopes: list[float] | None) -> str:
    lines = [
        f"The share of texts that read like those of {names}, not like those of the same kind before the reference.",
        f"The plain score says {estimate.tool.low:.2f} of human text and {estimate.tool.high:.2f} of the sample; "
        "the share is read between these two.",
        f"The floor is how far months without machine text are read from zero, beyond chance: {estimate.floor:.3f}. "
        "It is part of the intervals, and grows with the distance from the reference.",
    ]
    if not estimate.checked:
        lines.append(
            "Without human texts on the same prompts, how much of machine text on the topics of these texts is seen is "
            "not known: the interval is open above."
        )
    elif slopes is not None and len(slopes) < 3:
        lines.append(
            "Fewer than three sources do not show how much is seen of another model's text: the interval is open above."
        )
    elif slopes is not None:
        lines.append(
            "Of the text of a source that was left out it sees "
            + ", ".join(f"{slope:.2f}" for slope in slopes)
            + ". The interval is widened for sources that differ as much."
        )
    return " ".join(lines)


def _refused(title: str, stratum: str, panel: bool, reason: str) -> Series:
    says = "It gives no number, since one would mean nothing."
    return Series("mixture", title, SOURCE, "share of texts", stratum, panel, None, None, None, says, reason, points=())


def _uses(rows: Rows, numbers: tuple[int, ...], seed: int) -> Uses:
    human, old = (word_use(rows.table, side, seed) for side in (rows.human, rows.old))
    machine = word_use(rows.table, np.logical_or.reduce([rows.machine[number] for number in numbers]), seed)
    placebo = [likeness(word_use(rows.table, period, seed), old, machine, 0.0) for period in rows.periods]
    topics, common = np.nanmin(np.array(placebo), axis=0)
    return Uses(human, machine, 1 - float(topics), 1 - float(common))


def _placebo_points(rows: Rows, estimate: Estimate, slopes: list[float] | None) -> Iterator[Point]:
    for period, reading in zip(rows.periods, estimate.placebo, strict=True):
        months = np.unique(rows.table.months[period])
        if len(months) == 1:
            yield _point(int(months[0]), rows, period, reading, estimate, estimate.floor, slopes)


def _points(rows: Rows, estimate: Estimate, uses: Uses, slopes: list[float] | None, seed: int) -> Iterator[Point]:
    for month, texts in rows.months.items():
        reading = estimate.months[month]
        far = max(1.0, rows.distance(texts, rows.human) / estimate.measured)
        grown = estimate.floor * far
        reason = _no_number(rows, texts, reading) or _shifted(rows, texts, reading, uses, far, seed)
        if reason is None and grown > FLOOR:
            reason = f"so far from the reference the floor is {grown:.2f}, and {FLOOR} is the most"
        if reason is None:
            spread = float(np.hypot(grown, estimate.topic))
            yield _point(month, rows, texts, reading, estimate, spread, slopes)
        else:
            hosts = len(np.unique(rows.table.hosts[texts]))
            yield Point(name_of(month), int(texts.sum()), hosts, None, None, None, reason)


def _no_number(rows: Rows, texts: Mask, reading: Reading) -> str | None:
    hosts = len(np.unique(rows.table.hosts[texts]))
    if reading.texts < MONTH or hosts < HOSTS:
        return f"{reading.texts} texts of {hosts} hosts can be judged, and {MONTH} of {HOSTS} are needed"
    if reading.left_out > reading.texts:
        return (
            f"{reading.left_out} of {texts.sum()} texts are shorter or longer than all that they can be compared with"
        )
    return None


def _shifted(rows: Rows, texts: Mask, reading: Reading, uses: Uses, far: float, seed: int) -> str | None:
    """Return why the texts of a month are no mixture of texts like those of the two ends."""
    topics, common = likeness(word_use(rows.table, texts, seed), uses.human, uses.machine, reading.value)
    if not 1 - topics <= max(1 - _ALIKE, 2 * far * uses.topics):
        return f"the texts are about other things than those before: their words for topics are {topics:.2f} alike"
    if not 1 - common <= max(1 - _ALIKE_COMMON, 2 * far * uses.common):
        return f"the texts are of another kind than those before: their common words are {common:.3f} alike"
    if reading.misfit < _MISFIT:
        return "the scores of the texts are those of no mixture of human text and the sample"
    return None


def _point(
    month: int,
    rows: Rows,
    texts: Mask,
    reading: Reading,
    estimate: Estimate,
    spread: float,
    slopes: list[float] | None,
) -> Point:
    low, high = interval(reading.value, reading.draws, reading.hosts, spread)
    if not estimate.checked:
        low, high = widened(low, high, [], estimate.tool.most)
    elif slopes is not None:
        low, high = widened(low, high, slopes, estimate.tool.most)
    return Point(
        month=name_of(month),
        texts=int(texts.sum()),
        hosts=len(np.unique(rows.table.hosts[texts])),
        value=min(max(reading.value, 0.0), 1.0),
        low=min(max(low, 0.0), 1.0),
        high=min(max(high, 0.0), 1.0),
    )
