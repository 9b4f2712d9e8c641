"""The headlines of the pictures, and the differences that they are about.

A headline is read alone, so it is only about a difference that is more than chance: its whole interval is beyond the
noise floor, it is not too small to matter, and what it was measured on is not too little to tell. Where a run has no
such difference, or does not know what chance does, the headline states that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from collapse.findings import wording
from collapse.findings.results import Comparison, RunResults, compare
from collapse.findings.suspect import MEASURES, Measure, PartChange, part_changes
from collapse.findings.verdict import hardest
from collapse.measures.beyond import beyond
from collapse.measures.loss import FEWEST
from collapse.measures.metrics import (
    GenerationMetrics,
    Metric,
    TextKind,
    band_loss,
    band_tokens,
    held_out_loss,
    held_out_tokens,
    of_text,
)
from collapse.measures.metrics import surprise as mean_surprise
from collapse.measures.spread import Interval, Values, over_seeds
from collapse.regimes import START, Regime

#: The least change of a loss that a headline is about, in nats: one percent of the perplexity.
LEAST_NATS = 0.01
#: The least change of a share, one percentage point; and that of another measure, as a share of its size.
LEAST_SHARE = 0.01
_EXACT = Interval(0.0, 0.0, 0.0)
_KINDS: tuple[TextKind, ...] = ("suspect", "unseen", "written")


@dataclass(frozen=True, slots=True)
class Claim:
    """A difference that a headline is about."""

    arm: str
    change: Interval
    floor: Interval
    least: float = LEAST_NATS
    tokens: float = math.inf  #: that it was measured on, in the seed that has the fewest

    @property
    def comparison(self) -> Comparison:
        """How it compares with chance; `UNKNOWN` where chance is not known, or where there is too little text."""
        if self.tokens < FEWEST:
            return Comparison.UNKNOWN
        found = compare(self.change, self.floor)
        small = abs(self.change.value) < self.least
        return Comparison.SAME if small and found in (Comparison.MORE, Comparison.LESS) else found


@dataclass(frozen=True, slots=True)
class Headline:
    text: str
    claims: tuple[Claim, ...] = ()  #: none: it states that there is nothing to claim


def loss(results: RunResults) -> Headline:
    """Say what became of the arm that surely lost most."""
    claims = {arm: _claim(results, arm, held_out_loss) for arm in results.tested}
    if risen := [arm for arm, claim in claims.items() if claim.comparison is Comparison.MORE]:
        arm = hardest(results, risen)
        ratio = wording.ratio(claims[arm].change.value)
        return Headline(f"{wording.name(arm)}: perplexity on real text rises to {ratio} times", (claims[arm],))
    if _unknown(claims.values()):
        return Headline("Perplexity on real text by generation; whether its changes are chance is not known")
    return Headline("In no arm does the perplexity on real text rise by more than chance makes it")


def tails(results: RunResults) -> Headline:
    """Name the arm that surely lost most of the rarest tokens, or of any band."""
    bands = results.bands()
    rare, common = bands[0], bands[-1]
    rises = {
        (arm, band): _claim(results, arm, band_loss(band), band_tokens(band))
        for arm in results.tested
        for band in bands
    }
    risen = {key: claim for key, claim in rises.items() if claim.comparison is Comparison.MORE}
    if not risen:
        known = not _unknown(rises.values())
        says = "In no arm does the perplexity of any band of tokens rise by more than chance makes it"
        return Headline(says if known else "Perplexity by the frequency of the token; what chance does is not known")
    arm, band = max(
        ((a, b) for a, b in risen if b == rare or (a, rare) not in risen), key=lambda k: risen[k].change.value
    )
    text = f"{arm}: the perplexity of the {band} tokens comes to ×{wording.ratio(risen[arm, band].change.value)}"
    claims = [risen[arm, band]]
    excess = _claim(results, arm, band_loss(rare), band_tokens(rare), less=band_loss(common))
    if band == rare and excess.comparison is Comparison.MORE and rises[arm, common].tokens >= FEWEST:
        claims.append(excess)
        text += f", and rises more than that of the {common}"
    return Headline(text, tuple(claims))


def diversity(results: RunResults) -> Headline:
    """Name the arm whose text left real text in most measures."""
    measures = measured(results)
    moved = {arm: [_leaves(results, arm, measure) for measure in measures] for arm in results.writing}
    left = {arm: [claim for claim in claims if claim.comparison is Comparison.MORE] for arm, claims in moved.items()}
    arm = max(left, key=lambda arm: len(left[arm]))
    if left[arm]:
        many = f"{len(left[arm])} of {len(measures)} measures"
        return Headline(
            f"{arm}: in {many} what the models write moves away from real text, by more than chance", tuple(left[arm])
        )
    if all(_unknown(claims) for claims in moved.values()):
        return Headline("What the models write, generation by generation, compared with real text")
    return Headline("In no measure does what the models write move away from real text by more than chance")


def measured(results: RunResults) -> list[Measure]:
    """Return the measures that generation 0's text has."""
    return [
        measure for measure in MEASURES if not math.isnan(results.at_start(of_text("written", measure.metric)).value)
    ]


def surprise(results: RunResults) -> Headline:
    """Name the arm whose texts are, in the end, most often outside the range of real text."""
    real = results.histogram(START, 0, "unseen")
    claims = {}
    for arm in results.writing:
        for side in (0, 1):
            share = _share_beyond(real, side)
            claim = _claim(results, arm, share, least=LEAST_SHARE)
            claims[arm, side] = (claim, results.mean(arm, results.last(arm), share).value)
    risen = {key: share for key, (claim, share) in claims.items() if claim.comparison is Comparison.MORE}
    if risen:
        arm, side = max(risen, key=lambda key: risen[key])
        likely = f"{('more', 'less')[side]} likely to generation 0 than 99 % of real texts"
        return Headline(
            f"{arm}: in the end {wording.percent(risen[arm, side])} of texts are {likely}", (claims[arm, side][0],)
        )
    if _unknown(claim for claim, _ in claims.values()):
        return Headline("What the models write, as generation 0 sees it; what chance does is not known")
    return Headline("To generation 0, what later generations write differs from its own text by no more than chance")


def dose(results: RunResults) -> Headline:
    """Name the least share from which on all shares surely do harm."""
    what = "suspect" if results.suspects else "generated"
    claims = {share: _claim(results, arm, held_out_loss) for share, arm in sorted(results.doses.items())}
    worse = [share for share, claim in claims.items() if claim.comparison is Comparison.MORE]
    if not worse:
        if _unknown(claims.values()):
            return Headline(f"What {what} text does to a model; what chance does is not known")
        return Headline(f"That {what} text makes the model worse at real text cannot be distinguished from chance")
    gap = max((share for share in claims if share not in worse), default=0.0)
    every = [share for share in worse if share > gap]
    if not every:  # the largest share does no harm beyond chance
        named = wording.listed([wording.percent(share) for share in worse])
        text = f"At a share of {named}, {what} text makes the model worse at real text, but not at all larger shares"
        return Headline(text, tuple(claims[share] for share in worse))
    least = every[0]
    start = (
        f"{what.capitalize()} text alone" if least == 1 else f"From a share of {wording.percent(least)} on, {what} text"
    )
    return Headline(f"{start} makes the model worse at real text", tuple(claims[share] for share in every))


def shown_where(results: RunResults) -> Regime:
    """Return the arm that the picture of parts shows: the largest share of suspect text, or what lost most."""
    return results.suspects[-1] if results.suspects else hardest(results, results.tested)


def where(results: RunResults) -> Headline:
    """Name the part of the real text that the arm surely lost most of."""
    arm = shown_where(results)
    claims = [(part, _part(arm, part)) for part in part_changes(results, arm)]
    lost = [(part, claim) for part, claim in claims if claim.comparison is Comparison.MORE]
    if not lost:
        return Headline(f"{arm}: that it is worse on any part of the real text cannot be distinguished from chance")
    part, claim = max(lost, key=lambda pair: pair[1].change.value)
    name = wording.one_line(part.described)
    return Headline(f"{arm}: worst on {name}, ×{wording.ratio(claim.change.value)}", (claim,))


def looks(results: RunResults) -> Headline:
    """Say whether the suspect text is easier or harder to guess than real text."""
    metrics: list[Metric] = [of_text(kind, mean_surprise) for kind in _KINDS]
    suspect, real, own = (results.values(START, 0, metric) for metric in metrics)
    claim = Claim("suspect", over_seeds(suspect - real), _EXACT)
    if claim.comparison not in (Comparison.MORE, Comparison.LESS):
        return Headline("That generation 0 guesses suspect text better or worse than real text is not known")
    way = "harder" if claim.comparison is Comparison.MORE else "easier"
    names = (wording.number(wording.times(over_seeds(values).value)) for values in (suspect, real, own))
    return Headline(
        "Suspect text is {} to guess than real text: perplexity {} against {}; generation 0's own {}".format(
            way, *names
        ),
        (claim,),
    )


def _claim(
    results: RunResults,
    arm: Regime,
    metric: Metric,
    tokens: Metric = held_out_tokens,
    less: Metric | None = None,
    least: float = LEAST_NATS,
) -> Claim:
    """Return the change of an arm's last generation."""
    last = results.last(arm)
    counted = results.values(arm, last, tokens)
    fewest = float(counted.min()) if counted.size else 0.0
    change, floor = results.change(arm, last, metric, less), results.floor(metric, less)
    return Claim(str(arm), change, floor, least, 0.0 if math.isnan(fewest) else fewest)


def _part(arm: Regime, part: PartChange) -> Claim:
    return Claim(str(arm), part.change, part.floor, tokens=part.tokens)


def _leaves(results: RunResults, arm: Regime, measure: Measure) -> Claim:
    """Return how much farther from real text the last generation's text is than generation 0's."""
    real = results.at_start(of_text("unseen", measure.metric)).value
    start = results.at_start(of_text("written", measure.metric)).value

    def distance(row: GenerationMetrics) -> float:
        return abs(of_text("written", measure.metric)(row) - real)

    size = max(abs(real), abs(start), 0.5)  # of shares near 0, half a percentage point counts
    return _claim(results, arm, distance, least=LEAST_SHARE * size)


def _share_beyond(real: Values, side: int) -> Metric:
    """Return the metric for the share of written texts on one side of nearly all real texts."""

    def share(row: GenerationMetrics) -> float:
        return beyond(np.array(row.written.surprise.histogram, np.float64), real)[side] if row.written else math.nan

    return share


def _unknown(claims: Iterable[Claim]) -> bool:
    """Return whether chance is known for none of the claims."""
    return all(claim.comparison is Comparison.UNKNOWN for claim in claims)
