"""What a suspect set is like: on which real text it teaches worse, and whether it resembles a model's or real text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from collapse.findings.results import Comparison, RunResults, compare
from collapse.measures.metrics import (
    PartKind,
    TextMetric,
    deviation,
    distinct,
    of_text,
    part_loss,
    part_tokens,
    rare_ngrams_kept,
    vocabulary_kept,
)
from collapse.measures.spread import Interval, over_seeds
from collapse.regimes import START, Regime

_KINDS: tuple[PartKind, ...] = ("bands", "domains", "dates")


@dataclass(frozen=True, slots=True)
class PartChange:
    """How the loss on one part of the held-out text changed."""

    kind: PartKind
    name: str
    change: Interval  #: of the loss, in nats per token
    floor: Interval  #: how far chance moves it
    tokens: float  #: of it, in the seed that has the fewest

    @property
    def described(self) -> str:
        """The part, for a sentence."""
        return {"bands": f"the {self.name} tokens", "dates": f"text of {self.name}"}.get(self.kind, self.name)

    @property
    def comparison(self) -> Comparison:
        return compare(self.change, self.floor)


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of a set of texts, as the report names it."""

    title: str
    metric: TextMetric
    unit: str


#: The measures by which written text is compared with real text.
MEASURES = (
    Measure("distinct 2-grams", distinct(2), "different pairs of tokens / all pairs"),
    Measure("distinct 4-grams", distinct(4), "different runs of four tokens / all"),
    Measure("repetition", lambda text: text.repetition, "share of 4-grams said before in the text"),
    Measure("self-BLEU", lambda text: text.self_bleu, "0 to 1: how well texts predict one another"),
    Measure("compression", lambda text: text.compression, "bytes / compressed bytes"),
    Measure("entropy of tokens", lambda text: text.entropy, "nats: how many tokens share the work"),
    Measure("Zipf slope", lambda text: text.zipf_slope, "steeper (more negative): fewer rare tokens"),
    Measure("vocabulary kept", vocabulary_kept("all"), "share of the real text's tokens that occur"),
    Measure("rarest tokens kept", vocabulary_kept("rarest"), "share of the rarest band that occurs"),
    Measure("rare 2-grams kept", rare_ngrams_kept(2), "share of real text's rare pairs that occur"),
    Measure("spread of surprise", deviation, "nats: deviation over texts, under generation 0"),
    Measure("copied", lambda text: text.copied.share, "share of tokens in copied runs of 16"),
)


class Side(Enum):
    """Where the suspect set is on the line from real text (0) to what a model wrote (1) and beyond."""

    REAL = "like real text"
    MODEL = "like the model's text"
    BEYOND = "farther from real text than the model's"
    OTHER = "on the other side of real text"
    OPEN = "open"
    SAME = "says nothing: the model's text is like real text"


@dataclass(frozen=True, slots=True)
class Likeness:
    """One measure of real text, of the suspect set and of what generation 0 wrote."""

    title: str
    real: Interval
    suspect: Interval
    written: Interval
    side: Side


def likenesses(results: RunResults) -> list[Likeness]:
    """Compare the suspect set with real text and a model's text, by each measure that the run has of it."""
    rows = []
    for measure in MEASURES:
        real = results.values(START, 0, of_text("unseen", measure.metric))
        suspect = results.values(START, 0, of_text("suspect", measure.metric))
        written = results.values(START, 0, of_text("written", measure.metric))
        side = _side(over_seeds(written - real), over_seeds(suspect - real))
        row = Likeness(measure.title, over_seeds(real), over_seeds(suspect), over_seeds(written), side)
        if not math.isnan(row.suspect.value):
            rows.append(row)
    return rows


def reference(results: RunResults, arm: Regime) -> Regime | None:
    """Return the arm of other real text that a suspect arm is compared with, if the run has one.

    Any other set does worse than generation 0's on words that generation 0's set happens to have more often than most,
    and better on those that it has less often. Only another real set shows which part of that is due to the suspect.
    """
    return results.references[0] if results.references and arm.kind == "suspect" and arm.share == 1 else None


def part_changes(results: RunResults, arm: Regime) -> list[PartChange]:
    """Return how the loss changed on each band, domain and year of the held-out text, where there are several.

    The change is that from generation 0, or from the `reference` arm.
    """
    changes, other, last = [], reference(results, arm), results.last(arm)
    for kind in _KINDS:
        names = results.bands() if kind == "bands" else results.names(kind)
        for name in names if len(names) > 1 else ():
            loss = part_loss(kind, name)
            change = results.between(arm, other, last, loss) if other else results.change(arm, last, loss)
            tokens = float(results.values(arm, last, part_tokens(kind, name)).min())
            changes.append(PartChange(kind, name, change, results.floor(loss), tokens))
    return changes


def worst(results: RunResults, arm: Regime) -> list[PartChange]:
    """Return the parts that lost more than chance explains, those that lost most first."""
    lost = [part for part in part_changes(results, arm) if part.comparison is Comparison.MORE]
    return sorted(lost, key=lambda part: -part.change.value)


def _side(gap: Interval, away: Interval) -> Side:
    """Tell the side from how far a model's text (`gap`) and the suspect set (`away`) are from real text, over seeds."""
    if math.isnan(gap.low) or math.isnan(away.low):
        return Side.OPEN
    if gap.low <= 0 <= gap.high:
        return Side.SAME
    low, high = sorted((away.low / gap.value, away.high / gap.value))
    edges = {
        Side.OTHER: (-math.inf, -0.5),
        Side.REAL: (-0.5, 0.5),
        Side.MODEL: (0.5, 1.5),
        Side.BEYOND: (1.5, math.inf),
    }
    return next((side for side, (first, last) in edges.items() if first <= low and high <= last), Side.OPEN)
