"""Large indexes and ledgers of Common Crawl, which are made, and the steps that plan by them, for `common_crawl.py`.

The sizes are those of a crawl of 2019; the names, offsets and digests are random. Of the sorted index only the blocks
that a plan reads have lines: the rest of these files is a hole.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from mini_crawls import CRAWLS, write_collinfo
from minicc.make import TABLE

from archive.files import write_parquet
from archive.intake.crawled import Crawled
from archive.intake.done import done_units
from archive.intake.plan import AlreadyIngested, next_piece, plan
from archive.intake.taken import read_taken
from archive.intake.unit import Batch, Settings, SpanEnd, Unit
from archive.lake import Lake
from archive.sources.base import Listed
from archive.sources.take import PIECE
from archive.tables import SOURCES
from archive.text.base import keeping, names_of

CRAWL = "CC-MAIN-2019-35"
FILES, BLOCKS, ROWS, PARTS = 56_000, 1_000_000, 1_000_000, 6
#: Bytes of a file, a block, and the host whose lines two blocks have.
SIZE, BLOCK, HOST = 1_000_000_000, 200_000, "h0500000.example"
_ALPHABET = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", np.uint8)


def paths() -> list[str]:
    folder = f"crawl-data/{CRAWL}/segments"
    name = "CC-MAIN-20190817102624-20190817132624"
    return [f"{folder}/15660273{n % 100:05}.{n % 97}/warc/{name}-{n:05}.warc.gz" for n in range(FILES)]


def _list(root: Path, name: str, lines: list[str]) -> None:
    path = root / f"crawl-data/{CRAWL}/{name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))


def _digests(dice: np.random.Generator, count: int) -> list[str]:
    return [each.decode() for each in _ALPHABET[dice.integers(0, 32, (count, 32))].view("S32").ravel().tolist()]


def write_index(root: Path) -> None:
    """Write the lists, the sorted index, and the index table, if they are not there."""
    if (root / "collinfo.json").exists():
        return
    files, dice = paths(), np.random.default_rng(1)
    _list(root, "warc.paths.gz", files)
    _write_cluster(root, files, dice)
    _write_table(root, files, dice)
    write_collinfo(root, {CRAWL: CRAWLS[CRAWL]})


def _write_cluster(root: Path, files: list[str], dice: np.random.Generator) -> None:
    folder = f"cc-index/collections/{CRAWL}/indexes"
    (root / folder).mkdir(parents=True)
    each = -(-BLOCKS // 300)
    at = int(HOST[1:8])
    real: dict[int, bytes] = {}
    for block in (at - 1, at, at + 1):
        digests, lines = _digests(dice, 3000), []
        for n in range(3000):
            fields = {
                "url": f"http://h{block:07}.example/{n:04}",
                "mime": "text/html",
                "mime-detected": "text/html",
                "status": "200",
                "digest": digests[n],
                "length": "9000",
                "offset": str(int(dice.integers(SIZE))),
                "filename": files[int(dice.integers(FILES))],
                "languages": "eng",
                "encoding": "UTF-8",
            }
            lines.append(f"example,h{block:07})/{n:04} 20190820000000 {json.dumps(fields)}\n")
        real[block] = gzip.compress("".join(lines).encode())
    with open(root / folder / "cluster.idx", "w") as index:
        for block in range(BLOCKS):
            name, start = f"cdx-{block // each:05}.gz", block % each * 2 * BLOCK
            length = len(real.get(block, b"")) or BLOCK
            index.write(f"example,h{block:07})/0000 20190820000000\t{name}\t{start}\t{length}\t{block + 1}\n")
            if block in real:
                with open(root / folder / name, "r+b" if (root / folder / name).exists() else "w+b") as file:
                    file.seek(start)
                    file.write(real[block])
    names = [f"{folder}/cdx-{n:05}.gz" for n in range(300)]
    _list(root, "cc-index.paths.gz", [*names, f"{folder}/cluster.idx"])


def _write_table(root: Path, files: list[str], dice: np.random.Generator) -> None:
    """Write rows of which half are in Portuguese, in the order of addresses: those of a file are all over."""
    written = []
    for part in range(PARTS):
        path = f"cc-index/table/cc-main/warc/crawl={CRAWL}/subset=warc/part-{part:05}.c000.gz.parquet"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        keys = [f"example,h{part * ROWS + n:09})/" for n in range(ROWS)]
        digests = _ALPHABET[dice.integers(0, 32, (ROWS, 32))].view("S32").ravel()
        columns: dict[str, Any] = {
            "url_surtkey": keys,
            "url": pa.array([f"http://{key[8:18]}.example/" for key in keys]),
            "fetch_time": pa.array(1_566_000_000_000 + dice.integers(0, 800_000_000, ROWS), pa.timestamp("ms")),
            "fetch_status": pa.array(np.full(ROWS, 200, np.int16)),
            "content_digest": pa.array(digests).cast(pa.string()),
            "content_languages": _of(["eng", "por"], dice.integers(0, 2, ROWS)),
            "warc_filename": _of(files, dice.integers(0, FILES, ROWS)),
            "warc_record_offset": pa.array(dice.integers(0, SIZE, ROWS).astype(np.int32)),
            "warc_record_length": pa.array(dice.integers(600, 60_000, ROWS).astype(np.int32)),
        }
        schema = pa.schema([each for each in TABLE if each.name in columns])
        data = pa.table({each.name: columns[each.name] for each in schema}, schema=schema)
        as_spark = {"compression": "gzip", "use_deprecated_int96_timestamps": True}
        pq.write_table(data, root / path, row_group_size=ROWS // 2, **as_spark)
        written.append(path)
    _list(root, "cc-index-table.paths.gz", written)


def _of(values: list[str], numbers: npt.NDArray[np.int64]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(numbers.astype(np.int32), values).cast(pa.string())


# -- plans, each in a process of its own -------------------------------------------------------------------------------


def _planned(listed: Iterator[Listed], lake: Lake) -> dict[str, Any]:
    """Plan as an ingest does, and count."""
    began = time.perf_counter()
    files = list(listed)
    selected = time.perf_counter() - began
    done, taken = done_units(lake), read_taken(lake)
    settings = _settings()
    again = [*done.torn(taken), *done.outgrown(settings, taken)]
    found = {"units": 0, "known": 0, "records": 0, "torn": len(again)}
    for item in plan(done, files, settings, taken=taken):
        if isinstance(item, AlreadyIngested):
            found["known"] += 1
        elif isinstance(item, Batch):
            found["units"] += len(item.units)
            takes = [unit.take for unit in item.units if unit.take and unit.take.records is not None]
            found["records"] += sum(len(take.records) for take in takes if take.records is not None)
    return {**found, "files": len(files), "select_s": selected, "plan_s": time.perf_counter() - began}


def _settings() -> Settings:
    return Settings(keeping("resiliparse", names_of(())))


def _unreadable(crawl: str, why: str) -> None:
    raise SystemExit(f"{crawl}: {why}")


def plan_step(mirror: str, lake: str, options: str) -> dict[str, Any]:
    """Select and plan; `options` are those of `Crawled.of`, in JSON."""
    crawled = Crawled.of(mirror=mirror, rate=1e6, **json.loads(options))
    there = Lake(lake)
    there.create()
    return _planned(crawled.files([f"cc:{CRAWL}"], _unreadable), there)


def write_ledger_step(mirror: str, lake: str, options: str) -> dict[str, Any]:
    """Write a ledger as an ingest of the same selection leaves it behind, once all of it is done."""
    there, rows, names = Lake(lake), [], []
    there.create()
    written = 0
    for unit, reached in _all_units(Crawled.of(mirror=mirror, rate=1e6, **json.loads(options))):
        rows.append(_row(unit, reached))
        names.append(unit.key)
        if len(rows) == 10_000:
            written += _commit(there, rows, names)
            rows, names = [], []
    return {"rows": written + _commit(there, rows, names)}


def _all_units(crawled: Crawled) -> Iterator[tuple[Unit, SpanEnd]]:
    for item in plan(None, crawled.files([f"cc:{CRAWL}"], _unreadable), _settings()):
        assert isinstance(item, Batch)
        for unit in item.units:
            if not unit.is_piece:
                yield unit, SpanEnd()
                continue
            while (unit.span.end or 0) < SIZE:
                reached = SpanEnd((unit.span.end or 0) + 4321)
                yield unit, reached
                unit = next_piece(unit, reached)
            yield replace(unit, last=True), SpanEnd()


def _row(unit: Unit, reached: SpanEnd) -> dict[str, Any]:
    taken = None if unit.take is None or unit.take.offsets is None else unit.take.offsets.tolist()
    limits, infos = json.dumps({"record": 32 << 20}), json.dumps([["<urn:uuid:0>", ["CC-MAIN"]]])
    return {
        "unit": unit.key,
        "file": unit.file,
        "version": unit.version,
        "start": unit.span.start,
        "end": unit.span.end,
        "taken": taken,
        "next_offset": reached.offset,
        "recovered": False,
        "behind_info": False,
        "infos": infos,
        "limits": limits,
        "format": "warc",
        "extractor": unit.settings.extractor,
        "records": 700,
        "captures": 300,
        "dated": 300,
        "bounded": 0,
        "texts": 300,
        "new_texts": 300,
        "rejects": [],
        "skipped": [("request", 400)],
        "bytes": PIECE,
        "seconds": 1.0,
        "ingested_at": datetime.now(UTC),
        "files": json.dumps({"batch": unit.key, "units": [unit.key], "files": []}),
    }


def _commit(lake: Lake, rows: list[dict[str, Any]], names: list[str]) -> int:
    if rows:
        file = write_parquet(lake, SOURCES, pa.Table.from_pylist(rows, schema=SOURCES.schema), "made")
        assert lake.commit_to(lake.delta("sources"), SOURCES, [file], names)
    return len(rows)


STEPS: dict[str, Callable[..., dict[str, Any]]] = {"plan": plan_step, "ledger": write_ledger_step}
