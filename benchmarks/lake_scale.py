"""How opening, planning and committing change with the size of a lake: made metadata, no texts.

    python benchmarks/lake_scale.py [--texts 1e5,1e6,1e7,1e8] [--files 100,10000,100000] [--folder DIR]
    python benchmarks/lake_scale.py --stores runs,lmdb,rocksdb --texts 1e7 [--folder DIR]

A made lake has content ids, but no texts; for each file a row of the ledger and a transaction in the log of each table,
as commits leave them, merged and with a checkpoint; and 10,000 captures for each file, in the log only. First the known
texts grow in a lake of 1,000 files; then the files, in a lake of 100,000 texts. Each lake gets parts of 1,000 captures
with 1,000 texts, of which the lake knows a tenth. Times are seconds of cores, and in brackets seconds of the clock; the
last column is the load of the machine (`uptime`) before and after.

With `--stores`, the look-up of known texts alone, beside LMDB (package `lmdb`) and RocksDB (`rocksdict`): fingerprints
in batches as commits bring them, and then batches of 32,000 of which a tenth is known: each is looked up, and what is
new is added and written to the disk.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import statistics as numbers
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.files import parquet_options, write_parquet
from archive.intake.commit import Committer
from archive.intake.decisions import LEDGER, Decision
from archive.intake.done import done_units
from archive.intake.known_texts import KnownTexts
from archive.intake.part import Part, Tally
from archive.intake.plan import AlreadyIngested, plan
from archive.intake.taken import read_taken
from archive.intake.unit import Batch, Settings, SpanEnd, Unit
from archive.lake import Lake, NewFile, statistics
from archive.sources import Listed
from archive.tables import CAPTURES, DATA_TABLES, DOCUMENTS, SOURCES

_SETTINGS = Settings()
_CAPTURES = 1000  # of a part
_FILE = 500_000  # texts of a file of documents
_GROUP = 4096  # texts of a row group, which has 16 million characters in a real lake
_FEW_FILES, _FEW_TEXTS = 1000, 100_000
_NEW = 112  # parts, of which nine tenths are new: with the last one 100,800 texts
_MANY = 50_000_000  # texts of which deleting one would take minutes
_SIZE = 250 << 20  # bytes of a source file


def _ids(dice: np.random.Generator, count: int) -> pa.Array:
    digits = np.frombuffer(dice.bytes(count * 32).hex().encode(), "S64")
    return pa.array(digits.astype("U64")) if count < 10_000 else pa.array(digits).cast(pa.string())


def _documents(lake: Lake, content_ids: pa.Array) -> NewFile:
    nulls = {field.name: pa.nulls(len(content_ids), field.type) for field in DOCUMENTS.schema}
    table = pa.table(nulls | {"content_id": content_ids}, DOCUMENTS.schema)
    return write_parquet(lake, DOCUMENTS, table, "made", row_group_size=_GROUP, **parquet_options(DOCUMENTS))


def _unit(number: int) -> Unit:
    version = hashlib.sha256(b"%d" % number).hexdigest()
    return Unit(f"https://made.example/{number:09}.warc.gz", version, _SIZE, "records", _SETTINGS)


class _Made(Lake):
    """A lake whose files of captures are in its log only."""

    def _find(self, files: list[NewFile]) -> None:
        pass


def make(lake: Lake, texts: int, files: int) -> None:
    """Write a lake."""
    dice = np.random.default_rng(1)
    lake.create()
    documents = [_documents(lake, _ids(dice, min(_FILE, texts - first))) for first in range(0, texts, _FILE)]
    captures = [
        NewFile(
            "captures", f"month=2020-01/made-{number}.parquet", 128 << 20, {"month": "2020-01"}, statistics(640_000)
        )
        for number in range(max(files // 64, 1))
    ]
    ledger, batches, units, now = [], [], [], datetime.now(UTC)
    for first in range(0, files, 10_000):
        rows = []
        for number in range(first, min(first + 10_000, files)):
            unit = _unit(number)
            units.append(unit.key)
            batches.append(Batch((unit,)).key)
            brought = [
                NewFile("documents", f"part-{unit.key}.parquet", 1 << 22, {}, statistics(1000)),
                NewFile("captures", f"month=2020-01/part-{unit.key}.parquet", 1 << 21, {"month": "2020-01"}, ""),
            ]
            row: dict[str, Any] = {
                "unit": unit.key,
                "file": unit.file,
                "version": unit.version,
                "size": _SIZE,
                "start": 0,
                "recovered": False,
                "behind_info": False,
                "infos": "[]",
                "limits": "{}",
                "format": "warc",
                "extractor": _SETTINGS.extractor,
                "rejects": [("http-4xx", 10)],
                "skipped": [("request", 1000)],
                "ingested_at": now,
                "seconds": 1.0,
                "files": Decision(batches[-1], brought, [unit.key]).as_json(),
            }
            rows.append(row | dict.fromkeys(("records", "captures", "dated", "texts", "new_texts", "bytes"), 10_000))
        ledger.append(write_parquet(lake, SOURCES, pa.Table.from_pylist(rows, SOURCES.schema), "made"))
    lake.commit(SOURCES, ledger, [*units, LEDGER])
    for table in DATA_TABLES:
        lake.commit(table, {"documents": documents, "captures": captures}.get(table.name, []), batches)
    for table in (SOURCES, *DATA_TABLES):
        lake.delta(table.name).create_checkpoint()


def _parts(lake: Lake, count: int, first: int, known: pa.Array) -> list[tuple[Batch, Part]]:
    """Write parts, as workers do."""
    dice, parts = np.random.default_rng(first), []
    for number in range(first, first + count):
        batch = Batch((_unit(10**8 + number),))
        old = known.take(pa.array(dice.choice(len(known), _CAPTURES // 10, replace=False)))
        content_ids = pa.concat_arrays([old, _ids(dice, _CAPTURES - len(old))])
        nulls = {field.name: pa.nulls(_CAPTURES, field.type) for field in CAPTURES.file_schema}
        captures = pa.table(nulls | {"content_id": content_ids}, CAPTURES.file_schema)
        files = [
            _documents(lake, content_ids),
            write_parquet(lake, CAPTURES, captures, f"part-{batch.key[:16]}", {"month": "2020-02"}),
        ]
        tally = Tally(batch.units[0].key, _CAPTURES, _CAPTURES, texts=_CAPTURES, format="warc", reached=SpanEnd())
        tally.skipped = Counter(request=_CAPTURES)
        parts.append((batch, Part(batch.key, [tally], files)))
    return parts


def _memory(what: str) -> float:
    """Return MB of this process: `VmHWM` at most, `RssAnon` now."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) / 1024


def _plan(lake: Lake, files: int) -> int:
    done, taken = done_units(lake), read_taken(lake)
    assert not done.torn(taken)
    assert not done.outgrown(_SETTINGS, taken)
    listed = [Listed(unit.file, _SIZE, unit.version) for unit in map(_unit, range(files))]
    return sum(isinstance(item, AlreadyIngested) for item in plan(done, listed, _SETTINGS, taken=taken))


Times = tuple[float, float]


class _Clock:
    """Takes the seconds since it was last asked: of cores, with those of threads, and of the clock."""

    def __init__(self) -> None:
        self._at = self._now()

    @staticmethod
    def _now() -> Times:
        return time.process_time(), time.perf_counter()

    def __call__(self) -> Times:
        before, self._at = self._at, self._now()
        return self._at[0] - before[0], self._at[1] - before[1]


def _each(of: Callable[[list[float]], float], times: list[Times]) -> Times:
    cores, clock = zip(*times, strict=True)
    return of(list(cores)), of(list(clock))


def _begin_peak() -> None:
    """Let `VmHWM` begin anew."""
    Path("/proc/self/clear_refs").write_text("5")


def measure(folder: str, files: int, parts: int, group: int) -> dict[str, float | Times]:
    """Open a lake, plan, commit parts one by one and in groups, restart and commit one more."""
    lake, result, clock = Lake(folder), dict[str, float | Times](), _Clock()
    known = lake.dataset("documents").head(100_000, columns=["content_id"]).column(0).combine_chunks()
    parts_of = _parts(lake, parts + parts * group + 2, 0, known)
    _begin_peak()
    empty = _memory("VmRSS")
    clock()
    with contextlib.closing(Committer(lake)) as committer:
        committer.recover()
        result["open"] = clock()
        committer.commit(*parts_of.pop())
        result["first"] = clock()
        result["peak of first, MB"] = _memory("VmHWM")
        _begin_peak()
        alone = []
        for _ in range(parts):
            committer.commit(*parts_of.pop())
            alone.append(clock())
        result["commit"], result["slowest"] = _each(numbers.median, alone), _each(max, alone)
        grouped = []
        for _ in range(parts):
            some = [parts_of.pop() for _ in range(group)]
            clock()
            committer.commit_all(some)
            grouped.append(clock())
        result["group"], result["slowest group"] = _each(numbers.median, grouped), _each(max, grouped)
        result["captures a second"] = _each(lambda each: _CAPTURES * group * parts / sum(each), grouped)
        result["peak, MB"], result["private, MB"] = _memory("VmHWM"), _memory("RssAnon")
        result["before, MB"] = empty
        clock()
    result["close"] = clock()
    with contextlib.closing(Committer(lake)) as committer:
        committer.recover()
        committer.commit(*parts_of.pop(0))
    result["again"] = clock()
    more, kept = _parts(lake, _NEW, 10**6, known), KnownTexts.keep
    with contextlib.closing(Committer(lake)) as committer:
        committer.recover()
        KnownTexts.keep = lambda *_: None  # type: ignore[method-assign]  # as if it were killed
        committer.commit_all(more[:-1])
    KnownTexts.keep = kept  # type: ignore[method-assign]
    clock()
    with contextlib.closing(Committer(lake)) as committer:
        committer.recover()
        committer.commit(more[-1][0], more[-1][1])
    result["100,000 new"] = clock()
    if lake.rows("documents") < _MANY:
        lake.delta("documents").delete(f"content_id = '{known[0]}'")
        clock()
        with contextlib.closing(Committer(lake)) as committer:
            committer.recover()
            committer.commit(*_parts(lake, 1, 2 * 10**6, known)[0])
        result["one taken out"] = clock()
    clock()
    planned = _plan(lake, files)
    result["plan"] = clock()
    assert planned == files, planned
    return result


class _Runs:
    """What a committer has."""

    def __init__(self, folder: Path) -> None:
        self._known = KnownTexts("made", folder)
        self._known.restore()

    def add(self, pairs: npt.NDArray[np.uint64]) -> None:
        self._known.add((pairs[:, 0], pairs[:, 1]))

    def new(self, pairs: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        return self._known.new((pairs[:, 0], pairs[:, 1]))

    def close(self) -> None:
        self._known.keep("made")
        self._known.close()


class _Lmdb:
    """Keys in order within a batch, a transaction for each batch; synced when it is closed."""

    def __init__(self, folder: Path) -> None:
        import lmdb

        self._env = lmdb.open(str(folder), map_size=1 << 38, sync=False, writemap=True, max_dbs=0)

    def add(self, pairs: npt.NDArray[np.uint64]) -> None:
        with self._env.begin(write=True) as txn, txn.cursor() as cursor:
            cursor.putmulti([(key, b"") for key in sorted(_keys(pairs))])

    def new(self, pairs: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        with self._env.begin() as txn:
            return np.array([txn.get(key) is None for key in _keys(pairs)], np.bool_)

    def close(self) -> None:
        self._env.sync(True)
        self._env.close()


class _RocksDb:
    """Filters of ten bits for each key, no compression, a batch for each batch."""

    def __init__(self, folder: Path) -> None:
        import rocksdict

        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)
        options.increase_parallelism(2)
        table = rocksdict.BlockBasedOptions()
        table.set_bloom_filter(10, False)
        options.set_block_based_table_factory(table)
        options.set_compression_type(rocksdict.DBCompressionType.none())
        self._batch: Any = lambda: rocksdict.WriteBatch(raw_mode=True)
        self._db = rocksdict.Rdict(str(folder), options)

    def add(self, pairs: npt.NDArray[np.uint64]) -> None:
        batch = self._batch()
        for key in _keys(pairs):
            batch.put(key, b"")
        self._db.write(batch)

    def new(self, pairs: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        return np.array([value is None for value in self._db[_keys(pairs)]], np.bool_)

    def close(self) -> None:
        self._db.flush()
        self._db.close()


_STORES: dict[str, Any] = {"runs": _Runs, "lmdb": _Lmdb, "rocksdb": _RocksDb}


def _keys(pairs: npt.NDArray[np.uint64]) -> list[bytes]:
    data = pairs.astype(">u8").tobytes()
    return [data[at : at + 16] for at in range(0, len(data), 16)]


def measure_store(name: str, folder: Path, texts: int, batches: int) -> dict[str, float]:
    """Fill a store, look up and add batches, open it again."""
    dice, timer = np.random.default_rng(1), _Clock()

    def clock() -> float:
        return timer()[0]

    base = _memory("VmHWM")
    folder.mkdir()
    store = _STORES[name](folder)
    first: npt.NDArray[np.uint64] = np.empty((0, 2), np.uint64)
    for at in range(0, texts, 100_000):
        pairs = dice.integers(0, 1 << 64, (100_000, 2), np.uint64, endpoint=False)
        first = pairs if at == 0 else first
        store.add(pairs)
    result = {"filled, texts/s": texts / clock()}
    for _ in range(batches):
        pairs = dice.integers(0, 1 << 64, (32_000, 2), np.uint64, endpoint=False)
        pairs[:3200] = first[dice.choice(len(first), 3200, replace=False)]
        fresh = store.new(pairs)
        assert fresh.sum() == 28_800, fresh.sum()
        store.add(pairs[fresh])
    result["looked up and added, texts/s"] = 32_000 * batches / clock()
    store.close()
    result["close, s"] = clock()
    result["grown MB"], result["private MB"] = _memory("VmHWM") - base, _memory("RssAnon")
    result["disk bytes a text"] = sum(path.stat().st_blocks * 512 for path in folder.iterdir()) / (
        texts + 28_800 * batches
    )
    clock()
    store = _STORES[name](folder)
    assert not store.new(first[:1000]).any()
    store.close()
    result["again, s"] = clock()
    return result


def _compare(stores: list[str], texts: list[int], batches: int, folder: str | None) -> None:
    for count in texts:
        for name in stores:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                command = [sys.executable, __file__, "--measure-store", name, f"{scratch}/store", str(count)]
                command += ["--parts", str(batches)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            result = json.loads(done.stdout)
            print(f"{name}, {count:,}:", ", ".join(f"{key} {value:,.2f}" for key, value in result.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", default="1e5,1e6,1e7,1e8", help="known texts, with commas")
    parser.add_argument("--files", default="100,10000,100000", help="files that the lake has, with commas")
    parser.add_argument("--parts", type=int, default=20, help="commits, and groups")
    parser.add_argument("--group", type=int, default=32, help="parts of a group")
    parser.add_argument("--folder", help="where the lakes are made")
    parser.add_argument("--stores", help="compare the look-up of known texts with these stores: runs, lmdb, rocksdb")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--measure-store", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure_store:
        name, store, count = given.measure_store
        print(json.dumps(measure_store(name, Path(store), int(count), given.parts)))
        return
    if given.stores:
        counts = [int(float(texts)) for texts in given.texts.split(",")]
        _compare(given.stores.split(","), counts, given.parts, given.folder)
        return
    if given.measure:
        folder, files = given.measure
        print(json.dumps(measure(folder, int(files), given.parts, given.group)))
        return
    lakes = [(int(float(texts)), _FEW_FILES) for texts in filter(None, given.texts.split(","))]
    lakes += [(_FEW_TEXTS, int(float(files))) for files in filter(None, given.files.split(","))]
    named: list[str] = []
    for texts, files in lakes:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            make(_Made(f"{folder}/lake"), texts, files)
            command = [sys.executable, __file__, "--measure", f"{folder}/lake", str(files)]
            command += ["--parts", str(given.parts), "--group", str(given.group)]
            before = os.getloadavg()[0]
            environment = os.environ | {"XDG_CACHE_HOME": f"{folder}/cache"}
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
        result = json.loads(done.stdout)
        if not named:
            named = list(dict.fromkeys([*result, "plan"]))
            print(f"| texts | files | {' | '.join(named)} | load |\n|{' --: |' * (len(named) + 3)}")
        cells = [_cell(result.get(name)) for name in named]
        load = f"{before:.0f} to {os.getloadavg()[0]:.0f}"
        print(f"| {texts:,} | {files:,} | {' | '.join(cells)} | {load} |", flush=True)


def _cell(value: float | list[float] | None) -> str:
    """Write a number, or seconds of cores and of the clock."""
    if value is None:
        return ""
    if isinstance(value, list):
        cores, clock = map(_cell, value)
        return f"{cores} ({clock})"
    return f"{value:.3f}" if value < 100 else f"{value:,.0f}"


if __name__ == "__main__":
    main()
