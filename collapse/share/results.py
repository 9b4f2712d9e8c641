"""What `share` returns: series of estimates by month, each with its interval, its floor, and why it may be refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from collapse.share.periods import By

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


#: Of `share.json`.
VERSION = 1


@dataclass(frozen=True, slots=True)
class ShareResult:
    """What is known about machine text in a lake or a set. `share.json` holds the same."""

    version: int  #: of this form
    headline: str  #: what can be said in one line, and no more
    source: str  #: the lake or the set
    versions: dict[str, int]  #: of the tables of the lake
    reference: str  #: the day before which all text is taken for human
    by: By
    grade: str  #: the least grade of a capture that dates a text
    seed: int
    texts: int  #: how many were counted
    each: int  #: the most of them that are of one month and stratum
    strata: dict[str, int]  #: language and kind of page -> texts that were counted
    left_out: dict[str, int]  #: reason -> texts that are in no estimate
    machine: dict[str, int]  #: name of a sample of machine text -> its texts
    machine_rejects: dict[str, dict[str, int]]  #: name -> reason -> rows that could not be used
    series: tuple[Series, ...]
    findings: tuple[str, ...]  #: what each series says, in its order
    warnings: tuple[str, ...]
