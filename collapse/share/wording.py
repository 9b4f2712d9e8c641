"""Says in words what a series shows, and no more than can be known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from archive.show import count_of
from collapse.share.results import Point, Series

#: What a share is of, behind "of the texts of 2024".
_SHARES = {
    "excess": "have words that were not expected, by a machine, an event, a template or another cut of the pages",
    "mixture": "read like the machine text",
}
#: So many reasons are named; series have all of them.
_REASONS = 2
#: In each finding that there is something.
_LEAST = "at least"
#: How often the low end of an interval is above the true value by chance.
_CHANCE = 0.025


def finding(series: Series, reference: str) -> str:
    """Return what a series says, in one sentence."""
    named = f"{series.title}{_of(series)}"
    if series.refused is not None:
        return f"{named}: refused: {_short(series.refused)}"
    after = [point for point in series.points if point.month >= reference]
    if not after:
        return f"{named}: refused: no text is from {reference} or later"
    known = [point for point in after if point.value is not None]
    if not known:
        reasons = Counter(point.refused or "no number" for point in after)
        ((reason, _),) = reasons.most_common(1)
        others = ", and other reasons" if len(reasons) > 1 else ""
        return f"{named}: refused: none of {count_of(len(after), 'period')} has a number: {reason}{others}"
    last = known[-1]
    if series.floor is None:
        return f"{named}: {_interval(series, last)} in {last.month}, and nothing to compare it with: there is no floor"
    least = max(series.floor, _rate_before(series, reference))
    above = [point for point in known if point.low is not None and point.low > least]
    bound = "the floor" if is_share(series) else f"which it may have been before {reference} too"
    often = f"{len(above)} of {count_of(len(known), 'period')} above {_with_unit(series, least)}, {bound}"
    if not is_distinguished(len(above), len(known)):
        return f"{named}: not distinguished from {'zero' if is_share(series) else 'before'}: {often}"
    return f"{named}: {_least(series, above[-1], reference)}; {often}"


def headline(series: Sequence[Series], findings: Sequence[str], strata: Mapping[str, int]) -> str:
    """Return what can be said in short: of a share, and of the words of all texts.

    Of several shares, the one of the most texts is named; and where it is not there among the same hosts, that too:
    then it may be that other hosts came.

    Args:
        strata: the texts of each.
    """
    pairs = list(zip(series, findings, strict=True))
    words = [sentence for each, sentence in pairs if not is_share(each) and each.stratum is None and not each.panel]
    return "; ".join([_of_shares([pair for pair in pairs if is_share(pair[0])], strata), *words[:1]])


def _of_shares(every: Sequence[tuple[Series, str]], strata: Mapping[str, int]) -> str:
    pairs = [pair for pair in every if not pair[0].panel]
    if not pairs:
        return "no share is estimated: there is no text"
    known = [pair for pair in pairs if not is_refused(pair[1])]
    if not known:
        _, sentence = max(pairs, key=lambda pair: strata.get(pair[0].stratum or "", 0))
        return f"no share is estimated: {count_of(len(pairs), 'estimate')} refused, as {sentence}"
    order = {"mixture": 0, "excess": 1}
    one, sentence = min(
        known, key=lambda pair: (order.get(pair[0].method, 2), -sum(each.texts for each in pair[0].points))
    )
    if one.method == "excess":  # whatever is new has words that were not expected
        sentence = f"how much machines wrote is not known; {sentence}"
    among = [sentence for each, sentence in every if each.panel and _same(each, one)]
    is_alone = _LEAST in sentence and among and not any(_LEAST in each for each in among)
    return f"{sentence} (among the same hosts alone this is not seen)" if is_alone else sentence


def _short(reason: str) -> str:
    """Return a reason, and of one for each of many strata the first ones."""
    parts = reason.split("; ")
    more = len(parts) - _REASONS
    return reason if more < 2 else f"{'; '.join(parts[:_REASONS])}; and {more:,} more"


def _same(one: Series, other: Series) -> bool:
    return (one.method, one.title, one.stratum) == (other.method, other.title, other.stratum)


def is_share(series: Series) -> bool:
    """Return whether the numbers are shares of texts, and not rates of words."""
    return series.unit.startswith("share")


def _rate_before(series: Series, reference: str) -> float:
    """Return what a rate may have been before: few texts without a word do not show that nobody used it."""
    if is_share(series):
        return 0.0
    return min((each.high for each in series.points if each.month < reference and each.high is not None), default=0.0)


def is_refused(finding: str) -> bool:
    """Return whether a finding is that there is none."""
    return ": refused" in finding


def is_distinguished(above: int, known: int) -> bool:
    """Return whether so many periods are above the floor that chance is no explanation.

    >>> is_distinguished(1, 1), is_distinguished(2, 60), is_distinguished(6, 60)
    (True, False, True)
    """
    expected = _CHANCE * known
    return above > expected + 3 * math.sqrt(expected)


def number(series: Series, value: float | None) -> str:
    """Return a value with its unit: shares as percent."""
    if value is None:
        return "–"
    return f"{value:.1%}".replace("%", " %") if is_share(series) else f"{value:,.4g}"


def _with_unit(series: Series, value: float) -> str:
    return number(series, value) if is_share(series) else f"{number(series, value)} {series.unit}"


def _interval(series: Series, point: Point) -> str:
    if point.low is None or point.high is None:
        return number(series, point.value)
    return f"{number(series, point.value)} ({number(series, point.low)} to {number(series, point.high)})"


def _least(series: Series, point: Point, reference: str) -> str:
    assert point.low is not None
    assert series.floor is not None
    if is_share(series):
        of = f"{_LEAST} {number(series, point.low)} of the texts of {point.month}"
        return f"{of} {_SHARES[series.method]}" if series.method in _SHARES else of
    often = f", {_LEAST} {point.low / series.floor:.3g} times as often as before {reference}" if series.floor else ""
    return f"{_interval(series, point)} {series.unit} in {point.month}{often}"


def _of(series: Series) -> str:
    parts = [series.stratum] if series.stratum is not None else []
    parts += ["only hosts that are there before and after"] if series.panel else []
    return f" ({', '.join(parts)})" if parts else ""
