"""What a suspect set is like: where it teaches worse, and whether its text looks more like a model's or real text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from collapse.findings.results import Call, Found, call
from collapse.measures.spread import Interval, over_seeds
from collapse.regimes import START, Regime


@dataclass(frozen=True, slots=True)
class Part:
    """Held-out text of one kind."""

    kind: str  #: bands, domains or dates
    name: str
    change: Interval  #: of the loss, in nats for a token
    floor: Interval  #: what chance does to it

    @property
    def named(self) -> str:
        """In a sentence."""
        return {"bands": f"the {self.name} tokens", "dates": f"text of {self.name}"}.get(self.kind, self.name)

    @property
    def call(self) -> Call:
        return call(self.change, self.floor)


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of a set of texts."""

    title: str
    path: tuple[str, ...]
    says: str  #: its unit, in few words


#: By which what a generation wrote is set beside real text.
MEASURES = (
    Measure("distinct 2-grams", ("distinct", "2"), "different pairs of tokens / all pairs"),
    Measure("distinct 4-grams", ("distinct", "4"), "different runs of four tokens / all"),
    Measure("repetition", ("repetition",), "share of 4-grams said before in the text"),
    Measure("self-BLEU", ("self_bleu",), "0 to 1: how well texts predict one another"),
    Measure("compression", ("compression",), "bytes / compressed bytes"),
    Measure("entropy of tokens", ("entropy",), "nats: how many tokens share the work"),
    Measure("Zipf slope", ("zipf_slope",), "steeper (more negative): fewer rare tokens"),
    Measure("vocabulary kept", ("vocabulary_kept", "all"), "share of the real text's tokens that occur"),
    Measure("rarest tokens kept", ("vocabulary_kept", "rarest"), "share of the rarest band that occurs"),
    Measure("rare 2-grams kept", ("rare_ngrams_kept", "2"), "share of real text's rare pairs that occur"),
    Measure("spread of surprise", ("surprise", "deviation"), "nats: deviation over texts, under generation 0"),
    Measure("copied", ("copied", "share"), "share of tokens in copied runs of 16"),
)


class Side(Enum):
    """Where the suspect set lies, on the line from real text (0) to what a model wrote (1) and on."""

    REAL = "like real text"
    MODEL = "like the model's text"
    BEYOND = "farther from real text than the model's"
    OTHER = "on the other side of real text"
    OPEN = "cannot be told"
    SAME = "says nothing: the model's text is like real text"


@dataclass(frozen=True, slots=True)
class Look:
    """One measure of real text, of the suspect set and of what generation 0 wrote."""

    title: str
    real: Interval
    suspect: Interval
    written: Interval
    side: Side


def looks(found: Found) -> list[Look]:
    """The suspect set beside real text and a model's, by each measure that the run has of it."""
    made = []
    for measure in MEASURES:
        real, suspect, written = (
            found.values(START, 0, kind, *measure.path) for kind in ("unseen", "suspect", "written")
        )
        side = _side(over_seeds(written - real), over_seeds(suspect - real))
        look = Look(measure.title, over_seeds(real), over_seeds(suspect), over_seeds(written), side)
        if not math.isnan(look.suspect.value):
            made.append(look)
    return made


def beside(found: Found, arm: Regime) -> Regime | None:
    """The arm of other real text that a suspect set is compared with, if the run has one.

    A set that is merely another does worse than generation 0's on what that happened to have more often than most, and
    better on what it had less often: only another real set tells that from what is wrong with the suspect's.
    """
    return found.references[0] if found.references and arm.kind == "suspect" and arm.share == 1 else None


def parts(found: Found, arm: Regime) -> list[Part]:
    """The held-out text by band, by domain and by date, where there are several: the loss on it beside generation 0's,
    or that of the arm `beside`."""
    made, other, last = [], beside(found, arm), found.last(arm)
    for kind in ("bands", "domains", "dates"):
        names = found.bands() if kind == "bands" else found.names("held_out", kind)
        for name in names if len(names) > 1 else ():
            path = ("held_out", kind, name, "loss", "value")
            change = found.between(arm, other, last, *path) if other else found.change(arm, last, *path)
            made.append(Part(kind, name, change, found.floor(*path)))
    return made


def worst(found: Found, arm: Regime) -> list[Part]:
    """The parts that lost more than chance makes, those that lost most first."""
    lost = [part for part in parts(found, arm) if part.call is Call.MORE]
    return sorted(lost, key=lambda part: -part.change.value)


def _side(gap: Interval, away: Interval) -> Side:
    """From the differences to real text of a model's text and of the suspect set, over seeds."""
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
