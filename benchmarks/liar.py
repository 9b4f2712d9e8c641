"""Archives that claim what is not true, around a known truth: what the product makes of many of them.

    python benchmarks/liar.py [--archives 20000] [--lake 60] [--seed 0] [--processes 2]
    python benchmarks/liar.py --mutate [--only claims]   # switch off each rule in turn: does the liar find it?
    python benchmarks/liar.py --table                    # each kind of lie, and the fact that contradicts it

Hypothesis draws the archives (`tests/liar`). Some of those in a lake are ingested a second time, with other spans, in
another order and in another number of calls; in every tenth lake by two processes.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import multiprocessing
import os
import pkgutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from processes import machine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
liar: Any = importlib.import_module("liar")  # the package in tests, not this file

# -- many archives -----------------------------------------------------------------------------------------------------


@dataclass
class Tried:
    """What came of some archives."""

    kinds: Counter[str] = field(default_factory=Counter)
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    unknown: list[tuple[Any, Any]] = field(default_factory=list)
    archives: int = 0
    lakes: int = 0
    texts: int = 0
    cpu: float = 0.0

    def add(self, other: Tried) -> None:
        self.kinds.update(other.kinds)
        self.faults.update(other.faults)
        self.unknown += other.unknown
        self.archives, self.lakes = self.archives + other.archives, self.lakes + other.lakes
        self.texts, self.cpu = self.texts + other.texts, self.cpu + other.cpu


def _try(archives: int, per_lake: int, seed: int) -> Tried:
    """Try so many archives, in one process."""
    tried = Tried()

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
        made = [liar.make(plan, number) for number, plan in enumerate(plans)]
        found = liar.examine(made, replace(way, workers=0 if tried.lakes % 10 else 2))
        tried.archives, tried.lakes = tried.archives + len(made), tried.lakes + 1
        tried.texts += sum(len(each.truths) for each in made)
        for each in made:
            tried.kinds.update(each.kinds)
        for fault in found:
            if fault.explained(liar.KNOWN_OPEN):
                tried.faults.update((fault.what, name) for blame in fault.blames for name in blame)
            else:
                tried.unknown.append((fault, plans[fault.archive] if fault.archive >= 0 else None))
                print(f"unknown: {fault}\n    {plans[fault.archive] if fault.archive >= 0 else ''}", flush=True)

    cpu = time.process_time()
    lake()
    tried.cpu = time.process_time() - cpu
    return tried


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))


def many(archives: int, per_lake: int, seed: int, processes: int) -> bool:
    """Try so many archives; print what was wrong, by kind. Return whether all of it is known."""
    began, tried = time.perf_counter(), Tried()
    # a few lakes at a time: Hypothesis keeps what it has tried, and becomes slower
    share = per_lake * 25
    sizes = [min(share, archives - start) for start in range(0, archives, share)]
    with _pool(processes) as pool:
        seeds = [seed * 100_003 + number for number in range(len(sizes))]
        for part in pool.map(_try, sizes, [per_lake] * len(sizes), seeds):
            tried.add(part)
            print(f"{tried.archives} archives after {time.perf_counter() - began:.0f} s", flush=True)
    seconds = time.perf_counter() - began
    print(f"{tried.archives} archives, {tried.texts} texts, {tried.lakes} lakes; {seconds:.0f} s in {processes} "
          f"processes, {tried.cpu:.0f} s of CPU of theirs")  # fmt: skip
    print(f"{tried.archives / seconds:.1f} archives/s; {machine()}; grades: {'yes' if liar.GRADED else 'no'}\n")
    whats = ("false clean", "lost", "not clean", "changed")
    print(f"{'kind':28}{'archives':>10}" + "".join(f"{what:>14}" for what in whats))
    for name in [*sorted(tried.kinds.keys() - liar.KINDS.keys()), *liar.KINDS]:
        row = "".join(f"{tried.faults[what, name] or '':>14}" for what in whats)
        print(f"{name:28}{tried.kinds[name]:>10}{row}{'  open' if name in liar.KNOWN_OPEN else ''}")
    print(f"\n{len(tried.unknown)} faults that no open kind explains")
    return not tried.unknown


# -- rules switched off ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """A module in which one thing is different.

    Attributes:
        what: the line, and what is done to it.
        make: returns the module's tree with the change.
    """

    module: str
    what: str
    make: Callable[[], ast.Module]


#: Where the rules are, besides `archive.evidence`: modules, and the functions whose statements are switched off.
RULES = {
    "archive.dates": None,
    "archive.records.digest": {"check"},
    "archive.body": {"check_block", "verify"},
    "archive.examine": {"examine", "_note_damage"},
}


#: Those whose rules may depend on the order of records and on spans.
_EXAMINING = frozenset({"archive.body", "archive.examine"})
#: Lines that change no text's date where they are off, and why: another code for the same, or nothing but speed.
SAME = {
    'if not text or text.lower() in {"null", "none", "-"}:': "what is absent is then `unparsable`: no date either",
    'if len(fields[0] or "") > 4 and int(fields[0] or 0) > 9999:': "`unparsable` in place of `future`: no date either",
    'if payload_check == "verified":': "it decides between C and D, and the liar asks for D",
    'if dated.confirmed and record_type == "response"': "it decides between C and D, and the liar asks for D",
    'if dated.problem == "recovered":': "the date's problem already excludes the capture",
    "if dated.problem or dated.captured_at is None": "the date's problem already excludes the capture",
    'case.problems.add("missing")': "`unparsable` in place of `missing`: no date either",
    "if case.at is None and not case.problems:": "`unparsable` in place of `missing`: no date either",
    "if any(int(part) == 0 for part in parts[:3]):": "month 0 is refused again where the date is made",
}


#: Functions that date nothing: `operator_of` counts for grade B and `archives`, which its own tests check.
#: `asked` checks what somebody asks for.
_OTHER = frozenset({"operator_of", "kinds", "asked"})


def mutants(only: str) -> Iterator[Mutant]:
    """Yield each module of rules with one statement switched off, or one condition that never holds."""
    modules: dict[str, set[str] | None] = dict(RULES)
    try:
        room = importlib.import_module("archive.evidence")
        modules |= {info.name: None for info in pkgutil.walk_packages(room.__path__, "archive.evidence.")}
    except ImportError:
        print("archive.evidence is not there")
    for name, functions in modules.items():
        if only in name:
            source = Path(str(importlib.import_module(name).__file__)).read_text()
            for number, node in enumerate(_changeable(ast.parse(source), functions)):
                line = source.splitlines()[node.lineno - 1].strip()
                what = "never" if isinstance(node, ast.If | ast.IfExp) else "off"
                yield Mutant(name, f"{node.lineno} {what}: {line}", partial(_changed, source, functions, number))


def _changeable(tree: ast.Module, functions: set[str] | None) -> list[ast.stmt | ast.IfExp]:
    """Return the statements of a module that only do something if they are a rule, in a fixed order."""
    found: list[ast.stmt | ast.IfExp] = []
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or function.name in _OTHER:
            continue
        if functions is None or function.name in functions:
            for node in ast.walk(function):
                call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
                if call or isinstance(node, ast.AugAssign | ast.If | ast.IfExp):
                    found.append(node)  # type: ignore[arg-type]
    return found


def _changed(source: str, functions: set[str] | None, number: int) -> ast.Module:
    tree = ast.parse(source)
    node = _changeable(tree, functions)[number]
    if isinstance(node, ast.If | ast.IfExp):
        node.test = ast.copy_location(ast.Constant(False), node.test)
    else:
        for parent in ast.walk(tree):
            for body in (getattr(parent, name, None) for name in ("body", "orelse", "finalbody")):
                if isinstance(body, list) and node in body:
                    body[body.index(node)] = ast.copy_location(ast.Pass(), node)
    return ast.fix_missing_locations(tree)


@contextmanager
def switched_off(mutant: Mutant) -> Iterator[None]:
    """Put what a changed module defines in the place of what was imported from it, everywhere."""
    old = importlib.import_module(mutant.module)
    new = ModuleType(mutant.module)
    new.__file__ = old.__file__
    sys.modules[mutant.module] = new  # dataclasses look for their module
    try:
        exec(compile(mutant.make(), str(old.__file__), "exec"), vars(new))
    finally:
        sys.modules[mutant.module] = old
    own = {
        id(value): vars(new)[name]
        for name, value in vars(old).items()
        if _is_of(value, mutant.module) and name in vars(new)
    }
    places = [
        (module, name, value)
        for module in list(sys.modules.values())
        if getattr(module, "__name__", "").partition(".")[0] in {"archive", "query", "index", "liar"}
        for name, value in list(vars(module).items())
        if id(value) in own or value is old
    ]
    for module, name, value in places:
        setattr(module, name, new if value is old else own[id(value)])
    try:
        yield
    finally:
        for module, name, value in places:
            setattr(module, name, value)


def _is_of(value: Any, module: str) -> bool:
    return callable(value) and getattr(value, "__module__", "") == module


#: Seconds that a mutant may take before it counts as one that breaks everything.
_PATIENCE = 900


@cache
def _found_before(each: int, how: str) -> frozenset[str]:
    return frozenset(_found(each, how))


def _found(each: int, how: str) -> set[str]:
    """Return the kinds of which something is found.

    Args:
        how: "glance" reads the files only, "lake" ingests them, "ways" ingests more of them and in several ways.
    """
    if how == "glance":
        faults = liar.by_what(liar.glance(_specimens(each * 3)))
    else:
        faults = liar.by_what(liar.census(each * 3 if how == "ways" else each, how == "ways"))
    return {f"{name} ({what})" for name, whats in faults.items() for what in whats}


@cache
def _specimens(each: int) -> list[Any]:
    made: list[Any] = liar.specimens(each)
    return made


def _give_up(*_: object) -> None:
    raise TimeoutError(f"{_PATIENCE} s")


def _judge(number: int, each: int, only: str) -> tuple[str, str, str]:
    """Switch off one rule. Returns the verdict, the rule, and what the liar finds."""
    mutant = list(mutants(only))[number]
    fresh: list[str] = []
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(_PATIENCE)
    try:
        for how in ("glance", "lake", "ways") if mutant.module in _EXAMINING else ("glance", "lake"):
            _found_before(each, how)
            with switched_off(mutant):
                fresh = sorted(_found(each, how) - _found_before(each, how))
            if fresh:
                break
        verdict = "breaks" if any("not counted" in one for one in fresh) else "found" if fresh else "NOT FOUND"
        if not fresh and (why := next((SAME[line] for line in SAME if line in mutant.what), "")):
            return "the same", f"{mutant.module.removeprefix('archive.')}:{mutant.what[:90]}", why
        said = ", ".join(fresh[:5]) + (f" and {len(fresh) - 5} more" if len(fresh) > 5 else "")
    except Exception as error:
        verdict, said = "breaks", f"{type(error).__name__}: {str(error)[:60]}"
    finally:
        signal.alarm(0)
    return verdict, f"{mutant.module.removeprefix('archive.')}:{mutant.what[:90]}", said


def mutate(each: int, only: str, processes: int) -> bool:
    """Switch off each rule in turn; print what the liar finds. Return whether it found all."""
    count, began = sum(1 for _ in mutants(only)), time.perf_counter()
    counts: Counter[str] = Counter()
    with _pool(processes) as pool:
        for verdict, rule, said in pool.map(_judge, range(count), [each] * count, [only] * count):
            counts[verdict] += 1
            print(f"{verdict:10}{rule}\n{'':10}  {said}", flush=True)
    print(f"\n{dict(counts)} in {time.perf_counter() - began:.0f} s")
    return not counts["NOT FOUND"]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--archives", type=int, default=20_000)
    parser.add_argument("--lake", type=int, default=60, help="archives in one lake")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mutate", action="store_true", help="switch off each rule in turn")
    parser.add_argument("--only", default="", help="with --mutate: rules of modules with this in their name")
    parser.add_argument("--each", type=int, default=2, help="archives of each kind, with --mutate")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--table", action="store_true", help="print each kind, and what contradicts it")
    args = parser.parse_args()
    if args.table:
        print(liar.table())
        return 0
    if args.mutate:
        return 0 if mutate(args.each, args.only, args.processes) else 1
    return 0 if many(args.archives, args.lake, args.seed, args.processes) else 1


if __name__ == "__main__":
    sys.exit(main())
