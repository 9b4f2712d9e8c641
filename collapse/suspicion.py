"""What a suspect set is like: where it teaches worse, and whether its text lies nearer to a model's than to real text."""

from __future__ import annotations

import math
from dataclasses import dataclass

from collapse.found import Call, Found, call
from collapse.measures.spread import Interval, over_seeds
from collapse.regimes import Regime


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


@dataclass(frozen=True, slots=True)
class Look:
    """One measure of real text, of the suspect set and of what generation 0 wrote."""

    title: str
    real: Interval
    suspect: Interval
    written: Interval
    gap: Interval  #: what was written less real text, paired by seed
    away: Interval  #: the suspect set less real text

    @property
    def is_apart(self) -> bool:
        """Whether a model's text can be told from real text by it: over seeds, not by chance."""
        return not math.isnan(self.suspect.value) and (self.gap.low > 0 or self.gap.high < 0)

    @property
    def is_nearer_to_model(self) -> bool:
        """Whether the suspect set lies on the model's side of the middle, by more than the spread over seeds."""
        ends = (self.away.low, self.away.high) if self.gap.value > 0 else (-self.away.high, -self.away.low)
        return ends[0] > abs(self.gap.value) / 2


def looks(found: Found) -> list[Look]:
    """The suspect set beside real text and a model's."""
    made = []
    for measure in MEASURES:
        real, suspect, written = (
            found.values("start", 0, kind, *measure.path) for kind in ("unseen", "suspect", "written")
        )
        made.append(
            Look(
                measure.title,
                *(over_seeds(values) for values in (real, suspect, written)),
                gap=over_seeds(written - real),
                away=over_seeds(suspect - real),
            )
        )
    return made


def parts(found: Found, arm: Regime) -> list[Part]:
    """The held-out text by band, by domain and by date, where there are several."""
    made = []
    for kind in ("bands", "domains", "dates"):
        names = found.bands() if kind == "bands" else found.names("held_out", kind)
        for name in names if len(names) > 1 else ():
            path = ("held_out", kind, name, "loss", "value")
            made.append(Part(kind, name, found.change(arm, found.last(arm), *path), found.floor(*path)))
    return made


def worst(found: Found, arm: Regime) -> list[Part]:
    """The parts that lost more than chance makes, those that lost most first."""
    lost = [part for part in parts(found, arm) if part.call is Call.MORE]
    return sorted(lost, key=lambda part: -part.change.value)
