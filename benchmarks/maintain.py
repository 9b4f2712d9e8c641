"""Measures `archive maintain`.

    python benchmarks/maintain.py kills [--kills 20] [--files 40] [--seed 0]
    python benchmarks/maintain.py small [--pages 2000] [--folder DIR]
    python benchmarks/maintain.py large

`kills` runs it beside four writers and two readers, and kills it at random moments; tests/maintained.py says what is
compared. `small` makes a lake of as many small files as pages in each table, and asks it before and after.
`large` merges 40 files of 8,000 captures, and 40 of 2,000 texts, each in a process of its own: memory.
The files differ in their ids only.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from archive import compact
from archive.files import write_parquet
from archive.lake import Lake
from archive.tables import TABLES

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

#: What is asked: of one day, and of all.
_QUESTIONS = {
    "a day": "SELECT count(*) FROM captures WHERE captured_at BETWEEN '2014-03-05' AND '2014-03-06'",
    "all texts": "SELECT sum(length(text)) FROM documents",
}


def kills(options: argparse.Namespace) -> dict[str, Any]:
    forked, maintained = importlib.import_module("forked"), importlib.import_module("maintained")
    with tempfile.TemporaryDirectory() as name, forked.served():
        os.environ["XDG_CACHE_HOME"] = f"{name}/cache"
        found: dict[str, Any] = maintained.beside_others(Path(name), options.kills, options.seed, options.files)
        return found


def small(options: argparse.Namespace) -> dict[str, Any]:
    folder = Path(options.folder or tempfile.mkdtemp())
    lake = Lake(str(folder / "lake"))
    _fill(lake, options.pages)
    before, rows = _measured(lake), {name: _rows(lake, name) for name in TABLES}
    code = "import sys, lowbackground as lb; lb.maintain(sys.argv[1], keep='0')"
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", f"{code}; {_PEAK}", lake.location], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seconds, (core, peak) = time.monotonic() - started, json.loads(done.stdout)
    assert {name: _rows(lake, name) for name in TABLES} == rows, "the rows differ"
    after = _measured(lake)
    if not options.folder:
        shutil.rmtree(folder)
    maintain = {"seconds": round(seconds, 1), "of cores": round(core, 1), "MB at most": round(peak / 1e6)}
    return {"before": before, "maintain": maintain, "after": after, "rows equal": True}


def large(options: argparse.Namespace) -> dict[str, Any]:
    from archive.tables import CAPTURES, DOCUMENTS

    dice, found = random.Random(options.seed), {}
    words = importlib.import_module("made").words(50_000, 1)
    with tempfile.TemporaryDirectory() as name:
        lake = Lake(f"{name}/lake")
        lake.create()
        for table, count, partition in ((CAPTURES, 8000, {"month": "2014-03"}), (DOCUMENTS, 2000, {})):
            files = []
            data = pa.Table.from_pylist([_row(table.name, dice, words) for _ in range(count)], table.file_schema)
            data = data.sort_by(table.sorted_by[0]) if table.sorted_by else data
            for _ in range(40):
                fresh = pa.array([f"{dice.getrandbits(256):064x}" for _ in range(count)])
                data = data.set_column(data.schema.get_field_index("content_id"), "content_id", fresh)
                files.append(write_parquet(lake, table, data, "part", partition))
            lake.commit(table, files, [])
            code = ("import sys; from archive import compact, tables; from archive.lake import Lake;"
                    " compact.compact(Lake(sys.argv[1]), tables.TABLES[sys.argv[2]], least=8)")  # fmt: skip
            done = subprocess.run([sys.executable, "-c", f"{code}; {_PEAK}", lake.location, table.name],
                                  capture_output=True, text=True, check=True)  # fmt: skip
            core, peak = json.loads(done.stdout)
            found[table.name] = {
                "files": len(files), "MB": round(sum(file.size for file in files) / 1e6, 1),
                "into": len(lake.files(table.name)),
                "seconds of a core": round(core, 1), "MB of memory at most": round(peak / 1e6),
            }  # fmt: skip
    return found


def _row(table: str, dice: random.Random, words: list[str]) -> dict[str, Any]:
    content_id = f"{dice.getrandbits(256):064x}"
    if table == "documents":
        text = " ".join(dice.choices(words, k=700))
        return {"content_id": content_id, "text": text, "language": "en", "chars": len(text), "words": 700}
    host, page = dice.choice(words), "/".join(dice.choices(words, k=4))
    at = datetime(2014, 3, 1, tzinfo=UTC) + timedelta(seconds=dice.randrange(2_600_000))
    claims = [{"kind": kind, "at": at, "agrees": True} for kind in ("warc-date", "date", "last-modified")]
    return {
        "content_id": content_id, "url": f"http://{host}.com/{page}", "captured_at": at, "date_source": "warc-date",
        "record_type": "response", "file": f"s3://commoncrawl/crawl-data/{dice.randrange(50)}.warc.gz", "status": 200,
        "offset": dice.randrange(10**9), "length": dice.randrange(10**5), "skip": 0, "mime": "text/html",
        "record_id": f"<urn:uuid:{dice.getrandbits(128):032x}>", "title": " ".join(dice.choices(words, k=6)),
        "payload_digest": f"sha1:{dice.getrandbits(160):040x}", "evidence": claims, "grade": "C",
        "unit": f"{dice.randrange(50):064x}",
    }  # fmt: skip


_PEAK = ("import json, resource; used = resource.getrusage(resource.RUSAGE_SELF);"
         " print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss * 1024]))")  # fmt: skip


def _fill(lake: Lake, pages: int) -> None:
    """Ingest so many web archives of one page, and give each row of each table a file of its own."""
    from archive.intake import ingest

    made, conftest = importlib.import_module("made"), importlib.import_module("conftest")
    folder = Path(lake.location).parent / "in"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(pages):
        date, body = f"2014-03-{number % 28 + 1:02}T{number % 24:02}:00:00Z", " ".join(made.words(400, number))
        record = conftest.record(url=f"http://example.com/{number}", body=body, date=date, content_type="text/plain")
        (folder / f"{number}.warc").write_bytes(record)
    ingest(lake, str(folder), workers=1)
    for table in TABLES.values():
        delta = lake.delta(table.name)
        old = [file for _, file in compact.stored(delta, table)]
        new = [
            write_parquet(lake, table, rows.slice(row, 1), "part", dict(file.partition))
            for file in old
            for rows in compact.read(lake, table, file)
            for row in range(rows.num_rows)
        ]
        if new:
            assert compact.replace(lake, delta, table, old, new, same_rows=True)


def _measured(lake: Lake) -> dict[str, Any]:
    named = sum(len(lake.files(name)) for name in TABLES)
    there = [path.stat().st_size for path in Path(lake.location).rglob("*") if path.is_file()]
    found = {"files of the newest versions": named, "files": len(there), "MB": round(sum(there) / 1e6, 1)}
    for name, question in _QUESTIONS.items():
        code = f"import sys, query; db = query.connect(sys.argv[1]); db.execute({question!r}).fetchall()"
        bare = _core("import query", lake)
        found[f"seconds of a core: {name}"] = round(_core(code, lake) - bare, 2)
    return found


def _core(code: str, lake: Lake) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code, lake.location], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _rows(lake: Lake, name: str) -> pa.Table:
    """The rows of a table as DuckDB reads the files that its log names, each with how often it is there."""
    uris = DeltaTable(lake.table_uri(name)).file_uris()
    if not uris:
        return pa.table({})
    question = "SELECT *, count(*) AS times FROM read_parquet($1, hive_partitioning := true) GROUP BY ALL ORDER BY ALL"
    with duckdb.connect() as db:
        return db.sql(question, params=[uris]).to_arrow_table()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["kills", "small", "large"])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--files", type=int, default=40, help="sources of each of three writers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--folder")
    options = parser.parse_args()
    print(json.dumps({"kills": kills, "small": small, "large": large}[options.what](options), indent=1))


if __name__ == "__main__":
    main()
