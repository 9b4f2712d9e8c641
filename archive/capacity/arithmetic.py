"""`plan`: multiplies what Common Crawl has by what a page and a text take.

Every result names the rates that it was computed with, so that a reader sees which of them nobody has measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeVar

from archive.capacity.rates import Gpu, Machine, Rates, load
from archive.errors import ArchiveError

Named = TypeVar("Named")
_YEARS = re.compile(r"(\d{4})?(\.\.)?(\d{4})?")
_HOUR = 3_600


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, and the names of the rates that it was computed with."""

    value: float
    rates: frozenset[str] = frozenset()

    def __add__(self, other: Figure) -> Figure:
        return Figure(self.value + other.value, self.rates | other.rates)

    def __mul__(self, other: Figure | float) -> Figure:
        if isinstance(other, Figure):
            return Figure(self.value * other.value, self.rates | other.rates)
        return Figure(self.value * other, self.rates)

    def __truediv__(self, other: Figure | float) -> Figure:
        if isinstance(other, Figure):
            return Figure(self.value / other.value, self.rates | other.rates)
        return Figure(self.value / other, self.rates)


_NOTHING = Figure(0.0)


@dataclass(frozen=True, slots=True)
class Stage:
    """What one command takes.

    Attributes:
        core_hours: of the cores of the machine.
        gpu_hours: of one GPU.
        read: bytes that come over the network.
        kept: bytes that it adds to the lake.
        gets: requests that read.
        puts: requests that write.
        waits: hours of the one process that commits.
        days: on the machines of the plan.
        dollars: for machines and requests; the store is in `PlanResult.monthly`.
    """

    name: str
    core_hours: Figure = _NOTHING
    gpu_hours: Figure = _NOTHING
    read: Figure = _NOTHING
    kept: Figure = _NOTHING
    gets: Figure = _NOTHING
    puts: Figure = _NOTHING
    waits: Figure = _NOTHING
    days: Figure = _NOTHING
    dollars: Figure = _NOTHING


#: The fields of a stage that are figures.
FIGURES = tuple(each.name for each in fields(Stage) if each.name != "name")


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What a lake of some crawls takes.

    Attributes:
        pages: captures.
        texts: different ones.
        stages: by command, in the order in which they run.
        monthly: dollars a month for what is kept, on an object store.
        rates: the names of the rates that the plan used.
    """

    years: str
    subset: str
    crawls: int
    pages: Figure
    texts: Figure
    machine: str
    machines: int
    gpu: str | None
    gpus: int
    stages: tuple[Stage, ...]
    monthly: Figure
    rates: tuple[str, ...]

    @property
    def total(self) -> Stage:
        """The sum over the stages, which run one after another."""
        return Stage("all", **{name: _sum(getattr(stage, name) for stage in self.stages) for name in FIGURES})


def _sum(figures: Iterable[Figure]) -> Figure:
    return sum(figures, start=_NOTHING)


def plan(
    *,
    years: str = "..2021",
    subset: Literal["warc", "wet"] = "warc",
    texts: bool = True,
    embed: bool = False,
    machine: str = "c7i.24xlarge",
    machines: int = 10,
    gpu: str = "p5.48xlarge",
    gpus: int = 8,
    dollars_per_hour: float | None = None,
) -> PlanResult:
    """Compute what a lake of Common Crawl takes.

    Args:
        years: of the crawls, as `2013..2021`, `..2021` or `2019`.
        subset: `warc`, or the texts that Common Crawl extracted, `wet`.
        texts: keep the texts. Otherwise each crawl is ingested, indexed, written as a lake without texts, and deleted.
        embed: also compute vectors.
        machine: by its name in `rates.toml`.
        machines: how many.
        gpu: a machine with GPUs, by its name there. Its price is that of one GPU.
        gpus: how many.
        dollars_per_hour: of a machine, in place of the price in `rates.toml`.

    Raises:
        ArchiveError: no crawl is of these years, or there is no such machine.
        ValueError: a number is out of range.
    """
    if machines < 1 or gpus < 1:
        raise ValueError("machines and gpus: at least one")
    if subset not in {"warc", "wet"}:
        raise ValueError(f"subset {subset!r}: warc or wet")
    if embed and not texts:
        raise ArchiveError("vectors need the texts: --embed does not go with --no-texts")
    known = load()
    chosen = _machine(known, machine, dollars_per_hour)
    accelerator = _gpu(known, gpu) if embed else None
    first, last = _range(years)
    crawls = [year for year in known.years if first <= year.year <= last]
    if not crawls:
        raise ArchiveError(f"{years}: Common Crawl has no crawl of these years here (2009 to {known.years[-1].year})")
    before = [year.distinct_so_far for year in known.years if year.year < first]
    pages = Figure(sum(year.pages for year in crawls))
    # those of earlier years that come again are counted with the earlier years, so this is a little too few
    distinct = Figure(crawls[-1].distinct_so_far - (before[-1] if before else 0))
    at = _Rates(known)
    different = distinct * at("distinct_texts")
    stages = [*_stages(at, subset, texts, pages, different)]
    if embed:
        windows = different * at("text_tokens") / at("window_tokens")
        stages.append(_embedded(at, different, windows, accelerator))
    costed = tuple(_costed(stage, known, at, chosen, machines, accelerator, gpus) for stage in stages)
    kept = _sum(stage.kept for stage in costed)
    monthly = kept * (known.prices["store"] / 1e9)
    used = frozenset[str]().union(*(getattr(stage, name).rates for stage in costed for name in FIGURES))
    return PlanResult(
        f"{crawls[0].year}..{crawls[-1].year}" if len(crawls) > 1 else str(crawls[0].year),
        subset,
        sum(year.crawls for year in crawls),
        pages,
        different,
        chosen.name,
        machines,
        accelerator.machine if accelerator else None,
        gpus if accelerator else 0,
        costed,
        monthly,
        tuple(name for name in known.rates if name in used),
    )


class _Rates:
    """Gives rates as figures."""

    def __init__(self, known: Rates) -> None:
        self._known = known

    def __call__(self, name: str) -> Figure:
        return Figure(self._known.rates[name].value, frozenset([name]))


def _stages(at: _Rates, subset: str, keeps: bool, pages: Figure, different: Figure) -> list[Stage]:
    read = pages * at(f"{subset}_bytes")
    # a text of WET with its headers takes in the lake at most what it takes there
    text = at("text_bytes") if subset == "warc" else at("wet_bytes")
    lake = pages * at("capture_bytes") + different * text
    index = different * at("index_bytes")
    witnesses = different * at("witness_bytes")
    return [
        Stage(
            "ingest",
            core_hours=pages * at(f"{subset}_seconds") / _HOUR,
            read=read,
            kept=lake if keeps else _NOTHING,
            gets=read / at("request_bytes"),
            puts=read / at("span_bytes") * at("span_objects"),
            waits=pages / at("commits") / _HOUR,
        ),
        Stage(
            "index",
            core_hours=different * at("index_seconds") / _HOUR,
            kept=index if keeps else witnesses,
            read=lake,
            gets=lake / at("request_bytes"),
        ),
        *(
            [
                Stage("quality", core_hours=different * at("quality_seconds") / _HOUR, read=lake),
                Stage("export", core_hours=different * at("export_seconds") / _HOUR, read=lake),
            ]
            if keeps
            else []
        ),
    ]


def _embedded(at: _Rates, different: Figure, windows: Figure, gpu: Gpu | None) -> Stage:
    assert gpu is not None
    tokens = different * at("text_tokens")
    return Stage("embed", gpu_hours=tokens / at("gpu_tokens") / gpu.share / _HOUR, kept=windows * at("vector_bytes"))


def _costed(
    stage: Stage, known: Rates, at: _Rates, machine: Machine, machines: int, gpu: Gpu | None, gpus: int
) -> Stage:
    """Add the days and the dollars: a stage takes as long as its cores, its network, its commits or its GPUs."""
    if gpu is not None and stage.gpu_hours.value:
        return replace(stage, days=stage.gpu_hours / float(24 * gpus), dollars=stage.gpu_hours * gpu.dollars)
    computing = stage.core_hours / (at("core") * at("spread") * float(machine.cores * machines))
    loading = stage.read * 8 / (machine.gigabits * machines * 1e9) / _HOUR
    hours = max(computing, loading, stage.waits, key=lambda figure: figure.value)
    requests = stage.gets * (known.prices["get"] / 1000) + stage.puts * (known.prices["put"] / 1000)
    return replace(stage, days=hours / 24, dollars=hours * (machine.dollars * machines) + requests)


def _range(years: str) -> tuple[int, int]:
    found = _YEARS.fullmatch(years)
    if not found or not any(found.groups()) or (found[1] and found[3] and not found[2]):
        raise ArchiveError(f"{years}: write years as 2013..2021, ..2021 or 2019")
    if not found[2]:
        return int(years), int(years)
    first, last = int(found[1] or 0), int(found[3] or 9999)
    if first > last:
        raise ArchiveError(f"{years}: the first year is after the last")
    return first, last


def _machine(known: Rates, name: str, dollars: float | None) -> Machine:
    machine = _of(known.machines, name, "machine")
    if dollars is None:
        return machine
    if not 0 <= dollars < float("inf"):
        raise ArchiveError(f"--dollars-per-hour {dollars:g}: write the price of an hour, as 0.20")
    return Machine(machine.name, machine.cores, machine.memory, machine.gigabits, dollars)


def _gpu(known: Rates, name: str) -> Gpu:
    return _of(known.gpus, name, "machine with a GPU")


def _of(table: Mapping[str, Named], name: str, what: str) -> Named:
    if name not in table:
        raise ArchiveError(f"{name}: no {what} of this name is known; these are: {', '.join(table)}")
    return table[name]
