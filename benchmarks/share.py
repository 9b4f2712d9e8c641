"""Known shares of machine text, and what `archive share` says of them.

    python benchmarks/share.py human-machine [--draws 200] [--shifts 40] [--only known|domain|model]

`human-machine` has passages of people with what three models wrote from the same first words (fast-detect-gpt: xsum,
writing, pubmed, 150 each), and answers of people and of ChatGPT to the same questions (HC3: medicine, wiki, open_qa).
The words that both begin with are taken away. Each draw deals the prompts out anew, so that the human side, the machine
sample (with the human texts on its prompts) and the months of the target share none. Human texts have months from 2016
to 2021; six months of 2022 and 2023 have the texts of people on the prompts of the target, of which 0, 1, 2, 5, 10 and
25 % are replaced by the machine's. Each prompt is a host of its own: the data has no hosts.

Of each draw and month it is counted whether a number was given, whether its interval has the true share, and how wide
it is. Two other ways to a share are shown next to the mixture, from the same texts:

- *words*: the rate of the published lists of words, between the rate of the human side and that of the sample, with the
  Poisson interval of the month;
- *classify*: a logistic regression on the same words, and the part of the month that it calls machine text, with the
  interval of that part (Clopper and Pearson).

`known`: the sample and the target are of one domain and model. `domain`: the target is of another domain than the human
side, or the sample is, with human texts on its prompts or alone. `model`: the target is by a model that the sample
lacks, or that is one of several in it.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from collapse.share.corpus import Corpus, Text, Vocabulary, count_words
from collapse.share.estimates.excess import excess
from collapse.share.estimates.mixture import mixture
from collapse.share.estimates.months import name_of
from collapse.share.estimates.rows import Sample
from collapse.share.estimates.texts import frequent_words, in_order, part, presence
from collapse.share.estimates.words import hits_of, rate_interval
from collapse.share.phrases import LISTS
from collapse.share.results import Series

REFERENCE = 2022 * 12
SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.25)
MODELS = ("davinci", "gpt-3.5-turbo", "gpt-4")
WRITTEN = ("xsum", "writing", "pubmed")
ANSWERED = {"medicine": "hc3_medicine_full.csv", "wiki": "hc3_wiki_csai_full.csv", "open_qa": "hc3_open_qa_full.csv"}
CHATGPT = "ChatGPT"
#: The prompts are dealt out to the human side, the sample, and from here on the target.
_HUMAN, _TARGET = 0.46, 0.72
_MOST_TARGET = 200
#: The part of a target whose people write of something else.
_STRANGE = 0.25
Indexes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Texts:
    """The texts of one domain, counted: of each model, row `i` of both sides is on the same prompt."""

    domain: str
    human: dict[str, Corpus]  #: of each model, since the passages are cut differently
    machine: dict[str, Corpus]
    prompts: dict[str, Indexes]  #: the number of the prompt of each row
    number: int  #: of prompts

    def rows(self, model: str, prompts: Indexes) -> Indexes:
        """Return the rows on some prompts, in the order of these."""
        order = np.full(self.number, -1)
        order[prompts] = np.arange(len(prompts))
        at = order[self.prompts[model]]
        return np.argsort(at, kind="stable")[np.count_nonzero(at < 0) :]


def written(folder: Path, domain: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield a model, a prompt, and the passage of a person and of the model, without what both begin with."""
    for model in MODELS:
        content = json.loads((folder / f"{domain}_{model}.raw_data.json").read_text())
        for human, machine in zip(content["original"], content["sampled"], strict=True):
            one, other = human.split(), machine.split()
            same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
            yield model, " ".join(one[:8]), " ".join(one[same:]), " ".join(other[same:])


def answered(folder: Path, domain: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield ChatGPT, a number, the answer of a person, and that of ChatGPT which follows it: to the same question."""
    csv.field_size_limit(1 << 30)
    with (folder / ANSWERED[domain]).open(newline="") as file:
        rows = {int(row["id"].partition("_")[2]): row for row in csv.DictReader(file)}
    for number, row in rows.items():
        other = rows.get(number + 1)
        if row["label"] == "0" and other and other["label"] == "1":
            yield CHATGPT, str(number), row["text"], other["text"]


def read(folder: Path, vocabulary: Vocabulary) -> dict[str, Texts]:
    """Return the texts of all domains."""
    found = {}
    for domain in (*WRITTEN, *ANSWERED):
        rows = list(written(folder, domain) if domain in WRITTEN else answered(folder, domain))
        numbers = {prompt: number for number, prompt in enumerate(dict.fromkeys(prompt for _, prompt, _, _ in rows))}
        human: dict[str, Corpus] = {}
        machine: dict[str, Corpus] = {}
        prompts: dict[str, Indexes] = {}
        for model in dict.fromkeys(row[0] for row in rows):
            mine = [row for row in rows if row[0] == model]
            prompts[model] = np.array([numbers[row[1]] for row in mine])
            for side, at in ((human, 2), (machine, 3)):
                texts = (Text(row[at], 0, "en/text", f"{domain} {row[1]}") for row in mine)
                side[model] = count_words(texts, vocabulary)
        found[domain] = Texts(domain, human, machine, prompts, len(numbers))
    return found


_COLUMNS = ("months", "strata", "hosts", "lengths", "words", "counts", "phrases")


def joined(parts: Sequence[Corpus]) -> Corpus:
    """Return the texts of several corpora as one."""
    sizes = np.concatenate([np.diff(each.offsets) for each in parts])
    return Corpus(
        **{name: np.concatenate([getattr(each, name) for each in parts]) for name in _COLUMNS},
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]),
        stratum_names=parts[0].stratum_names,
        vocabulary=parts[0].vocabulary,
    )


def dated(texts: Corpus, months: npt.ArrayLike) -> Corpus:
    """Return texts with other months."""
    return replace(texts, months=np.broadcast_to(np.asarray(months, np.int32), len(texts)))


@dataclass(frozen=True)
class Trial:
    """One draw: a corpus, samples, and the true share of each month."""

    corpus: Corpus
    samples: list[Sample]
    shares: dict[str, float]


@dataclass(frozen=True)
class Case:
    """What human side, samples and target are of."""

    human: Texts
    sample: Texts
    target: Texts
    given: tuple[str, ...]  #: models of the samples
    writer: str  #: the model of the target
    companion: bool = True
    strangers: Texts | None = None  #: of whose human texts a part of the target is

    def draw(self, rng: np.random.Generator) -> Trial:
        """Deal out the prompts."""
        dealt = {texts.domain: rng.permutation(texts.number) for texts in (self.human, self.sample, self.target)}
        parts = {domain: np.split(of, [int(_HUMAN * len(of)), int(_TARGET * len(of))]) for domain, of in dealt.items()}
        people = self.writer if self.writer in self.human.human else next(iter(self.human.human))
        before = self.human.rows(people, parts[self.human.domain][0])
        months = REFERENCE - 72 + 6 * (np.arange(len(before)) * 12 // len(before))
        corpora = [dated(part(self.human.human[people], before), months)]
        samples = []
        for model in self.given:
            own = self.sample.rows(model, parts[self.sample.domain][1])
            machine, human = (in_order(part(side[model], own)) for side in (self.sample.machine, self.sample.human))
            samples.append(Sample(model, machine, human if self.companion else None))
        rest = self.target.rows(self.writer, parts[self.target.domain][2])[:_MOST_TARGET]
        shares = {}
        for number, share in enumerate(SHARES):
            by_machine = rng.permutation(len(rest)) < int(share * len(rest) + rng.random())
            month = REFERENCE + 3 * number
            people_of_month = rest[~by_machine]
            strange = int(_STRANGE * len(people_of_month)) if self.strangers else 0
            if self.strangers:
                side = next(iter(self.strangers.human.values()))
                corpora.append(dated(part(side, rng.permutation(len(side))[:strange]), month))
            corpora.append(dated(part(self.target.human[self.writer], people_of_month[strange:]), month))
            corpora.append(dated(part(self.target.machine[self.writer], rest[by_machine]), month))
            shares[name_of(month)] = float(by_machine.mean())
        return Trial(in_order(joined(corpora)), samples, shares)


@dataclass
class Tally:
    """What one way to a share says of months with one true share."""

    given: int = 0
    refused: int = 0
    inside: int = 0
    holds_low: int = 0  #: the low end is not above the truth
    widths: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, truth: float, value: float | None, low: float | None, high: float | None, reason: str = "") -> None:
        if value is None or low is None or high is None:
            self.refused += 1
            self.reasons[reason] += 1
            return
        self.given += 1
        self.inside += low - 1e-9 <= truth <= high + 1e-9
        self.holds_low += low - 1e-9 <= truth
        self.widths.append(high - low)
        self.values.append(value)


Tallies = dict[tuple[str, str], Tally]


def note(series: Series, name: str, trial: Trial, tallies: Tallies) -> None:
    """Count what a series says of each month, and of the months before the reference."""
    points = {point.month: point for point in series.points}
    for (month, truth), share in zip(trial.shares.items(), SHARES, strict=True):
        point = points.get(month)
        tally = tallies.setdefault((name, f"{share:.0%}"), Tally())
        reason = re.sub(r"[\d.]+", "#", series.refused or (point.refused if point else None) or "")
        tally.add(truth, *((point.value, point.low, point.high) if point else (None, None, None)), reason)
    for month, point in points.items():
        if month < name_of(REFERENCE):
            tallies.setdefault((name, "before"), Tally()).add(0, point.value, point.low, point.high)


def by_words(trial: Trial, tallies: Tallies) -> None:
    """Count what the published words alone say."""
    corpus, sample = trial.corpus, trial.samples[0].machine
    hits, of_sample = (sum(hits_of(each, words) for words in LISTS) for each in (corpus, sample))
    before = corpus.months < REFERENCE
    human = 1e6 * hits[before].sum() / corpus.lengths[before].sum()  # type: ignore[index]
    far = 1e6 * np.sum(of_sample) / sample.lengths.sum() - human
    for truth, share in zip(trial.shares.values(), SHARES, strict=True):
        rows = corpus.months == REFERENCE + 3 * SHARES.index(share)
        found, words = float(hits[rows].sum()), float(corpus.lengths[rows].sum())  # type: ignore[index]
        tally = tallies.setdefault(("words", f"{share:.0%}"), Tally())
        if far <= 0:
            tally.add(truth, None, None, None)
            continue
        ends = [min(max((rate - human) / far, 0), 1) for rate in (1e6 * found / words, *rate_interval(found, words))]
        tally.add(truth, *ends)


def by_classifier(trial: Trial, tallies: Tallies) -> None:
    """Count what a classifier says that counts the texts it calls machine text."""
    from scipy.stats import beta
    from sklearn.linear_model import LogisticRegression

    corpus = trial.corpus
    machine = joined([sample.machine for sample in trial.samples])
    before = part(corpus, corpus.months < REFERENCE)
    words = frequent_words([before, machine])
    learned = presence(joined([before, machine]), words)
    labels = np.repeat([0, 1], [len(before), len(machine)])
    model = LogisticRegression(C=1.0, solver="liblinear", class_weight="balanced").fit(learned, labels)
    called = model.predict(presence(corpus, words))
    for truth, share in zip(trial.shares.values(), SHARES, strict=True):
        of_month = called[corpus.months == REFERENCE + 3 * SHARES.index(share)]
        count, size = int(of_month.sum()), len(of_month)
        low = float(beta.ppf(0.025, count, size - count + 1)) if count else 0.0
        high = float(beta.ppf(0.975, count + 1, size - count)) if count < size else 1.0
        tallies.setdefault(("classify", f"{share:.0%}"), Tally()).add(truth, count / size, low, high)


def run(case: Case, draws: int, seed: int, *, others: bool) -> Tallies:
    """Return what is said of some draws of a case."""
    rng = np.random.default_rng(seed)
    tallies: Tallies = {}
    for number in range(draws):
        trial = case.draw(rng)
        series = mixture(trial.corpus, "en/text", REFERENCE, trial.samples, number)
        note(series[0], "any", trial, tallies)
        model = case.writer if case.writer in case.given else case.given[0]
        like = next((one for one in series if one.title == f"text like that of {model}"), series[0])
        note(like, "like", trial, tallies)
        if others:
            note(excess(trial.corpus, "en/text", REFERENCE, number), "excess", trial, tallies)
            by_words(trial, tallies)
            by_classifier(trial, tallies)
    return tallies


def summed(tallies: Sequence[Tallies], name: str, shares: Sequence[str]) -> Tally:
    """Return what one way says of several shares, in all of several cases."""
    total = Tally()
    for one in (of_case[name, share] for of_case in tallies for share in shares if (name, share) in of_case):
        total.given, total.refused = total.given + one.given, total.refused + one.refused
        total.inside, total.holds_low = total.inside + one.inside, total.holds_low + one.holds_low
        total.widths += one.widths
        total.values += one.values
        total.reasons += one.reasons
    return total


def percent(part_: float, of: float) -> str:
    return f"{100 * part_ / of:.0f}" if of else "–"


def width(tally: Tally) -> str:
    return f"{np.median(tally.widths):.2f}" if tally.widths else "–"


ALL = [f"{share:.0%}" for share in SHARES]


def table(*columns: str) -> None:
    """Print the head of a table."""
    print("| " + " | ".join(columns) + " |\n| --- " + "| --: " * (len(columns) - 1) + "|")


def row(*cells: str) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(cells) + " |", flush=True)


def given(tally: Tally) -> str:
    return percent(tally.given, tally.given + tally.refused)


def covers(tally: Tally) -> str:
    return percent(tally.inside, tally.given)


def known(texts: dict[str, Texts], draws: int) -> None:
    """Print how known shares of the domain and model of the sample are estimated."""
    print(f"\n### Known shares, {draws} draws of six months\n")
    like_columns = ("given %", "covers %", "width", "width at 0 %", "before: zero in %", "any: covers %")
    other_columns = ("excess: given %", "low end holds %", "words: covers %", "width", "classify: covers %", "at 0 %")
    table("texts", *like_columns, *other_columns)
    everything: list[Tallies] = []
    for domain, of_domain in texts.items():
        for model in of_domain.machine:
            tallies = run(Case(of_domain, of_domain, of_domain, (model,), model), draws, 1, others=True)
            everything.append(tallies)
            like, anyone, rare, words, plain = (
                summed([tallies], name, ALL) for name in ("like", "any", "excess", "words", "classify")
            )
            zero, before = (summed([tallies], "like", [share]) for share in ("0%", "before"))
            row(
                f"{domain}, {model}",
                *(given(like), covers(like), width(like), width(zero), covers(before), covers(anyone)),
                *(given(rare), percent(rare.holds_low, rare.given), covers(words), width(words), covers(plain)),
                f"{np.mean(tallies['classify', '0%'].values):.2f}",
            )
    print("\nWithout a number, of the mixture:\n")
    for reason, number in summed(everything, "like", ALL).reasons.most_common(8):
        print(f"- {number} months: {reason}")
    print()
    table("true share", *ALL)
    for name in ("like", "words", "classify"):
        totals = [summed(everything, name, [share]) for share in ALL]
        row(f"{name}: covers % (width)", *(f"{covers(total)} ({width(total)})" for total in totals))


def shifted(title: str, cases: dict[str, Case], draws: int) -> None:
    """Print what is said where the sample or the target is of something else."""
    print(f"\n### {title}, {draws} draws of six months\n")
    columns = ("any: given %", "covers %", "width", "low end holds %", "like: given %", "covers %")
    table("case", *columns)
    for name, case in cases.items():
        tallies = run(case, draws, 2, others=False)
        anyone, like = (summed([tallies], way, ALL) for way in ("any", "like"))
        holds = percent(anyone.holds_low, anyone.given)
        row(name, given(anyone), covers(anyone), width(anyone), holds, given(like), covers(like))


def domains(texts: dict[str, Texts]) -> dict[str, Case]:
    """Return cases in which the target, or the sample, is of another domain."""
    cases = {}
    for group, model in ((WRITTEN, "gpt-3.5-turbo"), (tuple(ANSWERED), CHATGPT)):
        for own in group:
            for other in group:
                if own != other:
                    one, two = texts[own], texts[other]
                    cases[f"{own}; target {other}"] = Case(one, one, two, (model,), model)
                    cases[f"{own}; a quarter of the target's people {other}"] = Case(
                        one, one, one, (model,), model, strangers=two
                    )
                    cases[f"{own}; sample {other}"] = Case(one, two, one, (model,), model)
                    cases[f"{own}; sample {other} alone"] = Case(one, two, one, (model,), model, companion=False)
    return cases


def models(texts: dict[str, Texts]) -> dict[str, Case]:
    """Return cases in which the target is by a model that the sample lacks, or that is one of several."""
    cases = {}
    for domain in WRITTEN:
        own = texts[domain]
        for writer in MODELS:
            others = tuple(model for model in MODELS if model != writer)
            for other in others:
                cases[f"{domain}; {other} reads {writer}"] = Case(own, own, own, (other,), writer)
            cases[f"{domain}; both others read {writer}"] = Case(own, own, own, others, writer)
            cases[f"{domain}; all three read {writer}"] = Case(own, own, own, MODELS, writer)
    return cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--shifts", type=int, default=40)
    parser.add_argument("--only", choices=("known", "domain", "model"))
    arguments = parser.parse_args()
    texts = read(arguments.folder, Vocabulary())
    for domain, of_domain in texts.items():
        written_by = ", ".join(f"{len(rows)} of {model}" for model, rows in of_domain.prompts.items())
        print(f"{domain}: {of_domain.number} prompts, {written_by}")
    start = time.process_time()
    if arguments.only in (None, "known"):
        known(texts, arguments.draws)
    if arguments.only in (None, "domain"):
        shifted("Another domain", domains(texts), arguments.shifts)
    if arguments.only in (None, "model"):
        shifted("Another model", models(texts), arguments.shifts)
    print(f"\n{time.process_time() - start:.0f} CPU seconds")


if __name__ == "__main__":
    main()
