"""Speed and size of `archive ingest` against its floor and against datatrove.

    python benchmarks/ingest.py FILE.warc.gz [--extractor E] [--datatrove] [--twice FILE2.warc.gz] [--json OUT]

All in one run, on one machine, on one WARC:

- floor: FastWARC reads, Resiliparse decodes, the same extractor extracts, nothing else happens (one process);
- ours: `archive ingest` into a fresh lake with 1 and with 2 workers, start and commit included;
- datatrove (`pip install 'datatrove[io,processing]'`): WarcReader, Trafilatura, ParquetWriter, one task.

`--twice` is a WARC twice as long: peak memory of a worker must not grow with it. A WARC can be made of real
pages with any tool; ours had 5,000 of 144 KB each.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from processes import measure


def floor(path: str, name: str) -> dict[str, float]:
    """Read, decode, extract: what no ingest with these parts can beat."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    from archive.text import extractor

    extract = extractor(name)
    extract("<p>warm</p>")
    started, cpu, pages, chars = time.perf_counter(), time.process_time(), 0, 0
    with open(path, "rb") as file:
        for record in ArchiveIterator(file, record_types=WarcRecordType.response):
            body = record.reader.read()
            html = bytes_to_str(body, detect_encoding(body) or "utf-8")
            chars += len(extract(html).text)
            pages += 1
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {"pages": pages, "seconds": seconds, "cpu": cpu, "pages_per_second": pages / seconds, "chars": chars}


def ours(path: str, workers: int, extractor: str) -> dict[str, float]:
    """`archive ingest` as a user runs it; the peak memory is that of the largest worker."""
    folder = tempfile.mkdtemp(prefix="bench-")
    try:
        command = [sys.executable, "-m", "archive", "ingest", path, "--lake", f"{folder}/lake", "--json"]
        command += ["--workers", str(workers), "--extractor", extractor]
        done = measure(command, os.cpu_count() or 1)
        seconds = done["seconds"]
        summary = json.loads(done["output"][done["output"].index("{") :])
        size = sum(file.stat().st_size for file in Path(folder).rglob("*.parquet"))
        return {
            "pages": summary["records"],
            "captures": summary["captures"],
            "seconds": seconds,
            "cpu": done["cpu"],  # of all its processes
            "pages_per_second": summary["records"] / seconds,
            "peak_worker_mb": round(summary["peak_worker_bytes"] / 1e6, 1),
            "texts": summary["new_texts"],
            "bytes_on_disk": size,
            "documents_bytes": sum(f.stat().st_size for f in Path(folder).rglob("documents/*.parquet")),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def text_in_zstd(path: str) -> int:
    """The size of the same different texts in one zstd stream (level 6)."""
    import zstandard

    import query
    from archive.intake import ingest
    from archive.lake import Lake

    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        lake = Lake(f"{folder}/lake")
        ingest(lake, [path])
        texts = query.connect(lake).execute("SELECT text FROM documents").fetchall()
    return len(zstandard.ZstdCompressor(level=6).compress("\n".join(text for (text,) in texts).encode()))


_DATATROVE = """
import sys, time
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.readers import WarcReader
from datatrove.pipeline.writers import ParquetWriter
folder, name, out = sys.argv[1:]
LocalPipelineExecutor(
    pipeline=[WarcReader(folder, glob_pattern=name), Trafilatura(), ParquetWriter(out)],
    logging_dir=out + "/logs", tasks=1, workers=1,
).run()
"""


def datatrove(path: str) -> dict[str, float]:
    """datatrove's own pipeline in its defaults; a page counts if it comes out in the Parquet files."""
    import pyarrow.dataset

    out = tempfile.mkdtemp(prefix="bench-")
    try:
        started = time.perf_counter()
        folder, name = os.path.split(os.path.abspath(path))
        done = subprocess.run([sys.executable, "-c", _DATATROVE, folder, name, out], capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if done.returncode:
            raise SystemExit(done.stderr[-2000:])
        files = [str(file) for file in Path(out).rglob("*.parquet")]
        kept = pyarrow.dataset.dataset(files).count_rows()
    finally:
        shutil.rmtree(out, ignore_errors=True)
    return {"pages_out": kept, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("warc")
    parser.add_argument("--extractor", default="resiliparse", help="of ours, and of the floor")
    parser.add_argument("--datatrove", action="store_true")
    parser.add_argument("--twice")
    parser.add_argument("--rounds", type=int, default=2, help="the best of so many counts")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()

    def best(run: Callable[[], dict[str, float]]) -> dict[str, float]:
        return max((run() for _ in range(args.rounds)), key=lambda result: result["pages_per_second"])

    result: dict[str, object] = {"machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"}
    base = best(lambda: floor(args.warc, args.extractor))
    one = best(lambda: ours(args.warc, 1, args.extractor))
    two = best(lambda: ours(args.warc, 2, args.extractor))
    result |= {"floor": base, "one_worker": one, "two_workers": two}
    result["one_worker_to_floor"] = one["pages_per_second"] / base["pages_per_second"]
    result["one_worker_to_floor_cpu"] = base["cpu"] / one["cpu"]
    result["two_workers_to_one"] = two["pages_per_second"] / one["pages_per_second"]
    if args.twice:
        result["twice_as_long"] = ours(args.twice, 1, args.extractor)
    if args.datatrove:
        peer = datatrove(args.warc)
        peer["pages_per_second"] = base["pages"] / peer["seconds"]
        peer["lost"] = 1 - peer["pages_out"] / base["pages"]
        result["datatrove"] = peer
        result["one_worker_to_datatrove"] = one["pages_per_second"] / peer["pages_per_second"]
    zstd = text_in_zstd(args.warc)
    result["bytes_per_document"] = {
        "lake": one["bytes_on_disk"] / one["texts"],
        "documents_table": one["documents_bytes"] / one["texts"],
        "text_zstd": zstd / one["texts"],
        "warc_gzip": os.path.getsize(args.warc) / one["texts"],
    }
    result["peak_rss_self_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    text = json.dumps(result, indent=2)
    print(text)
    if args.json:
        args.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
