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

from collapse.share.corpus import Corpus
from collapse.share.estimates.bootstrap import interval
from collapse.share.estimates.calibrate import drift, widened
from collapse.share.estimates.months import name_of
from collapse.share.estimates.reading import Instrument, Reading, instrument, read
from collapse.share.estimates.rows import HOSTS, HUMAN, MACHINE, MONTH, Mask, Rows, Sample, arrange
from collapse.share.estimates.shift import month_problem, sample_problem, strangers, unlikeness, usual_unlikeness
from collapse.share.results import Point, Series

SOURCE = "Liang et al. 2024, arXiv:2403.07183, with scores of whole texts"
#: Refused: a floor above this.
FLOOR = 0.1
#: Refused: scores of human and machine text closer than this.
SLOPE = 0.6


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


def mixture(
    corpus: Corpus, stratum: str, reference: int, samples: Sequence[Sample], seed: int, *, panel: bool = False
) -> list[Series]:
    """Return the estimates of one stratum: whoever wrote, then one for each sample.

    Args:
        corpus: the texts of the stratum, in an order that is always the same.
    """
    usable = [sample for sample in samples if len(sample.machine) >= MACHINE]
    problem = _too_few(corpus, reference) or (None if usable else f"no machine sample has {MACHINE} texts")
    rows = None if problem else arrange(corpus, reference, usable, seed)
    if rows is None or not rows.periods:
        problem = problem or "too few texts before the reference to measure how the estimate drifts"
        return [_refused("any machine text", stratum, panel, problem)]
    single = [_estimate(rows, (number,), seed) for number in range(len(usable))]
    given = [_series(rows, estimate, stratum, panel, seed, (number,), None) for number, estimate in enumerate(single)]
    small = [
        _refused(
            f"text like that of {sample.name}", stratum, panel, f"{len(sample.machine)} texts, {MACHINE} are needed"
        )
        for sample in samples
        if len(sample.machine) < MACHINE
    ]
    return [_anyone(rows, single, stratum, panel, seed), *given, *small]


def _too_few(corpus: Corpus, reference: int) -> str | None:
    before = corpus.months < reference
    texts, hosts = int(before.sum()), len(np.unique(corpus.hosts[before]))
    if texts >= HUMAN and hosts >= HOSTS:
        return None
    return f"{texts} texts of {hosts} hosts before the reference, and {HUMAN} of {HOSTS} are needed"


def _estimate(rows: Rows, numbers: tuple[int, ...], seed: int) -> Estimate | str:
    """Return what some of the samples tell, or why they tell nothing."""
    hosts = rows.table.hosts
    machine = [rows.machine[number] for number in numbers]
    companions = [rows.companion[number] for number in numbers if rows.companion[number].sum() >= MONTH]
    older = instrument(rows.table, rows.old, machine, MONTH, seed)
    tool = instrument(rows.table, rows.human, machine, MONTH, seed)
    if older is None or tool is None:
        return "too few texts before the reference and of the sample are about as long as one another"
    placebo = read(older, hosts, rows.periods, seed)
    floor = drift([reading.value for reading in placebo], [reading.deviation for reading in placebo])
    readings = read(tool, hosts, [*rows.months.values(), *companions], seed, drift=min(floor, FLOOR))
    of_companions = readings[len(rows.months) :]
    problem = _weak(tool, floor) or sample_problem(rows, numbers, of_companions)
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
    points = [*_placebo_points(rows, estimate, slopes), *_points(rows, estimate, numbers, slopes)]
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
        "Texts that are shorter or longer than all they can be compared with may be by anybody: the intervals allow "
        "for none and for all of them.",
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


def _placebo_points(rows: Rows, estimate: Estimate, slopes: list[float] | None) -> Iterator[Point]:
    for period, reading in zip(rows.periods, estimate.placebo, strict=True):
        months = np.unique(rows.table.months[period])
        if len(months) == 1 and reading.texts >= MONTH:
            yield _point(int(months[0]), rows, period, reading, estimate, estimate.floor, slopes)


def _points(rows: Rows, estimate: Estimate, numbers: tuple[int, ...], slopes: list[float] | None) -> Iterator[Point]:
    usual = usual_unlikeness(rows, numbers)
    for month, texts in rows.months.items():
        reading = estimate.months[month]
        far = max(1.0, rows.distance(texts, rows.human) / estimate.measured)
        grown = estimate.floor * far
        found = unlikeness(rows, month, reading, numbers)
        reason = _no_number(rows, texts, reading) or month_problem(found, reading, usual, far)
        if reason is None and grown > FLOOR:
            reason = f"so far from the reference the floor is {grown:.2f}, and {FLOOR} is the most"
        if reason is None:
            spread = float(np.linalg.norm([grown, estimate.topic, strangers(found)]))
            yield _point(month, rows, texts, reading, estimate, spread, slopes)
        else:
            hosts = len(np.unique(rows.table.hosts[texts]))
            yield Point(name_of(month), int(texts.sum()), hosts, None, None, None, reason)


def _no_number(rows: Rows, texts: Mask, reading: Reading) -> str | None:
    hosts = len(np.unique(reading.hosts))
    if reading.left_out > reading.texts:
        return f"{reading.left_out} of {texts.sum()} texts are shorter or longer than all they can be compared with"
    if reading.texts < MONTH or hosts < HOSTS:
        return f"{reading.texts} texts of {hosts} hosts can be judged, and {MONTH} of {HOSTS} are needed"
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
    # who wrote the texts of other lengths is not known: none of them, or all
    judged = reading.texts / (reading.texts + reading.left_out)
    low, high = max(low, 0.0) * judged, min(high, 1.0) * judged + 1 - judged
    return Point(
        month=name_of(month),
        texts=int(texts.sum()),
        hosts=len(np.unique(rows.table.hosts[texts])),
        value=min(max(reading.value, 0.0), 1.0),
        low=min(max(low, 0.0), 1.0),
        high=min(max(high, 0.0), 1.0),
    )
