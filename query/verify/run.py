"""`verify`: hashes and Merkle root first, then the cited records, sorted by where they lie."""

from __future__ import annotations

import json
import os
import random
import tempfile
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from archive.engine import Failed, Work, run_all
from archive.errors import ArchiveError, ExportError
from archive.show import Stages
from query import merkle
from query.export.workplace import MANIFEST, MEMORY
from query.tokenizer import open_tokenizer
from query.verify import records, shards

if TYPE_CHECKING:
    from query.formats.tokenize import Tokenizer

#: Citations that one worker follows in a go.
_TOGETHER = 200


@dataclass(slots=True)
class Report:
    """What `verify` found. `problems` says what is wrong with the export itself, `findings` with the records."""

    rows: int = 0
    shards: int = 0
    root: str = ""
    problems: list[str] = field(default_factory=list)
    traced: int = 0  #: rows whose records were looked at
    kinds: Counter[str] = field(default_factory=Counter)  #: of these rows: agrees, gone, differs, unchecked
    findings: list[records.Finding] = field(default_factory=list)  #: all that do not agree

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong, and every record that was looked for is there and agrees."""
        return not self.problems and not self.findings


def verify(
    out: str | Path,
    rows: int | None = 100,
    seed: int | None = None,
    root: str | None = None,
    moved: tuple[tuple[str, str], ...] = (),
    workers: int | None = None,
    stages: Stages | None = None,
) -> Report:
    """Check an export.

    Args:
        rows: how many rows, chosen at random, to trace to their records; None: all.
        seed: of the choice; by default another each time.
        root: the Merkle root that the set is known to have, from elsewhere.
        moved: prefixes of cited files, and what stands there now.

    Raises:
        ExportError: there is no finished export here.
    """
    out, stages, report = Path(out), stages or Stages(), Report()
    workers = workers or os.cpu_count() or 1
    manifest = _manifest(out)
    try:
        stated = manifest["shards"]
        count = sum(shard["rows"] for shard in stated)
        traced = None if rows is None or rows >= count else sorted(random.Random(seed).sample(range(count), rows))
        with tempfile.TemporaryDirectory(prefix="verify-") as scratch:
            stages.stage("shards", count)
            _shards(out, manifest, traced, Path(scratch), report, workers, stages.progress)
            _beside(out, manifest, report)
            if root is not None and root.lower() != report.root:
                report.problems.append(f"the Merkle root is {report.root}, not {root}")
            _records(manifest, Path(scratch), moved, report, workers, stages)
    except (KeyError, TypeError) as error:
        raise ExportError(f"{out / MANIFEST}: this is no manifest of an export ({error!r})") from None
    return report


def _manifest(out: Path) -> dict[str, Any]:
    path = out / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        unfinished = (out / ".work").is_dir()
        what = "this export is not finished; run the same `archive export` again" if unfinished else "no export here"
        raise ExportError(f"{out}: {what}") from None
    except (OSError, ValueError) as error:
        raise ExportError(f"{path}: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("manifest") != 1:
        raise ExportError(f"{path}: not a manifest that this version reads")
    return manifest


def _shards(
    out: Path,
    manifest: dict[str, Any],
    traced: list[int] | None,
    scratch: Path,
    report: Report,
    workers: int,
    progress: Callable[[int, int], None],
) -> None:
    """Check every shard, and write down what the chosen rows cite."""
    units, first = [], 0
    for number, shard in enumerate(manifest["shards"]):
        last = first + shard["rows"]
        chosen = None if traced is None else tuple(traced[bisect_left(traced, first) : bisect_left(traced, last)])
        units.append(shards.Unit(out, manifest["arguments"], shard, first, chosen, scratch / f"{number}.parquet"))
        first = last
    roots: dict[int, str] = {}
    for task, checked in _run(shards.work, units, workers, progress):
        roots[task.first] = checked.root
        report.rows += checked.rows
        report.problems += checked.problems
    report.shards = len(units)
    report.problems.sort()
    report.root = merkle.root(merkle.part_leaf(roots[unit.first]) for unit in units)
    if report.root != manifest["merkle_root"]:
        report.problems.append(f"the Merkle root is {report.root}, the manifest says {manifest['merkle_root']}")
    if report.rows != manifest["rows"]:
        report.problems.append(f"{report.rows} rows, the manifest says {manifest['rows']}")


def _beside(out: Path, manifest: dict[str, Any], report: Report) -> None:
    """The other files of the export, and files that do not belong to it."""
    known = {MANIFEST}
    for file in manifest["files"]:
        known.add(file["name"])
        report.problems += shards.compare(out / file["name"], file["name"], file)
    for shard in manifest["shards"]:
        known |= {f"{shard['folder']}/{file['name']}" for file in shard["files"]}
    folders = {shard["folder"] for shard in manifest["shards"]}
    for folder in sorted(folders):
        if (out / folder).is_dir():
            found = {f"{folder}/{name}" for name in os.listdir(out / folder) if (out / folder / name).is_file()}
            report.problems += [f"{name}: not of this export" for name in sorted(found - known)]


def _records(
    manifest: dict[str, Any],
    scratch: Path,
    moved: tuple[tuple[str, str], ...],
    report: Report,
    workers: int,
    stages: Stages,
) -> None:
    """Follow the citations, file by file and in the order in which they lie there."""
    together = scratch / "sorted.parquet"
    pattern = str(scratch / "*.parquet").replace("'", "''")
    with duckdb.connect(":memory:", config={"memory_limit": MEMORY, "temp_directory": str(scratch / "spill")}) as db:
        db.execute(f"""
            COPY (SELECT *, row_number() OVER (ORDER BY file, "offset", skip, "row") - 1 AS place
                  FROM read_parquet('{pattern}') ORDER BY place)
            TO '{str(together).replace("'", "''")}' (FORMAT parquet, ROW_GROUP_SIZE 2048)
        """)
        files = db.execute(f"""
            SELECT file, min(place), max(place) + 1, count(DISTINCT "row") FROM read_parquet('{together}')
            GROUP BY file ORDER BY 2
        """).fetchall()
        ((report.traced,),) = db.execute(f"""SELECT count(DISTINCT "row") FROM read_parquet('{together}')""").fetchall()
    stages.stage("records", sum(end - start for _, start, end, _ in files))
    tokenizer = _tokenizer(manifest, report)
    units = [
        records.Unit(str(together), file, at, min(at + _TOGETHER, end), moved, tokenizer)
        for file, start, end, _ in files
        for at in range(start, end, _TOGETHER)
    ]
    worst: dict[int, records.Finding] = {}
    for _, findings in _run(records.work, units, workers, stages.progress):
        for finding in findings:
            if finding.kind != "agrees":
                worst[finding.row] = max(worst.get(finding.row, finding), finding, key=lambda each: _RANK[each.kind])
    report.findings = [worst[row] for row in sorted(worst)]
    report.kinds.update(finding.kind for finding in report.findings)
    report.kinds["agrees"] = report.traced - len(worst)


def _tokenizer(manifest: dict[str, Any], report: Report) -> Tokenizer | None:
    """The tokenizer of the export, to compare tokens with; what stands in the way of that is a problem."""
    if manifest["tokenizer"] is None:
        return None
    try:
        tokenizer = open_tokenizer(manifest["arguments"]["tokenizer"], manifest["arguments"]["eos"])
    except ExportError as error:
        report.problems.append(f"tokens cannot be compared with the records: {error}")
        return None
    if tokenizer is not None and tokenizer.fingerprint != manifest["tokenizer"]["fingerprint"]:
        report.problems.append(f"tokens cannot be compared with the records: {tokenizer.name} is another tokenizer now")
        return None
    return tokenizer


#: Of the two citations of a row the worse counts.
_RANK = {"agrees": 0, "unchecked": 1, "gone": 2, "differs": 3}


def _run(
    work: Work[Any, Any], units: Iterable[Any], workers: int, progress: Callable[[int, int], None]
) -> Iterator[tuple[Any, Any]]:
    for end in run_all(work, units, workers, progress):
        if isinstance(end, Failed):
            raise ArchiveError(end.error)
        yield end.task, end.result
