"""What `share` returns: series of estimates by month, each with its interval, its floor, and why it may be refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Method = Literal["words", "excess", "mixture"]


@dataclass(frozen=True, slots=True)
class Point:
    """An estimate for the texts of one month."""

    month: str  #: `2023-05`
    texts: int
    hosts: int
    value: float | None  #: None: refused, see `refused`
    low: float | None  #: of the 95 % interval
    high: float | None
    refused: str | None = None  #: why there is no number for this month


@dataclass(frozen=True, slots=True)
class Series:
    """One estimate through time."""

    method: Method
    title: str
    source: str  #: the paper or list that it is from
    unit: str  #: `share of texts`, `per million words`
    stratum: str | None  #: None: all strata together
    panel: bool  #: only the hosts that are there before and after
    floor: float | None  #: what the same estimate says of months that can hold no machine text
    ceiling: float | None  #: what it says of machine text alone; None where that is not known
    slope: float | None  #: how much it rises for each unit of true share, at known mixtures
    says: str  #: what the numbers mean, and what the floor is, in words
    refused: str | None  #: why the whole series gives no number
    points: tuple[Point, ...]
    condition: str | None = None  #: what must be true for the intervals to hold, and cannot be checked here


@dataclass(frozen=True, slots=True)
class ShareResult:
    """What is known about machine text in a lake or a set."""

    source: str  #: the lake or the set
    reference: str  #: the day before which all text is taken for human
    texts: int  #: how many were read
    left_out: dict[str, int]  #: reason -> texts that are in no estimate
    series: tuple[Series, ...]
    warnings: tuple[str, ...]
