"""`archive maintain` beside four writers and two readers, killed again and again.

Two ingests, an index with its quality signals, and one that forgets sources and ingests them again write at the same
time. Readers open the lake, and read it again and again at that version. In the end the tables are compared with those
of a lake that nobody disturbed.
"""

from __future__ import annotations

import os
import random
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
from conftest import record, snapshot
from deltalake import DeltaTable
from forked import Command, forked, start
from made import edited, found, words

from archive.lake import Lake

#: Older versions stay for a minute here; a reader holds one for some seconds.
_KEEP, _HELD = "1m", 8.0


def beside_others(folder: Path, kills: int, seed: int, files: int, few: bool = False) -> dict[str, Any]:
    """Kill `archive maintain` so many times while others write and read; return what was found.

    Args:
        files: of each writer.
        few: three files are many, which maintain merges; and nobody finds passages, which takes longest.
    """
    trial = _Trial(folder, seed, files, few)
    return trial.run(kills)


class _Trial:
    def __init__(self, folder: Path, seed: int, files: int, few: bool) -> None:
        (folder / "tmp").mkdir(exist_ok=True)  # no scratch and no cache of this machine is looked at or deleted
        self._env = {**os.environ, "TMPDIR": str(folder / "tmp"), "XDG_CACHE_HOME": str(folder / "xdg")}
        self._prepare = ("few", "files_are_many") if few else None
        self._stages = (["index"] if few else ["index", "--passages"]), ["quality"]
        self._folder, self._dice = folder, random.Random(seed)
        self._lake = Lake(str(folder / "lake"))
        self._errors: list[str] = []
        self._stop = threading.Event()
        self._read = self._commands = 0
        self._sources = {name: [self._source(name, number) for number in range(files)] for name in ("a", "b", "c")}

    def _source(self, name: str, number: int) -> str:
        """A web archive of four pages; one is a near-duplicate, and one is in other archives too."""
        base = words(40, number)
        texts = [" ".join(edited(base, 1, ord(name))), " ".join(words(30, 1000 * ord(name) + number)), " ".join(base),
                 " ".join(words(12, number % 3))]  # fmt: skip
        path = self._folder / f"{name}-{number}.warc"
        path.write_bytes(
            b"".join(
                record(url=f"http://{name}.example/{number}/{n}", body=text, date=f"201{number % 4}-0{n + 1}-02T00:00:00Z",
                       content_type="text/plain")
                for n, text in enumerate(texts)
            )
        )  # fmt: skip
        return str(path)

    def run(self, kills: int) -> dict[str, Any]:
        started = time.monotonic()
        self._command("first", "ingest", self._sources["c"][0], "--workers", "1")
        threads = [
            threading.Thread(target=self._guarded, args=(work, *args))
            for work, *args in (
                (self._ingest, "a"), (self._ingest, "b"), (self._index,), (self._forget,), (self._reads,), (self._reads,),
            )
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        killed, ended = self._maintain(kills)
        self._stop.set()
        for thread in threads:
            thread.join()
        if not self._errors:
            self._finish()
            self._compare()
        return {
            "kills": killed,
            "ended by themselves": ended,
            "commands of writers": self._commands,
            "reads": self._read,
            "errors": self._errors,
            "files of documents": len(self._lake.files("documents")),
            "seconds": round(time.monotonic() - started),
        }

    def _guarded(self, work: Callable[..., None], *args: str) -> None:
        try:
            work(*args)
        except BaseException:
            self._errors.append(traceback.format_exc())

    def _command(self, name: str, *args: str) -> None:
        output = self._folder / f"said-{name}"
        process = start([*args, "--lake", self._lake.location, "--quiet"], output, self._env)
        process.join()
        self._commands += 1
        if process.exitcode not in {0, 1}:
            raise AssertionError(f"{args}: {(output / '2').read_text()}")

    # -- writers -----------------------------------------------------------------------------------

    def _ingest(self, name: str) -> None:
        for source in self._sources[name]:
            if self._stop.is_set():
                return
            self._command(name, "ingest", source, "--workers", "1")

    def _index(self) -> None:
        while not self._stop.is_set():
            for stage in self._stages:
                self._command("index", *stage, "--workers", "1")

    def _forget(self) -> None:
        for number, source in enumerate(self._sources["c"]):
            if self._stop.is_set():
                return
            self._command("forget", "ingest", source, "--workers", "1")
            if number % 2:
                output = self._folder / "said-forget"
                process = start(["forget", source, "--lake", self._lake.location], output, self._env)
                process.join()
                if process.exitcode:
                    raise AssertionError((output / "2").read_text())

    # -- readers -----------------------------------------------------------------------------------

    def _reads(self) -> None:
        dice = random.Random(threading.get_ident())
        while not self._stop.is_set():
            opened = {name: DeltaTable(self._lake.table_uri(name)) for name in ("captures", "documents", "sources")}
            first, until = _contents(opened), time.monotonic() + dice.uniform(0, _HELD)
            while time.monotonic() < until and not self._stop.is_set():
                assert _contents(opened) == first, "an older version has changed"
                time.sleep(1)
            self._read += 1

    # -- maintain ----------------------------------------------------------------------------------

    def _maintain(self, kills: int) -> tuple[int, int]:
        killed = ended = 0
        seconds = 1000.0  # the first one ends, which shows how long it takes
        while killed < kills and not self._errors:
            begun = time.monotonic()
            process: Command = start(
                ["maintain", "--lake", self._lake.location, "--keep", _KEEP, "--quiet", "--workers", "1"],
                self._folder / "said-maintain",
                self._env,
                prepare=self._prepare,
            )
            process.join(self._dice.uniform(0.05, 1.2) * seconds)
            process.kill(workers_too=True)
            if process.exitcode == -9:
                killed += 1
                continue
            ended, seconds = ended + 1, time.monotonic() - begun
            if process.exitcode:
                self._errors.append((self._folder / "said-maintain" / "2").read_text())
        return killed, ended

    # -- the end -----------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Bring the lake, and one that nobody disturbs, to the same sources; let maintain end."""
        alone = self._alone = Lake(str(self._folder / "alone"))
        kept = [source for name in "ab" for source in self._sources[name]] + self._sources["c"][::2]
        for lake in (self._lake, alone):
            left = set(lake.read("sources", ["file"])["file"].to_pylist()) & set(self._sources["c"][1::2]) \
                if lake.exists() else set()  # fmt: skip
            for source in sorted(left):
                forked("forget", source, "--lake", lake.location, env=self._env)
            forked("ingest", *kept, "--lake", lake.location, "--workers", "1", "--quiet", env=self._env)
            for stage in self._stages:
                forked(*stage, "--lake", lake.location, "--workers", "1", "--quiet", env=self._env)
        maintain = ("maintain", "--lake", self._lake.location, "--keep", "0", "--quiet", "--workers", "1")
        forked(*maintain, env=self._env, prepare=self._prepare)
        forked(*self._stages[0], "--lake", self._lake.location, "--workers", "1", "--quiet", env=self._env)

    def _compare(self) -> None:
        if snapshot(self._lake) != snapshot(self._alone):
            self._errors.append("captures, texts or the ledger differ from those of a lake that nobody disturbed")
        if found(self._lake) != found(self._alone):
            self._errors.append("near-duplicates differ")
        for name in ("quality", "signatures"):
            if _rows(self._lake, name) != _rows(self._alone, name):
                self._errors.append(f"{name} differs")


def _contents(opened: dict[str, DeltaTable]) -> list[tuple[Any, ...]]:
    """How many rows each table has at its version, a sum over them, and how many are there twice."""
    with duckdb.connect(config={"threads": 1}) as db:
        uris = {name: delta.file_uris() for name, delta in opened.items()}
        rows = [
            db.execute(
                "SELECT count(*), sum(hash(COLUMNS(*))) FROM read_parquet($1, hive_partitioning := true)", [paths]
            ).fetchone() or ()
            for paths in uris.values() if paths
        ]  # fmt: skip
        twice = db.execute("SELECT count(*) - count(DISTINCT content_id) FROM read_parquet($1)", [uris["documents"]])
        assert twice.fetchone() == (0,), "a text is there twice"
        twice = db.execute(
            'SELECT count(*) - count(DISTINCT (unit, "offset", skip)) FROM read_parquet($1)', [uris["captures"]]
        )
        assert twice.fetchone() == (0,), "a capture is there twice"
        return rows


def _rows(lake: Lake, name: str) -> list[tuple[Any, ...]]:
    """The rows of a table as DuckDB reads the files that its log names."""
    with duckdb.connect() as db:
        return db.execute("SELECT *, count(*) FROM read_parquet($1) GROUP BY ALL ORDER BY ALL",
                          [DeltaTable(lake.table_uri(name)).file_uris()]).fetchall()  # fmt: skip
