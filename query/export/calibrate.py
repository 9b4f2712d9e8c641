"""The least cosine at which a text is like an item of a benchmark: calibrated on texts that cannot be contaminated.

A text from before a benchmark was published has not taken its items from there. If such a text passes the threshold
all the same, it is a false positive. The threshold is the value that only k of n such texts exceed, where k depends on
n alone. So the share of all such texts that pass it has a beta distribution, whatever the distribution of the cosines
(tolerance limits: Wilks 1941). k is the largest number with which the share is at most what was asked for with a
confidence of 95 %. That is the exact binomial bound of Clopper and Pearson (1934) for k hits among n.
"""

from __future__ import annotations

from math import ceil, exp, expm1, inf, lgamma, log, log1p, pow

import duckdb

from archive.errors import ExportError
from query.dataset import Calibration

#: Decimals of a cosine.
DIGITS = 6
#: The share that is asked for where nobody names another.
FALSE_POSITIVES = 0.001
#: How likely a bound may be wrong.
_DOUBT = 0.05


def calibrated(db: duckdb.DuckDBPyConnection, published: str, asked: float, sources: int) -> tuple[float, Calibration]:
    """Return the least cosine that at most a share of the texts in `earlier_cosines(cosine)` reach, and what it is
    based on.

    Args:
        published: the date, for errors and for the result.
        asked: the share.
        sources: texts that were left out of the table.

    Raises:
        ExportError: there are too few texts, or no cosine separates so few of them.
    """
    ((texts,),) = db.execute("SELECT count(*) FROM earlier_cosines").fetchall()
    exceeding = most_hits(texts, asked)
    if exceeding < 0:
        least = ceil(log(_DOUBT) / log1p(-asked))
        supported = f"; {texts:,} suffice for --false-positives {_supported(texts)}" if texts >= 10 else ""
        raise ExportError(
            f"--decontaminate-like: {texts:,} texts with vectors from before {published[:10]} share no 13-gram with a "
            f"benchmark; to keep false positives below {asked:g} takes {least:,}{supported}; or name a --least-cosine"
        )
    ((value,),) = db.execute(
        f"SELECT cosine FROM earlier_cosines ORDER BY cosine DESC LIMIT 1 OFFSET {exceeding}"
    ).fetchall()
    least_cosine = round(value + 10**-DIGITS, DIGITS)
    if least_cosine > 1:
        raise ExportError(
            f"--decontaminate-like: more than {exceeding:,} of {texts:,} texts from before {published[:10]} have the "
            f"same vector as an item, so no cosine separates {asked:g} of them; name a --least-cosine"
        )
    above = _above(db, least_cosine)
    # by the k that was chosen before the cosines were seen, though fewer exceed the value where some are equal
    return least_cosine, Calibration(published, asked, texts, sources, above, shown(bound(exceeding, texts)))


def measured(db: duckdb.DuckDBPyConnection, published: str, least_cosine: float, sources: int) -> Calibration:
    """Return how many of the texts in `earlier_cosines(cosine)` reach a cosine that somebody chose."""
    ((texts,),) = db.execute("SELECT count(*) FROM earlier_cosines").fetchall()
    above = _above(db, least_cosine)
    return Calibration(published, None, texts, sources, above, shown(bound(above, texts)))


def _above(db: duckdb.DuckDBPyConnection, least_cosine: float) -> int:
    ((above,),) = db.execute("SELECT count(*) FROM earlier_cosines WHERE cosine >= ?", [least_cosine]).fetchall()
    return int(above)


def shown(share: float) -> float:
    """Return a bound in so many digits that the last ones of a logarithm do not show, rounded up."""
    return min(ceil(share * 1e8) / 1e8, 1.0)


def _supported(texts: int) -> str:
    """Return the least share of false positives that so many texts can vouch for, rounded up to two digits."""
    share = -expm1(log(_DOUBT) / texts)
    step = pow(10, ceil(-log(share, 10)) + 1)
    return f"{ceil(share * step) / step:g}"


def most_hits(texts: int, share: float) -> int:
    """Return the largest number of hits among some texts with which their share is below a bound; -1: not even none.

    >>> most_hits(2994, 0.001), most_hits(2995, 0.001), most_hits(10_000, 0.001)
    (-1, 0, 4)
    """
    low, high = -1, max(int(texts * share) + 1, 0)  # with as many as expected the confidence is only a half
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if probability(middle, texts, share) <= _DOUBT else (low, middle)
    return low


def bound(hits: int, texts: int) -> float:
    """Return the share that is not exceeded with a confidence of 95 %, where some of the texts are hits.

    >>> round(bound(0, 2995), 6), round(bound(4, 10_000), 6), bound(3, 3)
    (0.001, 0.000915, 1.0)
    """
    if hits >= texts:
        return 1.0
    low, high = hits / texts, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if probability(hits, texts, middle) > _DOUBT else (low, middle)
    return high


def probability(hits: int, texts: int, share: float) -> float:
    """Return how likely at most so many hits are, if each of the texts is one with the given likelihood."""
    if hits >= texts or share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    one = lgamma(texts + 1) - lgamma(hits + 1) - lgamma(texts - hits + 1) + hits * log(share)
    term = one + (texts - hits) * log1p(-share)
    total, odds = 0.0, log1p(-share) - log(share)
    largest = -inf
    # from the last term down; they rise up to the most likely number, and fall below it
    for number in range(hits, -1, -1):
        total += exp(term)
        largest = max(largest, term)
        if term < largest - 40:
            break
        if number:
            term += odds + log(number) - log(texts - number + 1)
    return min(total, 1.0)
