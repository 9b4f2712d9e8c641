"""The rates, crawls, machines and prices that a plan is computed with: `rates.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Rate:
    """One number, and why anybody should believe it.

    Attributes:
        basis: `measured` by this project, `published` by others, or `assumed`.
        source: the section of docs/benchmarks.md, who published it, or why this number.
    """

    name: str
    value: float
    unit: str
    basis: str
    source: str


@dataclass(frozen=True, slots=True)
class Year:
    """The crawls of Common Crawl of a year.

    Attributes:
        pages: captures of pages.
        distinct_so_far: different payloads in all crawls up to the end of this year.
    """

    year: int
    crawls: int
    pages: int
    distinct_so_far: int


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine: its processors (as the seller counts them), memory in GiB, network in Gbit/s, dollars an hour."""

    name: str
    cores: int
    memory: int
    gigabits: float
    dollars: float


@dataclass(frozen=True, slots=True)
class Gpu:
    """A machine with one GPU: what it does of what the rate `gpu_tokens` says, and dollars an hour."""

    machine: str
    name: str
    share: float
    dollars: float


@dataclass(frozen=True, slots=True)
class Rates:
    """All that `rates.toml` has."""

    years: tuple[Year, ...]
    rates: Mapping[str, Rate]
    prices: Mapping[str, float]
    machines: Mapping[str, Machine]
    gpus: Mapping[str, Gpu]


@lru_cache(maxsize=1)
def load() -> Rates:
    """Read `rates.toml`."""
    held: dict[str, Any] = tomllib.loads(files(__package__).joinpath("rates.toml").read_text(encoding="utf-8"))
    return Rates(
        tuple(Year(**year) for year in held["years"]),
        {name: Rate(name, **fields) for name, fields in held["rates"].items()},
        {name: fields["value"] for name, fields in held["prices"].items()},
        {name: Machine(name, **fields) for name, fields in held["machines"].items()},
        {name: Gpu(name, **fields) for name, fields in held["gpus"].items()},
    )
