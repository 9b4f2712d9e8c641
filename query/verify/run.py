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

from archive import storage
from archive.engine import Failed, Work, run_all
from archive.errors import ArchiveError, ExportError
from archive.lake import Lake
from archive.show import Stages
from query import merkle
from query.export.arguments import Arguments
from query.export.workplace import MANIFEST, MEMORY
from query.rows import TOTALS
from query.tokenizer import open_tokenizer
from query.verify import records, shards
from query.verify.compare import Finding
from query.verify.lake import cite

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
    findings: list[Finding] = field(default_factory=list)  #: all that do not agree

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
    """Check an export, or a lake.

    Args:
        out: the folder of an export; or a lake, of which there are no hashes to check, only records.
        rows: how many rows, chosen at random, to trace to their records; None: all.
        seed: of the choice; by default another each time.
        root: the Merkle root that the set is known to have, from elsewhere.
        moved: prefixes of cited files, and what stands there now.

    Raises:
        ExportError: there is no finished export here.
    """
    stages, report = stages or Stages(), Report()
    workers = workers or os.cpu_count() or 1
    seed = random.SystemRandom().getrandbits(31) if seed is None else seed
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        scratch = Path(folder)
        if _is_lake(str(out)):
            report.rows = cite(Lake(str(out)), rows, seed, scratch / "lake.parquet")
            _records(scratch, moved, None, rows, report, workers, stages)
            return report
        out = Path(out)
        manifest = _manifest(out)
        try:
            arguments = dict(manifest["arguments"])
            split = tuple(arguments.pop("split").items())
            Arguments(**{**arguments, "split": split})  # nothing else was ever exported with
            count = sum(shard["rows"] for shard in manifest["shards"])
            traced = None if rows is None or rows >= count else sorted(random.Random(seed).sample(range(count), rows))
            stages.stage("shards", count)
            _shards(out, manifest, traced, scratch, report, workers, stages.progress)
            _beside(out, manifest, report)
            if root is not None and root.lower() != report.root:
                report.problems.append(f"the Merkle root is {report.root}, not {root}")
            _records(scratch, moved, _tokenizer(manifest, report), rows, report, workers, stages)
        except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise ExportError(f"{out / MANIFEST}: this is no manifest of an export ({error!r})") from None
    return report


def _is_lake(location: str) -> bool:
    return (storage.is_s3(location) or os.path.isdir(location)) and Lake(location).exists()


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
    whole = isinstance(manifest, dict) and all(shard["rows"] >= 0 for shard in manifest.get("shards", []))
    if not whole or manifest.get("manifest") != 1:
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
        to, ids = scratch / f"{number}.parquet", scratch / "ids" / f"{number}.parquet"
        units.append(shards.Unit(out, manifest["arguments"], shard, first, chosen, to, ids))
        first = last
    (scratch / "ids").mkdir()
    roots: dict[Path, str] = {}
    for task, checked in _run(shards.work, units, workers, progress):
        roots[task.to] = checked.root
        report.rows += checked.rows
        report.problems += checked.problems
    report.shards = len(units)
    report.problems.sort()
    report.root = merkle.root(merkle.part_leaf(roots[unit.to]) for unit in units)
    if report.root != manifest["merkle_root"]:
        report.problems.append(f"the Merkle root is {report.root}, the manifest says {manifest['merkle_root']}")
    report.problems += _totals(manifest, report.rows)
    if any((scratch / "ids").iterdir()):
        with duckdb.connect(
            ":memory:", config={"memory_limit": MEMORY, "temp_directory": str(scratch / "spill")}
        ) as db:
            pattern = str(scratch / "ids" / "*.parquet").replace("'", "''")
            ((texts,),) = db.execute(f"SELECT count(DISTINCT content_id) FROM read_parquet('{pattern}')").fetchall()
        if texts != report.rows:
            report.problems.append(f"{report.rows - texts} rows stand in the set more than once")


def _totals(manifest: dict[str, Any], rows: int) -> list[str]:
    """Numbers of the manifest that are not the sums over its shards."""
    stated = manifest["shards"]
    sums: dict[str, Any] = {
        "rows": rows,
        "bytes": sum(file["bytes"] for shard in stated for file in shard["files"]),
        **{name: sum(shard[name] or 0 for shard in stated) for name in TOTALS},
    }
    splits: Counter[str] = Counter()
    for shard in stated:
        splits[shard["folder"].rpartition("/")[2]] += shard["rows"]
    wrong = [name for name, value in sums.items() if (manifest[name] or 0) != value]
    wrong += ["splits"] if manifest["splits"] != dict(splits) else []
    wrong += [name for name in ("months", "languages", "date_sources") if sum(manifest[name].values()) != rows]
    return [f"{name} of the manifest are not those of its shards" for name in wrong]


def _beside(out: Path, manifest: dict[str, Any], report: Report) -> None:
    """The other files of the export, and files that do not belong to it."""
    known = {MANIFEST}
    for file in manifest["files"]:
        known.add(file["name"])
        report.problems += shards.compare(out, file["name"], file)
    for shard in manifest["shards"]:
        names = {f"{shard['folder']}/{file['name']}" for file in shard["files"]}
        report.problems += [f"{name}: stands in the manifest more than once" for name in sorted(names & known)]
        known |= names
    report.problems += [f"{name}: the manifest does not state it" for name in _CARD if name not in known]
    there = {str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir()}
    report.problems += [f"{name}: not of this export" for name in sorted(there - known)]


#: What every export has beside its shards.
_CARD = ("README.md", "distribution.svg")


def _records(
    scratch: Path,
    moved: tuple[tuple[str, str], ...],
    tokenizer: Tokenizer | None,
    rows: int | None,
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
    if report.traced != min(report.rows, rows if rows is not None else report.rows):
        report.problems.append(f"only {report.traced} rows could be traced")
    stages.stage("records", sum(end - start for _, start, end, _ in files))
    units = [
        records.Unit(str(together), file, at, min(at + _TOGETHER, end), moved, tokenizer)
        for file, start, end, _ in files
        for at in range(start, end, _TOGETHER)
    ]
    worst: dict[int, Finding] = {}
    for _, findings in _run(records.work, units, workers, stages.progress):
        for finding in findings:
            if finding.kind != "agrees":
                worst[finding.row] = max(worst.get(finding.row, finding), finding, key=lambda each: _RANK[each.kind])
    report.findings = [worst[row] for row in sorted(worst)]
    report.kinds.update(finding.kind for finding in report.findings)
    report.kinds["agrees"] = report.traced - len(worst)


def _tokenizer(manifest: dict[str, Any], report: Report) -> Tokenizer | None:
    """The tokenizer of the export, to compare tokens with; what stands in the way of that is a problem."""
    if not manifest["arguments"]["tokenizer"]:
        return None
    try:
        tokenizer = open_tokenizer(manifest["arguments"]["tokenizer"], manifest["arguments"]["eos"])
    except ExportError as error:
        report.problems.append(f"tokens cannot be compared with the records: {error}")
        return None
    if tokenizer is not None and tokenizer.fingerprint != (manifest["tokenizer"] or {}).get("fingerprint"):
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
