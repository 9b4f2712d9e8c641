"""Rates and memory of `archive export` and `archive verify`, by format, beside a bare COPY of DuckDB.

    python benchmarks/made_lake.py LAKE SOURCE...
    python benchmarks/export.py LAKE [--formats jsonl,mds] [--workers 1,2] [--rounds 1]

The set is that of `clean('2022-01-01')`; a tokenizer that knows bytes alone is made on the spot. The COPY joins texts
to the evidence, which lies there ready, in no order: it does not select, shuffle, cut into shards or hash. Memory and
CPU are those of all processes together, looked at ten times a second. Each set must come out the same byte by byte
with each number of workers.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
from processes import Result, machine, main, watched

from archive.lake import Lake
from archive.progress import Reporter
from query.export.run import export
from query.formats import FORMATS
from query.rows import TOKEN_FORMATS
from query.verify.run import verify

_BEFORE = "2022-01-01"
_COPIES = {
    "parquet": "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3",
    "jsonl": "FORMAT json, COMPRESSION zstd",
}
_STAGES = ("select", "assign_shards", "shuffle", "write_shards", "finish")


class _Clock(Reporter):
    """Notes when each stage begins."""

    def __init__(self) -> None:
        self._begun: list[tuple[str, float]] = []

    def stage(self, name: str, total: int | None = None, size: int | None = None) -> None:
        self._begun.append((name, time.perf_counter()))

    def seconds(self) -> dict[str, float]:
        begins = [*self._begun, ("", time.perf_counter())]
        return {name: after - at for (name, at), (_, after) in pairwise(begins)}


def _export(lake: str, out: str, form: str, workers: str, tokenizer: str) -> Result:
    clock = _Clock()
    given = (tokenizer, "<end>") if form in TOKEN_FORMATS else (None, None)
    options: dict[str, Any] = {"tokenizer": given[0], "eos": given[1], "workers": int(workers), "reporter": clock}
    result = export(lake, out, before=_BEFORE, format=form, **options)
    return {"rows": result.rows, "bytes": result.bytes, "root": result.merkle_root, "reporter": clock.seconds()}


def _verify(out: str, rows: str, workers: str) -> Result:
    result = verify(out, rows=int(rows), seed=1, workers=int(workers))
    return {"rows": result.rows, "problems": result.problems, "kinds": result.kinds}


def _copy(lake: str, evidence: str, to: str, form: str, threads: str) -> Result:
    # in the order of the input and with 2 GB, two threads ran out of memory
    options: dict[str, Any] = {"threads": int(threads), "memory_limit": "4GB", "preserve_insertion_order": False}
    with duckdb.connect(config={**options, "temp_directory": f"{to}.tmp"}) as db:
        texts = [f"{Lake(lake).table_path('documents')}/{file}" for file in Lake(lake).files("documents")]
        db.execute(f"""
            COPY (SELECT e.*, d.text FROM read_parquet('{evidence}') AS e JOIN read_parquet({texts}) AS d
                  USING (content_id)) TO '{to}' ({_COPIES[form]})
        """)
    return {"bytes": os.path.getsize(to)}


def _tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    alphabet = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = Tokenizer(models.BPE({**alphabet, "<end>": len(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.save(str(path))


def _digest(folder: Path) -> str:
    """Of the names and bytes of all files."""
    digest = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        digest.update(str(path.relative_to(folder)).encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _text_bytes(out: Path, evidence: Path) -> int:
    """How many bytes of text a Parquet export holds; its evidence goes to a file of its own."""
    with duckdb.connect(config={"memory_limit": "2GB"}) as db:
        rows = f"read_parquet('{out}/train/*.parquet')"
        db.execute(f"COPY (SELECT * EXCLUDE (text) FROM {rows}) TO '{evidence}' (FORMAT parquet, COMPRESSION zstd)")
        ((size,),) = db.execute(f"SELECT sum(strlen(text)) FROM {rows}").fetchall()
    return int(size)


def _best(rounds: int, step: str, *words: str, fresh: Path | None = None) -> Result:
    """The fastest of some rounds."""
    made = []
    for _ in range(rounds):
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)
        made.append(watched([sys.executable, __file__, "step", step, *words]))
    return min(made, key=lambda result: float(result["seconds"]))


def _line(*cells: object) -> None:
    told = (f"{cell:,.1f}" if isinstance(cell, float) else str(cell) for cell in cells)
    print(f"| {' | '.join(told)} |", flush=True)


def run(args: argparse.Namespace) -> Result:
    scratch = Path(tempfile.mkdtemp(prefix="bench-export-", dir=args.folder))
    results: Result = {"machine": machine()}
    try:
        tokenizer, evidence = scratch / "tokenizer.json", scratch / "evidence.parquet"
        _tokenizer(tokenizer)
        size = 0
        print(f"{machine()}, load {os.getloadavg()[0]:.1f}\n")
        _line("", "workers", "seconds", *_STAGES, "MB/s", "CPU s", "peak MB", "bytes written, MB")
        _line("---", *["--:"] * (len(_STAGES) + 6))
        formats = dict.fromkeys(["parquet", *args.formats.split(",")])  # the first gives evidence to the COPY
        for form in formats:
            out, digests = scratch / "out", set()
            for workers in args.workers.split(","):
                words = (args.lake, str(out), form, workers, str(tokenizer))
                made = results[f"{form} {workers}"] = _best(args.rounds, "export", *words, fresh=out)
                digests.add(_digest(out))
                size = size or _text_bytes(out, evidence)
                reporter = (made["reporter"][name] for name in _STAGES)
                _line(form, workers, made["seconds"], *reporter, size / 1e6 / made["seconds"], made["cpu"],
                      made["peak"] / 1e6, made["bytes"] / 1e6)  # fmt: skip
            for workers in args.workers.split(","):
                if form in _COPIES:
                    words = (args.lake, str(evidence), str(scratch / "copy"), form, workers)
                    made = results[f"{form} COPY {workers}"] = _best(args.rounds, "copy", *words)
                    _line(f"COPY, {form}", workers, made["seconds"], *[""] * len(_STAGES), size / 1e6 / made["seconds"],
                          made["cpu"], made["peak"] / 1e6, made["bytes"] / 1e6)  # fmt: skip
                    times = results[f"{form} {workers}"]["cpu"] / made["cpu"]
                    print(f"{form}, {workers} workers: {times:.2f} times the CPU of the COPY", file=sys.stderr)
                made = results[f"{form} verify {workers}"] = _best(args.rounds, "verify", str(out), "0", workers)
                assert not made["problems"], made["problems"]
                _line(f"verify, {form}", workers, made["seconds"], *[""] * len(_STAGES), size / 1e6 / made["seconds"],
                      made["cpu"], made["peak"] / 1e6, f"{made['rows'] / made['seconds']:,.0f} rows/s")  # fmt: skip
            assert len(digests) == 1, f"{form}: another set with another number of workers"
            rows = made["rows"]
        print(f"\n{rows:,} rows, {size / 1e6:,.0f} MB of text; the same bytes with {args.workers} workers: checked")
    finally:
        shutil.rmtree(scratch)
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake")
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--rounds", type=int, default=1, help="the fastest of so many counts")
    parser.add_argument("--folder", help="where the sets are written meanwhile")
    parser.add_argument("--json", type=Path)
    main(parser, run, {"export": _export, "verify": _verify, "copy": _copy})
