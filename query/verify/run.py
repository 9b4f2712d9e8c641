"""`verify`: hashes and Merkle root first, then the cited records, sorted by where they lie."""

from __future__ import annotations

import os
import random
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from archive import storage
from archive.damage import naming_damage
from archive.engine import Engine, Workers, open_engine, succeed
from archive.errors import ExportError
from archive.lake import Lake
from archive.progress import Reporter
from query import dataset, merkle
from query.dataset import MANIFEST
from query.export.arguments import Arguments
from query.export.workplace import MEMORY
from query.tokenizer import open_tokenizer
from query.verify import manifest, shards
from query.verify.lake import cite
from query.verify.report import Report
from query.verify.trace import trace

if TYPE_CHECKING:
    from query.formats.tokenize import Tokenizer


def verify(
    out: str | Path,
    rows: int | None = 100,
    seed: int | None = None,
    root: str | None = None,
    moved: tuple[tuple[str, str], ...] = (),
    workers: Workers = None,
    reporter: Reporter | None = None,
) -> Report:
    """Check an export, or a lake.

    Args:
        out: the folder of an export; or a lake, of which there are no hashes to check, only records.
        rows: how many rows, chosen at random, to trace to their records; None: all.
        seed: of the choice; by default another each time.
        root: the Merkle root or the content root that the set is known to have, from elsewhere.
        moved: prefixes of cited files, and what stands there now.

    Raises:
        ExportError: there is no finished export here.
    """
    reporter, report = reporter or Reporter(), Report()
    engine = open_engine(workers)
    seed = random.SystemRandom().getrandbits(31) if seed is None else seed
    with engine.scratch() as folder:
        scratch = Path(folder)
        if _is_lake(str(out)):
            lake = Lake(str(out))
            with naming_damage(lake):
                report.rows = cite(lake, rows, seed, scratch / "lake.parquet")
            trace(scratch, moved, None, rows, report, engine, reporter)
            return report
        out = Path(out)
        try:
            stated = dataset.read(out)
            Arguments.from_json(stated["arguments"])
            count = sum(shard["rows"] for shard in stated["shards"])
            traced = None if rows is None or rows >= count else sorted(random.Random(seed).sample(range(count), rows))
            reporter.stage("shards", count)
            _shards(out, stated, traced, scratch, report, engine, reporter.advance)
            report.problems += manifest.beside(out, stated)
            if root is not None and root.lower() not in {report.root, report.content_root}:
                report.problems.append(f"neither the Merkle root, {report.root}, nor the content root, "
                                       f"{report.content_root}, is {root}")  # fmt: skip
            trace(scratch, moved, _tokenizer(stated, report), rows, report, engine, reporter)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise ExportError(f"{out / MANIFEST}: this is no manifest of an export ({error!r})") from None
    return report


def _is_lake(location: str) -> bool:
    return (storage.is_s3(location) or os.path.isdir(location)) and Lake(location).exists()


def _shards(
    out: Path,
    stated: dict[str, Any],
    traced: list[int] | None,
    scratch: Path,
    report: Report,
    engine: Engine,
    progress: Callable[[int, int], None],
) -> None:
    """Check every shard, and write down what the chosen rows cite."""
    units, first = [], 0
    for number, shard in enumerate(stated["shards"]):
        last = first + shard["rows"]
        chosen = None if traced is None else tuple(traced[bisect_left(traced, first) : bisect_left(traced, last)])
        to, ids = scratch / f"{number}.parquet", scratch / "ids" / f"{number}.parquet"
        units.append(shards.Unit(out, stated["arguments"], shard, first, chosen, to, ids))
        first = last
    (scratch / "ids").mkdir()
    roots: dict[Path, shards.Checked] = {}
    for task, checked in succeed(engine.run(shards.work, units, progress=progress, scratch=str(scratch))):
        roots[task.to] = checked
        report.rows += checked.rows
        report.problems += checked.problems
    report.shards = len(units)
    report.problems.sort()
    report.root = merkle.root(merkle.part_leaf(roots[unit.to].root) for unit in units)
    report.content_root = merkle.root(merkle.part_leaf(roots[unit.to].content_root) for unit in units)
    if report.root != stated["merkle_root"]:
        report.problems.append(f"the Merkle root is {report.root}, the manifest says {stated['merkle_root']}")
    if report.content_root != (said := stated.get("content_root", report.content_root)):
        report.problems.append(f"the content root is {report.content_root}, the manifest says {said}")
    report.problems += manifest.totals(stated, report.rows)
    if any((scratch / "ids").iterdir()):
        with duckdb.connect(
            ":memory:", config={"memory_limit": MEMORY, "temp_directory": str(scratch / "spill")}
        ) as db:
            pattern = str(scratch / "ids" / "*.parquet").replace("'", "''")
            ((texts,),) = db.execute(f"SELECT count(DISTINCT content_id) FROM read_parquet('{pattern}')").fetchall()
        if texts != report.rows:
            report.problems.append(f"{report.rows - texts} rows stand in the set more than once")


def _tokenizer(stated: dict[str, Any], report: Report) -> Tokenizer | None:
    """The tokenizer of the export, to compare tokens with; what stands in the way of that is a problem."""
    if not stated["arguments"]["tokenizer"]:
        return None
    try:
        tokenizer = open_tokenizer(stated["arguments"]["tokenizer"], stated["arguments"]["eos"])
    except ExportError as error:
        report.problems.append(f"tokens cannot be compared with the records: {error}")
        return None
    if tokenizer is not None and tokenizer.fingerprint != (stated["tokenizer"] or {}).get("fingerprint"):
        report.problems.append(f"tokens cannot be compared with the records: {tokenizer.name} is another tokenizer now")
        return None
    return tokenizer
