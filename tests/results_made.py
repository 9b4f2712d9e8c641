"""Results of an invented run: invented metrics, and what the real code computes from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from collapse.corpus import ReadReport, SetReport, SplitReport, SuspectReport
from collapse.findings.results import RunResults, Sample
from collapse.findings.summary import summarized
from collapse.measures import loss
from collapse.measures.copied import Copied
from collapse.measures.loss import MeanLoss
from collapse.measures.metrics import BandSizes, GenerationMetrics, HeldOutMetrics, Strange, Surprise, TextMetrics
from collapse.measures.spread import Interval
from collapse.recipe import Paper, load
from collapse.regimes import Regime
from collapse.run.measure import EDGES, QUANTILES

#: Nats that an arm's loss on held-out text rises in each generation.
RISES = {"replace": 0.18, "mix": 0.05, "accumulate": 0.012, "accumulate-subsample": 0.05, "fresh": 0.0, "real": 0.0}
BANDS = {"unseen": (9.5, 0.3), "rarest": (8.6, 2.1), "rare": (6.6, 1.5), "common": (5.0, 1.0), "commonest": (3.1, 0.6)}
_SHARES = (0.0, 0.05, 0.15, 0.3, 0.5)
DOMAINS = {"a.example": 1.0, "news.example": 1.4, "$x^2<b>.example": 0.7}
PROMPTS = 3


def make_results(
    regimes: Sequence[str] = ("replace", "mix:0.1", "accumulate", "accumulate-subsample", "fresh", "real"),
    generations: int = 3,
    seeds: int = 3,
    domains: bool = True,
    noise: float = 0.004,
    text: str = "What was written. ",
    dose: float = 0.4,
) -> RunResults:
    """Return what `collapse.run.results.collect` would return for such a run.

    Args:
        noise: by how many nats a seed moves a loss.
        text: of each sample.
        dose: nats that the loss rises where all text is suspect.
    """
    draw = np.random.default_rng(7)
    recipe = replace(load("default"), regimes=tuple(regimes), generations=generations, seeds=seeds, paper=_PAPER)
    has_suspect = any(name.startswith("suspect") for name in regimes)
    rows = []
    for seed in range(seeds):
        base = draw.normal(0, 0.02)
        start = _generation(draw, seed, "start", 0, base, 0.0, noise, domains, True)
        start = replace(
            start,
            unigram=6.4,
            unseen=_text(draw, 5.0, 0.45, 1.0),
            bands=BandSizes(dict.fromkeys(BANDS, 800), dict(zip(BANDS, _SHARES, strict=True))),
        )
        if has_suspect:
            start = replace(start, suspect=_text(draw, 4.7, 0.3, 0.85))
        rows.append(start)
        for name in regimes:
            regime = Regime.parse(name)
            for generation in range(1, regime.generations(generations) + 1):
                rise = RISES.get(regime.kind, 0.0) * generation
                if regime.kind == "suspect":
                    rise = dose * (regime.share or 0.0) ** 1.5
                rows.append(_generation(draw, seed, name, generation, base, rise, noise, domains, regime.writes))
    return summarized(
        recipe,
        rows,
        set=_set(has_suspect),
        parameters=929_280,
        edges=EDGES.tolist(),
        samples=_samples(regimes, generations, text),
    )


_PAPER = (
    Paper("perplexity of generation 0 (OPT-125m, WikiText-2)", "perplexity", "replace", 0, 34.0),
    Paper("rise of perplexity, no real text kept", "rise", "replace", -1, 20.0),
    Paper("what an arm that was not run gives", "ratio", "mix:0.75", -1, 1.1),
)


def _generation(
    draw: np.random.Generator,
    seed: int,
    regime: str,
    generation: int,
    base: float,
    rise: float,
    noise: float,
    domains: bool,
    writes: bool,
) -> GenerationMetrics:
    moved = rise + draw.normal(0, noise)

    def part(mean: float) -> MeanLoss:
        return MeanLoss(Interval(mean, mean - 0.05, mean + 0.05), 5000, 12)

    mean = 5.05 + base + moved
    bands = {
        name: part(level + base + rise * steep + draw.normal(0, 2 * noise)) for name, (level, steep) in BANDS.items()
    }
    held_out = HeldOutMetrics(part(mean), loss.perplexity(mean), {}, {}, bands)
    if domains:
        held_out = replace(
            held_out,
            domains={name: part(5 + base + rise * steep + draw.normal(0, noise)) for name, steep in DOMAINS.items()},
            dates={year: part(5 + base + rise + draw.normal(0, noise)) for year in ("2012", "2019")},
        )
    written = _text(draw, 5.1 + rise, 0.42 + rise / 4, 0.97 - rise / 3) if writes else None
    return GenerationMetrics(seed, regime, generation, held_out, written)


def _text(draw: np.random.Generator, mean: float, deviation: float, variety: float) -> TextMetrics:
    """Return the metrics of a set of 1,400 texts."""
    means = np.append(draw.normal(mean, deviation, 1385), draw.normal(mean + 2, 0.5, 15))

    def near(value: float) -> float:
        return float(value * np.exp(draw.normal(0, 0.004)))

    return TextMetrics(
        surprise=Surprise(
            mean=float(means.mean()),
            deviation=float(means.std()),
            quantiles=dict(zip(QUANTILES, np.quantile(means, QUANTILES).tolist(), strict=True)),
            histogram=np.histogram(np.clip(means, 0, 16), EDGES)[0].tolist(),
        ),
        distinct={n: near(variety * share) for n, share in ((1, 0.05), (2, 0.45), (3, 0.82), (4, 0.95))},
        repetition=near(0.02 / variety**2),
        self_bleu=near(0.3 / variety),
        compression=near(2.6 / variety),
        entropy=near(6.6 * variety**0.3),
        zipf_slope=-near(1.02 / variety),
        vocabulary_kept={"all": near(0.93 * variety), **{name: near(0.8 * variety) for name in BANDS}},
        rare_ngrams_kept={2: near(0.3 * variety), 3: near(0.1 * variety)},
        copied=Copied(near(0.01), 21),
        kl=near(0.02 / variety**4),
        rarity_distance=near(0.1 / variety),
        sentence_words=near(17),
        length_distance=near(1.0),
        length_kl=0.01,
        strange=Strange(int((means > 6.2).sum()), len(means)),
    )


def _set(has_suspect: bool) -> SetReport:
    reading = ReadReport(documents=887, bytes=13_169_471, rejects={"divided": 167, "bad-row": 2}, is_sample=True)
    return SetReport(
        name="a made set",
        reading=reading,
        split=SplitReport(
            train_documents=700,
            train_bytes=4_000_000,
            held_out_documents=60,
            held_out_bytes=400_000,
            is_given=False,
            dropped={"near-duplicate": 3},
            dropped_bytes=12_000,
        ),
        suspect=SuspectReport("a suspect set", reading, 800, {"overlap": 1}) if has_suspect else None,
        vocabulary=4096,
        blocks={"real": 7000, "held_out": 500},
        held_out_tokens=31_500,
        held_out_documents_used=55,
    )


def _samples(regimes: Sequence[str], generations: int, text: str) -> list[Sample]:
    def sample(regime: str, generation: int | None, what: str) -> Sample:
        return Sample(regime, generation, [f"{what} {n} {text}" for n in range(PROMPTS)])

    samples = [sample("text", None, "real"), sample("prompt", None, "prompt"), sample("start", 0, "start")]
    for name in regimes:
        if Regime.parse(name).writes:
            samples += [sample(name, generation, name) for generation in range(1, generations + 1)]
    if any(name.startswith("suspect") for name in regimes):
        samples.append(sample("suspect", None, "block of the suspect set"))
    return samples
