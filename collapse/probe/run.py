"""`probe`: compare set B with set A, and each half of A with the other in the same way."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import SeedSequence, default_rng

from archive.errors import CollapseError
from archive.extras import is_installed
from archive.progress import Reporter
from archive.records.rows import Columns
from archive.show import count_of
from collapse.corpus import Corpus, Document, Style, read
from collapse.corpus.rows import conditions
from collapse.probe.draws import Division, Strata, dealt, divisions, strata
from collapse.probe.judge import Sizes, judge, summary
from collapse.probe.measure import Data
from collapse.probe.page import write
from collapse.probe.results import ProbeResult, SetUse
from collapse.probe.texts import SITES, Pair, Texts, enough, prepare
from collapse.probe.texts import documents as documents_of
from collapse.probe.wording import AUC_VECTORS, LIMITS

#: A path: a folder that `archive export` wrote, files, folders, patterns, `s3://` and `https://` addresses.
Set = str | os.PathLike[str]
#: The fewest texts of A and of B, and of each side of a comparison.
_LEAST, _LEAST_SIDE = (100, 50), 40
#: The fewest divisions that show a spread, and the shortest texts.
_DIVISIONS, _WORDS = 4, 10
#: What is read of a set, in bytes: enough for all the texts that can be used, unless they are very long.
_READ = 1 << 28


def probe(
    a: Set,
    b: Set,
    *,
    out: str | os.PathLike[str] | None = None,
    where: str | Sequence[str] = (),
    where_b: str | Sequence[str] = (),
    text_column: str | None = None,
    url_column: str | None = None,
    date_column: str | None = None,
    documents: Style = "auto",
    encoder: str | None = None,
    texts: int = 10_000,
    words: int | None = None,
    divisions: int = 10,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> ProbeResult:
    """Tell how set B differs from set A, next to how halves of A differ from each other.

    docs/probe.md describes the measures, and when not to believe each of them.

    Args:
        a: the set that is compared with: a folder that `archive export` wrote, or files of text, JSON lines, Parquet or
            CSV.
        b: the other set. The same one as A: a part of it is compared with the rest.
        out: a folder for probe.json and report.html.
        where: `column=value`, one or several: read only rows of A with these values.
        where_b: the same for B.
        text_column: the column of rows that holds the text.
        url_column: the column that holds the URL, which gives the site.
        date_column: the column that holds the date.
        documents: what is a document in plain text: auto, file, heading, blank-line or line.
        encoder: compute vectors with this one, as `archive embed` does, and compare these too.
        texts: the most texts to use of each set.
        words: how many words of each text are used; by default as many as four of five texts of both sets have, from 20
            to 300.
        divisions: how often A is divided into halves.
        seed: of the draws.
        reporter: receives the progress.

    Raises:
        CollapseError: a set is too small, the sets have too few texts of the same lengths and months, or an option is
            wrong, or `out` holds something else.
        ArchiveError: a set does not exist, is an unfinished export, or holds tokens; or the encoder cannot be used.
    """
    if divisions < _DIVISIONS:
        raise CollapseError(f"--divisions {divisions}: at least {_DIVISIONS}, which show a spread")
    if words is not None and words < _WORDS:
        raise CollapseError(f"--words {words}: at least {_WORDS}")
    if texts < _LEAST[0]:
        raise CollapseError(f"--texts {texts}: at least {_LEAST[0]}")
    reporter = reporter or Reporter()
    columns = Columns(text=text_column, url=url_column, date=date_column)
    asked = conditions(where), conditions(where_b, "--where-b")
    reporter.stage("read")
    first, second = (
        read([os.fspath(each)], limit_bytes=_READ, seed=seed, columns=columns, where=condition, style=documents)
        for each, condition in zip((a, b), asked, strict=True)
    )
    names = _name(first, asked[0]), _name(second, asked[1])
    settings = Settings(encoder, texts, words, divisions, seed, names)
    result = compare(first, second, settings, reporter)
    return write(result, out) if out is not None else result


@dataclass(frozen=True, slots=True)
class Settings:
    encoder: str | None
    texts: int
    words: int | None
    divisions: int
    seed: int
    names: tuple[str, str]


def compare(a: Corpus, b: Corpus, settings: Settings, reporter: Reporter) -> ProbeResult:
    """Compare two sets that were read.

    Raises:
        CollapseError: they have too few texts that can be compared.
    """
    names = settings.names
    listed = documents_of(a), documents_of(b)
    same = {each.text for each in listed[0]} == {each.text for each in listed[1]}
    if same:
        listed = _divided(listed[0], settings.seed)
    pair = prepare(*listed, settings.words, settings.texts, names)
    enough(pair, names, _LEAST)
    seeds = SeedSequence(settings.seed % (1 << 64)).spawn(settings.divisions + 1)
    layers = strata(pair)
    drawn = divisions(pair, layers, settings.divisions, default_rng(seeds.pop()))
    size = len(drawn[0].x)
    if size < _LEAST_SIDE:
        raise CollapseError(
            f"{names[0]} and {names[1]}: {count_of(size, 'text')} for each side of a comparison, of the same lengths"
            f"{' and times' if layers.period else ''}, and {_LEAST_SIDE} are needed; give more texts, or sets that are "
            "more alike"
        )
    data = Data.of(pair, settings.encoder, reporter)
    reporter.stage("compare", len(drawn))
    measured = []
    for division, seed in zip(drawn, seeds, strict=True):
        measured.append(data.measure(division, seed))
        reporter.advance(1, 0)
    used = np.unique(np.concatenate([rows for each in drawn for rows in (each.x, each.y, each.b)]))
    used_a, used_b = int((used < len(pair.a)).sum()), int((used >= len(pair.a)).sum())
    sizes = Sizes(used_a, used_b, size, len(drawn[0].held), pair.words)
    probes = judge(measured, sizes, {} if settings.encoder else {AUC_VECTORS: _no_encoder()})
    return ProbeResult(
        a=_use(a, names[0], len(listed[0]), pair.a, pair.left_out[0], used_a),
        b=_use(b, names[1], len(listed[1]), pair.b, pair.left_out[1], used_b),
        same=same,
        texts=size,
        words=pair.words,
        by=pair.by,
        lengths=layers.lengths,
        period=layers.period,
        divisions=len(drawn),
        encoder=data.encoder,
        seed=settings.seed,
        probes=probes,
        thin=measured[0].thin,
        thick=measured[0].thick,
        summary=summary(probes),
        warnings=tuple(_warnings(pair, layers, drawn, names)),
        limits=LIMITS,
    )


def _divided(documents: Sequence[Document], seed: int) -> tuple[list[Document], list[Document]]:
    """Divide a set by site: one part of three is compared with the rest, of which each half is as large."""
    numbers: dict[str, int] = {}
    sites = [numbers.setdefault(each.domain or each.text, len(numbers)) for each in documents]
    part = dealt(np.array(sites, np.int64), 3, default_rng(seed % (1 << 64)))
    taken = [(each, number == 0) for each, number in zip(documents, part, strict=True)]
    return [each for each, is_b in taken if not is_b], [each for each, is_b in taken if is_b]


def _use(corpus: Corpus, name: str, read: int, texts: Texts, left_out: Mapping[str, int], drawn: int) -> SetUse:
    return SetUse(
        name=name,
        texts=read,
        usable=len(texts),
        sites=texts.site_count,
        left_out=dict(left_out),
        unmatched=len(texts) - drawn,
        rejects=corpus.reading.rejects,
        is_sample=corpus.reading.is_sample,
    )


def _no_encoder() -> str:
    if not all(map(is_installed, ("torch", "transformers", "tokenizers"))):
        return "it needs an encoder: pip install 'lowbackground[embed]', and name one with --encoder"
    return "name an encoder with --encoder"


def _warnings(pair: Pair, strata: Strata, drawn: Sequence[Division], names: tuple[str, str]) -> Iterator[str]:
    """Yield what a reader must know of these two sets."""
    dated = [float((texts.months >= 0).mean()) for texts in (pair.a, pair.b)]
    if pair.by == "text":
        yield (
            f"Fewer than {SITES} sites are known of a set, so each text counts as a site of its own: what a few sites "
            "or writers have in common looks like a difference of the sets, and the intervals are too narrow for that."
        )
    sites = np.concatenate([pair.a.sites, pair.b.sites])
    a, b = (
        np.mean([len(np.unique(sites[rows])) for rows in side])
        for side in ([each.x for each in drawn], [each.b for each in drawn])
    )
    if max(a, b) > 2 * min(a, b):
        yield (
            f"The texts of a side are from {a:.0f} sites of A, or {b:.0f} of B: text of fewer sites has fewer "
            "subjects and words, whatever it is."
        )
    if strata.lengths == 1:
        yield "The sets have too few texts of the same lengths: what the numbers show may be how longer texts are."
    if strata.period is None and min(dated) > 0:
        yield "The sets have too few dates in common: what the numbers show may be the time between them."
    if strata.period is None and min(dated) == 0:
        yield "Dates are not known of both sets: what the numbers show may be the time between them."
    for texts, counts, name in zip((pair.a, pair.b), pair.left_out, names, strict=True):
        lost = sum(counts[reason] for reason in ("too-short", "in-both", "near-duplicate", "over-site"))
        if lost > len(texts):
            yield f"Of {name} more texts were left out ({lost:,}) than are usable ({len(texts):,})."


def _name(corpus: Corpus, where: Mapping[str, str]) -> str:
    return corpus.name + "".join(f", {column}={value}" for column, value in where.items())
