"""The liar: archives that claim what is not true, around a truth that is known.

`archives()` is a Hypothesis strategy for plans; `make` writes a plan; `examine` ingests what is written, and returns
each fault: a text that is proven too early, one that is lost or that an honest record does not prove, a view that
changes with the order. `KINDS` has each kind of lie, with the fact in the file that contradicts it. `KNOWN_OPEN` lists
the kinds that the product does not catch yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from hypothesis import strategies as st

from liar import scenes
from liar.archives import (
    BASES,
    BODIES,
    CONTAINERS,
    DAMAGE,
    DATA_SETS,
    DIGESTS,
    STYLES,
    Made,
    Part,
    Plan,
    Scene,
    Spec,
    make,
)
from liar.judge import GRADED, Fault, Way, examine, glance
from liar.kinds import KINDS, Kind
from liar.known import KNOWN_OPEN

__all__ = [
    "GRADED",
    "KINDS",
    "KNOWN_OPEN",
    "Fault",
    "Kind",
    "Made",
    "Part",
    "Plan",
    "Scene",
    "Spec",
    "Way",
    "alone",
    "archives",
    "by_what",
    "census",
    "examine",
    "faulty",
    "glance",
    "honest",
    "make",
    "replace",
    "specimens",
    "table",
    "ways",
]


def _of(*places: str) -> tuple[str, ...]:
    return tuple(kind.name for kind in KINDS.values() if kind.on & set(places))


def _mixed(*weighted: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Choose among strategies by weight; `|` counts a strategy once, however often it is there."""
    places = [at for at, (weight, _) in enumerate(weighted) for _ in range(weight)]
    return st.sampled_from(places).flatmap(lambda at: weighted[at][1])


_NOTHING: st.SearchStrategy[tuple[str, ...]] = st.just(())


def _specs(base: str, lies: tuple[str, ...]) -> st.SearchStrategy[Spec]:
    one = st.sampled_from(lies).map(lambda name: (name,))
    some = st.lists(st.sampled_from(lies), min_size=2, max_size=3, unique=True).map(tuple)
    return st.builds(
        Spec,
        base=st.just(base),
        lies=_mixed((2, _NOTHING), (2, one), (1, some)),
        hours=st.integers(0, 60),
        gap=st.sampled_from((0, 0, 1, 30, 400, 3000)),
        style=st.sampled_from(STYLES),
        digests=st.sampled_from(DIGESTS),
        body=st.sampled_from(BODIES),
        clock=st.integers(-80_000, 80_000),
        has_date=st.booleans(),
        modified=st.sampled_from((0, 0, 1, 700)),
        echo=st.booleans(),
        seed=st.integers(0, 1 << 24),
    )


def _parts(
    containers: tuple[str, ...],
    specs: st.SearchStrategy[Spec],
    lies: tuple[str, ...],
    joined: st.SearchStrategy[Part | None],
) -> st.SearchStrategy[Part]:
    return st.builds(
        Part,
        container=st.sampled_from(containers),
        begins=st.integers(400, 9000),
        records=st.lists(specs, min_size=1, max_size=4).map(tuple),
        lies=_mixed((4, _NOTHING), (1, st.sampled_from(lies).map(lambda name: (name,)))),
        named=st.booleans(),
        damage=st.sampled_from((*[""] * 12, *DAMAGE)),
        place=st.integers(0, 7),
        joined=joined,
        seed=st.integers(0, 1 << 24),
    )


def archives() -> st.SearchStrategy[Plan]:
    """Return a strategy for plans: of web archives, of data sets, and scenes."""
    alone: st.SearchStrategy[Part | None] = st.none()
    scene = st.builds(Scene, name=st.sampled_from(sorted(scenes.SCENES)), seed=st.integers(0, 1 << 24))
    rows = _parts(DATA_SETS, _specs("row", _of("row", "jsonl")), _of("rows"), alone)
    weighted = [(2, rows), (3, scene)]
    for containers in (CONTAINERS[:4], CONTAINERS[4:]):
        bases = dict.fromkeys(BASES if containers[0] == "warc" else ("arc",))
        web = _mixed(*((3 if base == "response" else 1, _specs(base, _of(base))) for base in bases))
        of_file = _of("file")
        behind = _mixed((3, alone), (1, _parts(containers, web, of_file, alone)))
        weighted.append((8 if containers[0] == "warc" else 2, _parts(containers, web, of_file, behind)))
    return _mixed(*weighted)


def ways(workers: int = 0) -> st.SearchStrategy[Way]:
    return st.builds(
        Way,
        pieces=st.sampled_from((1, 2, 3)),
        reverse=st.booleans(),
        calls=st.integers(1, 2),
        workers=st.just(workers),
    )


def alone(kind: Kind) -> Iterator[Plan]:
    """Yield archives of which each tells this one lie, without end, beside an honest record where it can."""
    seed = 0
    while True:
        seed += 1
        begins = 3300 + seed * 331 % 2200
        gap = (0, 1, 400)[seed % 3]
        if "scene" in kind.on:
            yield Scene(kind.name, seed)
        elif kind.on & {"row", "jsonl"}:
            containers = DATA_SETS if "row" in kind.on else DATA_SETS[:2]
            told = Spec("row", (kind.name,), gap=gap, seed=seed)
            yield Part(containers[seed % len(containers)], begins, (Spec("row", seed=seed), told), seed=seed)
        elif kind.on & {"file", "rows"}:
            containers = DATA_SETS if "rows" in kind.on else ("warc", "warc.gz", "wacz")
            yield Part(
                containers[seed % len(containers)],
                begins,
                (Spec(seed=seed), Spec(seed=seed + 1)),
                (kind.name,),
                seed=seed,
            )
        else:
            places = sorted(kind.on)
            base = places[seed % len(places)]
            if base == "arc":
                container, base = ("arc", "arc.gz")[seed % 2], "response"
            else:
                container = ("warc", "warc.gz", "wacz")[seed // len(places) % 3]
            honest = Spec("response", seed=seed)
            digests = ("both", "none", "payload")[seed % 3]
            told = Spec(base, (kind.name,), gap=gap, digests=digests, has_date=seed % 5 != 0, seed=seed)
            yield Part(container, begins, (honest, told), seed=seed)


def honest() -> Iterator[Plan]:
    """Yield archives in which nothing is odd."""
    for seed in range(48):
        containers = (*CONTAINERS, *DATA_SETS)
        container = containers[seed % len(containers)]
        specs = tuple(
            Spec(
                base="row" if container in DATA_SETS else BASES[(seed + at) % len(BASES)],
                hours=at,
                style=STYLES[(seed + at) % len(STYLES)],
                digests=DIGESTS[(seed // 2 + at) % len(DIGESTS)],
                body=BODIES[(seed + at) % len(BODIES)],
                clock=(at - 2) * 900,
                has_date=bool((seed + at) % 3),
                modified=(seed + at) % 4 * 90,
                seed=seed * 7 + at,
            )
            for at in range(4)
        )
        joined = Part(container, 1000 + seed * 150, specs[:2], named=True, seed=seed) if seed % 3 == 0 else None
        yield Part(container, 500 + seed * 170, specs, named=seed % 2 == 0, joined=joined, seed=seed)


def specimens(each: int = 6) -> list[Made]:
    """Write archives that tell one lie each, all kinds of them, and honest ones."""
    plans = [plan for kind in KINDS.values() for plan in islice(alone(kind), each)] + list(honest())
    return [make(plan, number) for number, plan in enumerate(plans)]


def census(each: int = 6, varied: bool = True) -> list[Fault]:
    """Ingest archives that tell one lie each, all kinds of them, and honest ones. Return all faults.

    Args:
        each: archives of each kind.
        varied: ingest some of them in other ways, too.
    """
    mades = specimens(each)
    faults = examine(mades)
    if not varied:
        return faults
    odd = list({(*sorted(made.kinds), made.number % 2): made for made in mades if made.odd or made.vary}.values())
    for way in (Way(6, reverse=False), Way(1, calls=2), Way(1, reverse=False, calls=2)):
        faults += [fault for fault in examine(odd, way, len(odd)) if fault.what == "changed"]
    return faults


def faulty(faults: Iterable[Fault]) -> set[str]:
    """Return the kinds that explain faults of archives with a single lie; what nothing explains has the name `?`."""
    named: set[str] = set()
    for fault in faults:
        single = [next(iter(blame)) for blame in fault.blames if len(blame) == 1]
        named.update(single or ["?"])
    return named


def by_what(faults: Iterable[Fault]) -> dict[str, set[str]]:
    """Return, for each kind that explains a fault, what was wrong."""
    made: dict[str, set[str]] = defaultdict(set)
    for fault in faults:
        for name in faulty([fault]):
            made[name].add(fault.what)
    return dict(made)


def table() -> str:
    """Return what contradicts each kind of lie, as a table."""
    lines = ["| kind | row | the fact that contradicts it | expected | open |", "|---|---|---|---|---|"]
    for kind in KINDS.values():
        mark = "open" if kind.name in KNOWN_OPEN else ""
        lines.append(f"| {kind.name} | {kind.row} | {kind.fact} | {kind.expected} | {mark} |")
    return "\n".join(lines)
