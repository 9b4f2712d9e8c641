"""The metrics of one generation, typed: how well it guesses held-out text, and what the text is like that it wrote.

A `Metric` picks one number of a generation, a `TextMetric` one of a set of texts. What was not measured is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from collapse.measures.copied import Copied
from collapse.measures.loss import MeanLoss

#: Which part of the held-out text: the tokens of a frequency band, a domain, a year.
PartKind = Literal["bands", "domains", "dates"]
#: Which texts: what the generation wrote; of generation 0 also real text that it never saw, and the suspect set.
TextKind = Literal["written", "unseen", "suspect"]
Quantiles = dict[float, float]


@dataclass(frozen=True, slots=True)
class HeldOutMetrics:
    """How well a model guesses the held-out text; losses are in nats per token."""

    loss: MeanLoss
    perplexity: float
    document_quantiles: Quantiles  #: of the documents' mean losses
    token_quantiles: Quantiles
    bands: dict[str, MeanLoss]  #: from the rarest tokens to the commonest
    domains: dict[str, MeanLoss] | None = None  #: None where no document has one
    dates: dict[str, MeanLoss] | None = None  #: by year

    def parts(self, kind: PartKind) -> dict[str, MeanLoss]:
        """Return the loss of each part of a kind; empty where it was not measured."""
        return {"bands": self.bands, "domains": self.domains or {}, "dates": self.dates or {}}[kind]


@dataclass(frozen=True, slots=True)
class Surprise:
    """The texts' mean losses under generation 0, in nats per token."""

    mean: float
    deviation: float
    quantiles: Quantiles
    histogram: list[int]  #: texts between two `edges` of the results


@dataclass(frozen=True, slots=True)
class Strange:
    """Texts that generation 0 finds less likely than 99 % of real texts."""

    texts: int
    of: int


@dataclass(frozen=True, slots=True)
class TextMetrics:
    """A set of texts: what a model wrote, or real text to compare it with. `collapse.measures` defines each number."""

    surprise: Surprise
    distinct: dict[int, float]  #: by the length of the n-grams
    repetition: float
    self_bleu: float
    compression: float
    entropy: float
    zipf_slope: float
    vocabulary_kept: dict[str, float]  #: by frequency band, and `all`
    rare_ngrams_kept: dict[int, float]  #: by the length of the n-grams
    copied: Copied
    kl: float
    rarity_distance: float
    sentence_words: float
    length_distance: float
    length_kl: float
    strange: Strange


@dataclass(frozen=True, slots=True)
class BandSizes:
    """The frequency bands of the vocabulary."""

    types: dict[str, int]  #: tokens of the vocabulary in each
    shares: dict[str, float]  #: of the running tokens


@dataclass(frozen=True, slots=True)
class GenerationMetrics:
    """All metrics of one generation of an arm, in one seed."""

    seed: int
    regime: str  #: or `start`, for generation 0
    generation: int
    held_out: HeldOutMetrics
    written: TextMetrics | None = None  #: None where the arm's models do not write
    unigram: float | None = None  #: of generation 0: the loss of a model that knows only the tokens' frequencies
    unseen: TextMetrics | None = None  #: of generation 0
    bands: BandSizes | None = None  #: of generation 0
    suspect: TextMetrics | None = None  #: of generation 0, where the run has a suspect set

    def text(self, kind: TextKind) -> TextMetrics | None:
        """Return the metrics of the texts of a kind, if they were measured."""
        return {"written": self.written, "unseen": self.unseen, "suspect": self.suspect}[kind]


Metric = Callable[[GenerationMetrics], float]
TextMetric = Callable[[TextMetrics], float]


def held_out_loss(row: GenerationMetrics) -> float:
    """Return the mean loss on held-out text, in nats per token."""
    return row.held_out.loss.loss.value


def unigram_loss(row: GenerationMetrics) -> float:
    """Return the loss of a model that knows only how often each token occurs; of generation 0 alone."""
    return math.nan if row.unigram is None else row.unigram


def part_loss(kind: PartKind, name: str) -> Metric:
    """Return the metric for the loss on a part of the held-out text."""

    def metric(row: GenerationMetrics) -> float:
        part = row.held_out.parts(kind).get(name)
        return part.loss.value if part else math.nan

    return metric


def band_loss(name: str) -> Metric:
    """Return the metric for the loss on the tokens of a frequency band."""
    return part_loss("bands", name)


def part_tokens(kind: PartKind, name: str) -> Metric:
    """Return the metric for how many tokens of the held-out text are in a part of it."""

    def metric(row: GenerationMetrics) -> float:
        part = row.held_out.parts(kind).get(name)
        return part.tokens if part else math.nan

    return metric


def band_tokens(name: str) -> Metric:
    """Return the metric for how many tokens of the held-out text are in a frequency band."""
    return part_tokens("bands", name)


def held_out_tokens(row: GenerationMetrics) -> float:
    """Return how many tokens of held-out text were guessed."""
    return row.held_out.loss.tokens


def band_share(name: str) -> Metric:
    """Return the metric for the share of the running tokens that a band has; of generation 0 alone."""
    return lambda row: row.bands.shares.get(name, math.nan) if row.bands else math.nan


def of_text(kind: TextKind, metric: TextMetric) -> Metric:
    """Return the metric that takes a metric of the texts of a kind."""

    def of_row(row: GenerationMetrics) -> float:
        text = row.text(kind)
        return math.nan if text is None else metric(text)

    return of_row


def surprise(text: TextMetrics) -> float:
    """Return the texts' mean loss under generation 0."""
    return text.surprise.mean


def deviation(text: TextMetrics) -> float:
    """Return the standard deviation of the texts' losses under generation 0."""
    return text.surprise.deviation


def distinct(n: int) -> TextMetric:
    """Return the metric for distinct n-grams."""
    return lambda text: text.distinct.get(n, math.nan)


def vocabulary_kept(band: str) -> TextMetric:
    """Return the metric for the share of a band's tokens, or of `all`, that still occur."""
    return lambda text: text.vocabulary_kept.get(band, math.nan)


def rare_ngrams_kept(n: int) -> TextMetric:
    """Return the metric for the share of real text's rare n-grams that still occur."""
    return lambda text: text.rare_ngrams_kept.get(n, math.nan)
