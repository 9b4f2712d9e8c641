"""Whatever archives claim: no text is proven before it was written, none is lost, and honest ones stay clean.

`benchmarks/liar.py` tries many more archives.
"""

from __future__ import annotations

from itertools import islice

import liar
from conftest import examples
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from liar import KINDS, KNOWN_OPEN, Way

EXAMPLES = examples(120)
#: Archives in one lake: a lake costs more than they do.
_FEWEST, _MOST = 16, 24


@settings(
    max_examples=max(EXAMPLES * 2 // (_FEWEST + _MOST), 1),
    phases=[Phase.generate],  # a fault names its archive, and Hypothesis would take minutes to find a smaller one
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(plans=st.lists(liar.archives(), min_size=_FEWEST, max_size=_MOST), way=liar.ways())
def test_whatever_archives_claim_no_text_is_proven_too_early_or_lost_and_honest_ones_stay_clean(
    plans: list[liar.Plan], way: Way
) -> None:
    faults = liar.examine([liar.make(plan, number) for number, plan in enumerate(plans)], way)
    unknown = [fault for fault in faults if not fault.explained(KNOWN_OPEN)]
    assert not unknown, "\n".join(f"{fault}\n  {plans[fault.archive]}" for fault in unknown[:5])


def test_the_kinds_that_are_not_caught_are_those_on_the_list() -> None:
    found = liar.faulty(liar.census())
    assert not found - KNOWN_OPEN, "not caught any more, or never"
    assert not KNOWN_OPEN - found, "caught now: take them off the list in tests/liar/known.py"


def test_processes_change_nothing() -> None:
    plans = [*islice(liar.honest(), 9), *(plan for kind in KINDS.values() for plan in islice(liar.alone(kind), 1))]
    faults = liar.examine([liar.make(plan, number) for number, plan in enumerate(plans)], Way(workers=2), len(plans))
    changed = [fault for fault in faults if fault.what == "changed" and not fault.explained(KNOWN_OPEN)]
    assert not changed


def test_each_lie_is_a_fact_in_its_file() -> None:
    """The same archive without the lie differs from the one with it: a reader has something to see."""
    for kind in KINDS.values():
        for plan in islice(liar.alone(kind), 12):
            if isinstance(plan, liar.Part):
                honest = liar.replace(
                    plan, lies=(), records=tuple(liar.replace(each, lies=()) for each in plan.records)
                )
                told, other = liar.make(plan, 0), liar.make(honest, 0)
                assert told.files != other.files, kind.name
                assert any(frozenset({kind.name}) in truth.liars for truth in told.truths.values()), kind.name
