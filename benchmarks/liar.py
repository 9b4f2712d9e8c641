"""Archives that claim what is not true, around a known truth: what the product makes of many of them.

    python benchmarks/liar.py [--archives 20000] [--lake 60] [--seed 0]
    python benchmarks/liar.py --mutate      # switch off each rule in turn: does the liar find it?
    python benchmarks/liar.py --table       # each kind of lie, and the fact that contradicts it

Hypothesis draws the archives (`tests/liar`). Some of those in a lake are ingested a second time, with other spans, in
another order and in another number of calls; in every tenth lake by two processes.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import pkgutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from processes import machine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
liar: Any = importlib.import_module("liar")  # the package in tests, not this file

# -- many archives -----------------------------------------------------------------------------------------------------


def many(archives: int, per_lake: int, seed: int) -> bool:
    """Try so many archives; print what was wrong, by kind. Return whether all of it is known."""
    kinds: Counter[str] = Counter()
    faults: Counter[tuple[str, str]] = Counter()
    unknown: list[tuple[Any, Any]] = []
    done = lakes = texts = 0
    ingesting = 0.0

    @hypothesis.seed(seed)
    @settings(
        max_examples=-(-archives // per_lake),
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(plans=st.lists(liar.archives(), min_size=per_lake, max_size=per_lake), way=liar.ways())
    def lake(plans: list[Any], way: Any) -> None:
        nonlocal done, lakes, texts, ingesting
        made = [liar.make(plan, number) for number, plan in enumerate(plans)]
        began = time.perf_counter()
        found = liar.examine(made, replace(way, workers=0 if lakes % 10 else 2))
        ingesting += time.perf_counter() - began
        done, lakes, texts = done + len(made), lakes + 1, texts + sum(len(each.truths) for each in made)
        for each in made:
            kinds.update(each.kinds)
        for fault in found:
            if fault.explained(liar.KNOWN_OPEN):
                faults.update((fault.what, name) for blame in fault.blames for name in blame)
            else:
                unknown.append((fault, plans[fault.archive] if fault.archive >= 0 else None))

    began, cpu = time.perf_counter(), time.process_time()
    lake()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(f"{done} archives, {texts} texts, {lakes} lakes; {seconds:.0f} s, {cpu:.0f} s of CPU of this process")
    print(f"{done / seconds:.1f} archives/s; {machine()}; grades: {'yes' if liar.GRADED else 'no'}\n")
    whats = ("false clean", "lost", "not clean", "changed")
    print(f"{'kind':28}{'archives':>10}" + "".join(f"{what:>14}" for what in whats))
    for name in [*sorted(kinds.keys() - liar.KINDS.keys()), *liar.KINDS]:
        row = "".join(f"{faults[what, name] or '':>14}" for what in whats)
        print(f"{name:28}{kinds[name]:>10}{row}{'  open' if name in liar.KNOWN_OPEN else ''}")
    print(f"\n{len(unknown)} faults that no open kind explains")
    for fault, plan in unknown[:10]:
        print(f"  {fault}\n    {plan}")
    return not unknown


# -- rules switched off ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """A rule, and what takes its place."""

    module: str
    name: str
    what: str
    instead: Callable[..., Any]


def _constant(value: Any) -> Callable[..., Any]:
    return lambda *_, **__: value


def _first(first: Any, *_: Any, **__: Any) -> Any:
    return first


#: Rules outside of `archive.evidence`.
RULES = (
    Mutant("archive.dates", "crawl_window", "no window", _constant(None)),
    Mutant("archive.dates", "from_pacific", "as written", _first),
    Mutant("archive.dates", "replay_of", "no replay", _constant(None)),
    Mutant("archive.dates", "_assess_replay", "the stamp", lambda _, replay, __: (_stamp(replay), "cdx", None)),
    Mutant("archive.records.digest", "check", "verified", lambda claim, *read: (_digest(claim, read), "verified")),
    Mutant("archive.examine", "Examiner._window_of", "no window", _constant(None)),
)


def _stamp(replay: Any) -> Any:
    from archive.dates import parse

    return parse(replay.stamp)[0]


def _digest(claim: str | None, readings: tuple[bytes, ...]) -> str:
    from archive.records.digest import compute, normal_form

    return normal_form(claim) or compute(readings[0])


def _place(mutant: Mutant) -> tuple[Any, str] | None:
    """Return the module or class that a rule is in, and its name there."""
    owner: Any = importlib.import_module(mutant.module)
    *classes, name = mutant.name.split(".")
    for each in classes:
        owner = getattr(owner, each, None)
    return (owner, name) if hasattr(owner, name) else None


def mutants() -> Iterator[Mutant]:
    """Yield the rules above, and for each function of `archive.evidence` what would be said if it found nothing."""
    for rule in RULES:
        if _place(rule):
            yield rule
        else:
            print(f"{rule.module}.{rule.name} is not there any more")
    try:
        room = importlib.import_module("archive.evidence")
    except ImportError:
        return
    for info in pkgutil.walk_packages(room.__path__, "archive.evidence."):
        module = importlib.import_module(info.name)
        for name, function in inspect.getmembers(module, inspect.isroutine):
            if inspect.isfunction(inspect.unwrap(function)) and getattr(function, "__module__", "") == info.name:
                for what, instead in _nothing(function):
                    yield Mutant(info.name, name, what, instead)


def _nothing(function: Callable[..., Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield what a rule could say that finds nothing, by the type of its result."""
    result = str(inspect.signature(function).return_annotation)
    if "bool" in result and "tuple" not in result:
        yield "never", _constant(False)
        yield "always", _constant(True)
    elif result.startswith(("list[", "Sequence[")):
        yield "[]", _constant([])
    elif result.startswith(("tuple[", "frozenset[")) and "..." in result:
        yield "()", _constant(())
    elif result.startswith(("Iterator[", "Iterable[", "Generator[")):
        yield "nothing", lambda *_, **__: iter(())
    elif "None" in result and result != "None":
        yield "None", _constant(None)
    elif result == "None":
        yield "not done", _constant(None)
    elif "datetime" in result:
        yield "the first argument", _first


@contextmanager
def switched_off(mutant: Mutant) -> Iterator[None]:
    """Put a mutant in the place of its rule, wherever it was imported to."""
    place = _place(mutant)
    assert place
    rule = getattr(*place)
    places = [place] + [
        (module, name)
        for module in list(sys.modules.values())
        if getattr(module, "__name__", "").startswith(("archive", "query", "index"))
        for name, value in list(vars(module).items())
        if value is rule
    ]
    for owner, name in places:
        setattr(owner, name, mutant.instead)
    try:
        yield
    finally:
        for owner, name in places:
            setattr(owner, name, rule)


def mutate(each: int) -> bool:
    """Switch off each rule in turn; print what the liar finds. Return whether it found all."""
    before = {(name, what) for name, whats in liar.by_what(liar.census(each)).items() for what in whats}
    missed: list[str] = []
    for mutant in mutants():
        label = f"{mutant.module.removeprefix('archive.')}.{mutant.name} -> {mutant.what}"
        try:
            with switched_off(mutant):
                faults = liar.by_what(liar.census(each))
        except Exception as error:
            print(f"{label:60} breaks: {type(error).__name__}: {str(error)[:60]}")
            continue
        fresh = sorted(
            f"{name} ({what})" for name, whats in faults.items() for what in whats if (name, what) not in before
        )
        broke = " breaks:" if any("not counted" in each for each in fresh) else ""
        if not fresh:
            missed.append(label)
        found = ", ".join(fresh[:6]) or "NOT FOUND"
        print(f"{label:60}{broke} {found}{f' and {len(fresh) - 6} more' if len(fresh) > 6 else ''}", flush=True)
    print(f"\n{len(missed)} not found{': ' if missed else ''}{'; '.join(missed)}")
    return not missed


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--archives", type=int, default=20_000)
    parser.add_argument("--lake", type=int, default=60, help="archives in one lake")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mutate", action="store_true", help="switch off each rule in turn")
    parser.add_argument("--each", type=int, default=3, help="archives of each kind, with --mutate")
    parser.add_argument("--table", action="store_true", help="print each kind, and what contradicts it")
    args = parser.parse_args()
    if args.table:
        print(liar.table())
        return 0
    return 0 if (mutate(args.each) if args.mutate else many(args.archives, args.lake, args.seed)) else 1


if __name__ == "__main__":
    sys.exit(main())
