"""`export`: select, screen, arrange, gather, write; killed anywhere, the same call goes on."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from archive.engine import Engine, Workers, open_engine, succeed
from archive.errors import ExportError
from archive.extras import require
from archive.lake import Lake
from archive.progress import Reporter
from query.export import filter_texts, manifest, shuffle, write_shards
from query.export.arguments import Arguments
from query.export.assign_shards import Shard, arrange
from query.export.select import TABLES, Step, select
from query.export.workplace import MEMORY, Workplace, said
from query.formats import open_format
from query.tokenizer import open_tokenizer

if TYPE_CHECKING:
    from query.formats.tokenize import Tokenizer


@dataclass(frozen=True, slots=True)
class Summary:
    """What an export holds."""

    rows: int
    shards: int
    bytes: int  #: of all shards
    tokens: int | None
    splits: dict[str, int]  #: rows of each
    shares: dict[str, float]  #: of the characters, or where tokens are exported of the tokens, in each
    dropped: list[Step]
    root: str
    content_root: str  #: the same wherever the cited files lie


def export(
    lake: Lake,
    out: str | Path,
    arguments: Arguments,
    workers: Workers = None,
    memory: str = MEMORY,
    reporter: Reporter | None = None,
) -> Summary:
    """Write a clean set to a folder.

    The same version of the lake and the same arguments give the same bytes, whatever the number of workers. A
    call that was killed is gone on with by the same call, on the version of the lake that it began with.

    Args:
        workers: processes; by default one for each core.
        memory: what DuckDB may use for the selection (`2GB`); more is written to the disk meanwhile.

    Raises:
        ArchiveError: there is no lake, nothing to export, no room on the disk, or the folder holds something else.
    """
    reporter = reporter or Reporter()
    engine = open_engine(workers)
    lake.delta("documents")  # says so where there is no lake
    for option, given in (("--preset", arguments.preset), ("--split", arguments.split),
                          ("--decontaminate", arguments.decontaminate)):  # fmt: skip
        if given:
            require(option, "index", "numba", "numpy")
    form = open_format(arguments.form)
    tokenizer = open_tokenizer(arguments.tokenizer, arguments.eos)
    if f"{os.path.realpath(out)}/".startswith(f"{lake.location}/"):
        raise ExportError(f"{out}: lies in the lake; name a folder outside of it")
    place = Workplace(out)
    try:
        if (made := place.whole()) is not None and _is_of(made, lake, arguments, tokenizer):
            return _summary(made)
        with place.open({"lake": lake.location, **_identity(arguments, tokenizer)}) as planned:
            if not planned:
                _plan(lake, place, arguments, tokenizer, engine, memory, reporter)
            if (made := place.finished()) is None:
                plan = place.read("plan.json")
                shards = [Shard(**shard) for shard in plan["shards"]]
                _gather(lake, place, plan, engine, reporter)
                _write(place, shards, arguments, tokenizer, engine, reporter)
                reporter.stage("finish", None)
                made = manifest.finish(place, shards, plan, arguments, form, tokenizer)
                place.write("finished.json", made)
            if planned:
                place.check(manifest.hashes(made))
            place.publish(manifest.names(made))
            return _summary(made)
    except (duckdb.Error, pa.ArrowException) as error:
        raise ExportError(f"{place.out}: {str(error).strip().splitlines()[0]}") from None
    except OSError as error:
        raise said(error, place.out) from None


def _summary(made: dict[str, Any]) -> Summary:
    dropped = [Step(**step) for step in made["dropped"]]
    return Summary(
        made["rows"],
        len(made["shards"]),
        made["bytes"],
        made["tokens"],
        made["splits"],
        _shares(made["shards"]),
        dropped,
        made["merkle_root"],
        made["content_root"],
    )


def _shares(shards: list[dict[str, Any]]) -> dict[str, float]:
    sizes: dict[str, int] = {}
    for shard in shards:
        split = shard["folder"].rpartition("/")[2]
        sizes[split] = sizes.get(split, 0) + (shard["chars"] if shard["chars"] is not None else shard["tokens"])
    total = max(sum(sizes.values()), 1)
    return {split: size / total for split, size in sizes.items()}


def _is_of(made: dict[str, Any], lake: Lake, arguments: Arguments, tokenizer: Tokenizer | None) -> bool:
    """Whether an export is what this call would make."""
    fingerprint = tokenizer and tokenizer.fingerprint
    return (
        made["lake"] == {"location": lake.location, "versions": _versions(lake)}
        and made["arguments"] == arguments.as_json()
        and (made["tokenizer"] or {}).get("fingerprint") == fingerprint
    )


def _versions(lake: Lake) -> dict[str, int]:
    return {table.name: lake.delta(table.name).version() for table in TABLES if lake.has(table)}


def _identity(arguments: Arguments, tokenizer: Tokenizer | None) -> dict[str, Any]:
    """What an unfinished export must have been begun with, to be gone on with."""
    files = {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in arguments.decontaminate}
    stated = arguments.as_json()
    tokens = tokenizer and [tokenizer.fingerprint, tokenizer.eos_id]
    return {**stated, "decontaminate": files, "tokenizer": tokens, "program": version("lowbackground")}


def _plan(
    lake: Lake,
    place: Workplace,
    arguments: Arguments,
    tokenizer: Tokenizer | None,
    engine: Engine,
    memory: str,
    reporter: Reporter,
) -> None:
    """Decide which row stands where; from here on the lake is only read for texts."""
    versions = _versions(lake)
    # after the versions: they are asked again at the end, so that the files are those of these versions
    added = pa.table(lake.delta("documents").get_add_actions(flatten=True))
    sizes = dict(zip(added["path"].to_pylist(), added["size_bytes"].to_pylist(), strict=True))
    files = sorted(sizes)
    reporter.stage("select", None)
    dropped = select(lake, files, arguments, memory, place.selected, place.scratch)
    if arguments.decontaminate or arguments.max_tokens is not None:
        sets = filter_texts.prepare(place, arguments)
        counting = tokenizer if arguments.max_tokens is not None else None
        units = filter_texts.plan(lake, files, [sizes[file] for file in files], place, sets, counting, arguments.mask)
        reporter.stage("screen", None)
        for _ in succeed(engine.run(filter_texts.work, units, progress=reporter.advance, scratch=str(place.work))):
            pass
    reporter.stage("arrange", None)
    made = arrange(lake, place, arguments, memory)
    dropped += made.dropped
    if not made.shards:
        raise ExportError("the set is empty: " + "; ".join(f"{step.dropped} texts: {step.name}" for step in dropped))
    if versions != {name: lake.delta(name).version() for name in versions}:
        raise ExportError(f"{lake.location} changed while the set was selected; run the same command again")
    place.write(
        "plan.json",
        {
            "lake": lake.location,
            "versions": versions,
            "files": files,
            "sizes": [sizes[file] for file in files],
            "shards": [asdict(shard) for shard in made.shards],
            "dropped": [asdict(step) for step in dropped],
            "contamination": made.contamination,
        },
    )
    place.write("planned", True)


def _gather(lake: Lake, place: Workplace, plan: dict[str, Any], engine: Engine, reporter: Reporter) -> None:
    reporter.stage("gather", sum(shard["rows"] for shard in plan["shards"]))
    units = shuffle.plan(lake, plan["files"], plan["sizes"], place.places, place.spill)
    for _ in succeed(engine.run(shuffle.work, units, progress=reporter.advance, scratch=str(place.work))):
        pass


def _write(
    place: Workplace,
    shards: list[Shard],
    arguments: Arguments,
    tokenizer: Tokenizer | None,
    engine: Engine,
    reporter: Reporter,
) -> None:
    reporter.stage("write", sum(shard.rows for shard in shards))
    for folder in {shard.folder for shard in shards}:
        (place.set / folder).mkdir(parents=True, exist_ok=True)
    spilled = shuffle.Spilled(place.spill)
    units = [
        write_shards.Unit(place.out, shard, arguments, spilled.where(shard.number), tokenizer)
        for shard in shards
        if not (place.done / f"{shard.number}.json").exists()
    ]
    for _ in succeed(engine.run(write_shards.work, units, progress=reporter.advance, scratch=str(place.work))):
        pass
