"""The definitions of "model collapse", and which of them a run meets.

Schaeffer, Kazdan, Arulandu and Koyejo 2025, "Position: Model Collapse Does Not Mean What You Think"
(arXiv:2503.03150), count "eight distinct and at times conflicting definitions" in the literature (abstract). The names
are theirs, and so is which paper uses which: both are in the figure `definitions_meta_analysis` of their repository
(RylanSchaeffer/KoyejoLab-Collapse-or-Thrive), where a paper defines collapse so explicitly or implicitly. The paper's
own sentences for each definition could not be read: the sentences and rules here are ours. No rule claims that its
definition is the right one, and a change that may be chance (`Course.rises`) never counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from collapse.measures.courses import Course, Courses

#: A catastrophe: the perplexity has doubled, so that each token costs one bit more. A model whose loss is 3 nats would
#: lose as much if it were fifteen times smaller (loss goes with the power -0.076 of the size: Kaplan et al. 2020,
#: arXiv:2001.08361); another seed moves the loss far less.
CATASTROPHE = math.log(2)
#: A collapse of variance: half of it is lost within the run, so that a few more runs would leave nothing. A smaller
#: loss is open: variance that shrinks need not go to 0.
HALVED = math.log(2)
#: Generations after 0 that show whether a rise levels off: two for each half of the run.
_ENOUGH = 4

Verdict = tuple[bool | None, str]


@dataclass(frozen=True, slots=True)
class Definition:
    code: str
    title: str
    says: str
    used_by: str
    rule: str  #: how our numbers decide
    decide: Callable[[Courses], Verdict]


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether an arm meets a definition, and why."""

    code: str
    title: str
    holds: bool | None  #: None: this run cannot tell
    because: str


def evaluate_definitions(arm: Courses) -> list[Finding]:
    """Evaluate each definition on an arm, in the order of the paper."""
    findings = []
    for definition in DEFINITIONS:
        holds, because = definition.decide(arm)
        findings.append(Finding(definition.code, definition.title, holds, because))
    return findings


def _catastrophe(arm: Courses) -> Verdict:
    return arm.perplexity.rises(CATASTROPHE), _describe("perplexity of held-out text", arm.perplexity)


def _increase(arm: Courses) -> Verdict:
    return arm.perplexity.rises(), _describe("perplexity of held-out text", arm.perplexity)


def _divergence(arm: Courses) -> Verdict:
    course = arm.perplexity
    rises, text = course.rises(), _describe("perplexity of held-out text", course)
    if rises is not True:
        return rises, text
    if course.generations < _ENOUGH:
        return None, f"{text}; {course.generations} generations do not show whether it levels off"
    middle = course.generations // 2
    later = course.change(middle).value
    text += f"; {_percent(course.change().value - later)} by generation {middle}, {_percent(later)} since"
    if course.rises(since=middle) is False:
        return False, f"{text}: it has levelled off"
    return None, f"{text}: it has not levelled off, and where it ends no run can show"


def _variance(arm: Courses) -> Verdict:
    def decide(course: Course) -> bool | None:
        halved, falls = course.falls(HALVED), course.falls()
        return None if halved is False and falls is not False else halved

    return _any(decide(course) for course in arm.variety.values()), _describe_all(arm.variety.items())


def _scaling(arm: Courses) -> Verdict:
    return None, "a run trains models of one size on sets of one size; compare two runs"


def _tails(arm: Courses) -> Verdict:
    bands = list(arm.band_perplexity.items())
    verdicts = [course.falls() for course in arm.tail.values()]
    described = [*arm.tail.items()]
    if len(bands) > 1:
        (rarest, tail), (commonest, body) = bands[0], bands[-1]
        excess = tail.over(body)
        verdicts.append(excess.rises())
        described.append((f"perplexity of the {rarest} tokens by that of the {commonest}", excess))
    return _any(verdicts), _describe_all(described)


def _hallucination(arm: Courses) -> Verdict:
    course = arm.strange
    if course is None:
        return None, _describe_all([])
    text = _describe("share of texts that generation 0 holds for very unlikely", course)
    rises = course.rises()
    if rises and course.mean(-1) <= course.real:
        return False, f"{text}: no more than in real text"
    return rises, text


def _entanglement(arm: Courses) -> Verdict:
    if arm.apart is None:
        return None, _describe_all([])
    return arm.apart.falls(), _describe("difference between texts of different kinds, in nats", arm.apart)


DEFINITIONS = (
    Definition(
        "catastrophe",
        "Catastrophic increase of population risk",
        "Trained on what models wrote, a model becomes much worse at real text, and soon.",
        "Dohmatob et al. 2024 (arXiv:2402.07712, 2402.07043 and 2410.04840)",
        "The perplexity of held-out text at least doubles within the run.",
        _catastrophe,
    ),
    Definition(
        "increase",
        "Any increase of population risk",
        "A model becomes worse at real text than one that was trained on real text alone, by however little.",
        "Alemohammad et al. 2023 (arXiv:2307.01850); Taori and Hashimoto 2022",
        "The perplexity of held-out text rises by more than it does with real text and other seeds.",
        _increase,
    ),
    Definition(
        "divergence",
        "Asymptotically diverging population risk",
        "With each generation the loss on real text grows, without bound.",
        "Gerstgrasser et al. 2024 (arXiv:2404.01413); Kazdan et al. 2024 (arXiv:2410.16713)",
        "Refuted where the perplexity of held-out text does not rise, or rises by no more than chance in the second "
        "half of the run. Never proven: no run is long enough.",
        _divergence,
    ),
    Definition(
        "variance",
        "Collapsing variance",
        "What models write becomes ever more uniform, until all of it is the same.",
        "Shumailov et al. 2023 (arXiv:2305.17493); Alemohammad et al. 2023 (arXiv:2307.01850)",
        "A measure of the variety of what is written falls to less than half within the run. A smaller fall that is "
        "not chance leaves it open.",
        _variance,
    ),
    Definition(
        "scaling",
        "Change of the scaling law",
        "More text or larger models lower the loss by less than they would with real text.",
        "Dohmatob et al. 2024 (arXiv:2402.07043, by its title)",
        "A run has one size, so it cannot tell. Two runs can: benchmarks/collapse_sizes.py compares them.",
        _scaling,
    ),
    Definition(
        "entanglement",
        "Entanglement of real modes",
        "Models mix up kinds of text that were distinct, or lose one, and write one like the other.",
        "Shumailov et al. 2023 (arXiv:2305.17493)",
        "What is written in continuation of different kinds of text differs less in its words, more than chance makes. "
        "Not evaluated where the kind of each prompt is not known, which no run knows yet.",
        _entanglement,
    ),
    Definition(
        "tails",
        "Disappearance of real tail data",
        "What is rare in real text is no longer written, and becomes unlikely.",
        "Shumailov et al. 2024 (Nature 631, early collapse); Seddik et al. 2024 (arXiv:2404.05090)",
        "Less of the rare tokens or n-grams of real text is written, or the perplexity of the rarest tokens rises by "
        "more than that of the commonest; more than chance in either case.",
        _tails,
    ),
    Definition(
        "hallucination",
        "Appearance of unreal data",
        "Models write what real text does not have, and what the first of them would hardly have written.",
        "Shumailov et al. 2023 (arXiv:2305.17493)",
        "More of the texts have a perplexity under generation 0 above the 99 % quantile of real text's, more than "
        "chance makes, and more than of real texts. No count shows whether a text is true; this comes closest.",
        _hallucination,
    ),
)


def _any(verdicts: Iterable[bool | None]) -> bool | None:
    """Return True if one is True, False if all are False, and None otherwise."""
    known = [*verdicts]
    return True if True in known else None if None in known or not known else False


def _describe_all(courses: Iterable[tuple[str, Course]]) -> str:
    return "; ".join(_describe(name, course) for name, course in courses) or "not measured"


def _describe(what: str, course: Course) -> str:
    if not course.generations:
        return f"{what}: there is no generation after generation 0"
    change, floor = course.change(), course.floor().high
    text = f"{what}: {course.mean(0):.4g} in generation 0, {course.mean(-1):.4g} in generation {course.generations}"
    text += f" ({_percent(change.value)}"
    text += "; no interval" if math.isnan(change.low) else f"; 95 %: {_percent(change.low)} to {_percent(change.high)}"
    text += "; chance not known)" if math.isnan(floor) else f"; by chance up to {_percent(floor)[1:]})"
    return text if math.isnan(course.real) else f"{text}, in real text {course.real:.4g}"


def _percent(log_ratio: float) -> str:
    """Format a change, given as the logarithm of a ratio.

    >>> _percent(math.log(1.5)), _percent(math.log(0.5))
    ('+50.0 %', '-50.0 %')
    """
    return f"{100 * math.expm1(min(log_ratio, 700.0)):+.1f} %"
