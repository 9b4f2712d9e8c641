"""Measures questions to a lake on S3, and kills what writes and reads there.

    python benchmarks/object_store.py query [--texts 100000] [--last 2010-06-01] [--before 2008-10-01] [--peer PYTHON]
    python benchmarks/object_store.py kills [--kills 20] [--store http://127.0.0.1:4568]
    python benchmarks/object_store.py formats [--store http://127.0.0.1:4568]

`query` makes a lake as benchmarks/made_lake.py does, of texts of random words and with captures from 2008-05-01 to
`--last`, copies it to moto's S3 server, and asks it through a proxy that counts requests
and the bytes of the answers. The answers must be those of the lake on the disk. PYTHON is an interpreter with `duckdb`
and `duckdb-extension-httpfs` of one version (1.5.5 was the last when this was measured): plain `read_parquet` on the
same objects, which knows neither revisits nor grades.

`kills` ends export, verify and certify at random moments, some with their workers; then each runs to its end.
The objects must be the bytes that the same command writes to a disk, an object of somebody else must stay, and no
upload may be left: objects go in parts. Then the same with a proxy that fails every tenth request (503, a reset, a body
cut in half).

`formats` exports each format to a disk and to the store: the bytes and the rows must be the same, and the set verified.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "S3RVER",  # what s3rver knows; moto takes any
    "AWS_SECRET_ACCESS_KEY": "S3RVER",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
_BUCKET = "bucket"
#: Has commands send objects in parts, which a kill can leave behind.
_IN_PARTS = ("few", "objects_are_large")
_PEER = """
import duckdb, glob, json, os, sys
import duckdb_extension_httpfs as package
db = duckdb.connect()
(library,) = glob.glob(f"{os.path.dirname(package.__file__)}/extensions/*/httpfs.duckdb_extension")
db.execute(f"LOAD '{library}'")
host = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
db.execute(f"SET s3_endpoint='{host}'; SET s3_use_ssl=false; SET s3_url_style='path'; SET s3_region='us-east-1'")
db.execute("SET s3_access_key_id='S3RVER'; SET s3_secret_access_key='S3RVER'; SET TimeZone='UTC'")
print(json.dumps(db.execute(sys.argv[1]).fetchall(), default=str))
"""


class Counted:
    """What passed a proxy since it was asked last."""

    def __init__(self, log: Path) -> None:
        self._log, self._at = log, 0

    def since(self) -> tuple[int, int]:
        """Return the requests, and the bytes of the bodies of the answers to GET."""
        with open(self._log) as file:
            file.seek(self._at)
            rows = [json.loads(line) for line in file]
            self._at = file.tell()
        return len(rows), sum(row[4] for row in rows if row[0] == "GET")


def _questions(before: str, id_: str, host: str) -> dict[str, tuple[str, str]]:
    """Return a question to the lake, and the peer's to the files of captures, by what is asked."""
    files = f"read_parquet('s3://{_BUCKET}/lake/captures/*/*.parquet', hive_partitioning = true)"
    month = before[:7]
    return {
        "count of captures before": (
            f"SELECT count(*) FROM captures WHERE captured_at < '{before}' AND month <= '{month}'",
            f"SELECT count(*) FROM {files} WHERE captured_at < '{before}' AND month <= '{month}'",
        ),
        "clean(D), 3 columns": (
            f"SELECT count(url), max(first_seen), max(content_id) FROM clean('{before}')",
            f"SELECT count(url), max(first_seen), max(content_id) FROM (SELECT content_id, min(captured_at) AS "
            f"first_seen, any_value(url) AS url FROM {files} WHERE captured_at < '{before}' AND month <= '{month}' AND "
            "date_problem IS NULL AND content_id IS NOT NULL GROUP BY 1)",
        ),
        "clean(D), count": (
            f"SELECT count(*) FROM clean('{before}')",
            f"SELECT count(DISTINCT content_id) FROM {files} WHERE captured_at < '{before}' AND month <= '{month}' "
            "AND date_problem IS NULL",
        ),
        "one host": (
            f"SELECT count(*) FROM captures WHERE host = '{host}'",
            f"SELECT count(*) FROM {files} WHERE regexp_extract(url, '://([^/]*)', 1) = '{host}'",
        ),
        "one content id": (
            f"SELECT count(*), min(captured_at) FROM captures WHERE content_id = '{id_}'",
            f"SELECT count(*), min(captured_at) FROM {files} WHERE content_id = '{id_}'",
        ),
    }


def _lake(folder: Path, texts: int, last: str) -> Path:
    words = importlib.import_module("made").words
    lines = (" ".join(words(1000, n)) for n in range(200))
    importlib.import_module("made_lake").made_of(folder, lines, texts, np.datetime64(last, "us"))
    return folder


def query(folder: Path, before: str, peer: str | None) -> None:
    import lowbackground as lb

    servers = importlib.import_module("servers")
    ((id_, host),) = lb.connect(folder).execute("SELECT min(content_id), min(host) FROM captures").fetchall()
    table = sum(path.stat().st_size for path in (folder / "captures").rglob("*.parquet"))
    files = sum(1 for _ in (folder / "captures").rglob("*.parquet"))
    print(f"captures: {table / 1e6:.1f} MB in {files} files\n")
    print("| question | requests | MB | of the table | CPU s | peer: requests | MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as scratch, servers.s3_server() as server:
        client = boto3.client("s3", endpoint_url=server)
        client.create_bucket(Bucket=_BUCKET)
        for path in (path for path in folder.rglob("*") if path.is_file()):
            client.upload_file(str(path), _BUCKET, f"lake/{path.relative_to(folder)}")
        log = Path(scratch, "log")
        with servers.flaky_proxy(server, 0.0, log=log) as proxy:
            os.environ["AWS_ENDPOINT_URL"] = proxy
            counted = Counted(log)
            for name, (ours, theirs) in _questions(before, id_, host).items():
                db = lb.connect(f"s3://{_BUCKET}/lake")
                counted.since()
                started = time.process_time()
                found = db.execute(ours).fetchall()
                seconds = time.process_time() - started
                requests, size = counted.since()
                assert found == lb.connect(folder).execute(ours).fetchall(), name
                others: tuple[int, int] | tuple[str, str] = ("", "")
                if peer:
                    subprocess.run([peer, "-c", _PEER, theirs], check=True, stdout=subprocess.DEVNULL)
                    others = counted.since()
                theirs_mb = f"{int(others[1]) / 1e6:.2f}" if peer else ""
                ours_shown = f"{requests:,} | {size / 1e6:.2f} | {size / table:.2f} | {seconds:.1f}"
                print(f"| {name} | {ours_shown} | {others[0]} | {theirs_mb} |", flush=True)


# -- kills -----------------------------------------------------------------------------------------


def _made(folder: Path) -> Path:
    """Make a lake and a data set; returns the lake."""
    from archive.lake import Lake
    from index.neardup import index

    conftest, made = importlib.import_module("conftest"), importlib.import_module("made")
    pages = (
        conftest.record(
            url=f"http://site{n % 40}.org/{n}",
            body=f"<p>{' '.join(made.words(150, n))}</p>",
            date=f"{2010 + n % 12}-05-05T00:00:00Z",
        )
        for n in range(1500)
    )
    (folder / "a.warc.gz").write_bytes(conftest.members(*pages))
    lake = Lake(str(folder / "lake"))
    conftest.take(lake, str(folder / "a.warc.gz"))
    index(lake, workers=1)
    (folder / "rows").mkdir()
    for part in range(6):
        lines = (json.dumps({"text": " ".join(made.words(150, n))}) for n in range(part * 200, part * 200 + 200))
        (folder / "rows" / f"{part}.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "lake"


def _objects(location: str) -> dict[str, bytes]:
    from archive.objects import Prefix

    prefix = Prefix(location)
    return {name: prefix.read(name) or b"" for name, _ in prefix.names() if name != ".made-by-archive"}


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".made-by-archive"
    }


@contextlib.contextmanager
def _store(address: str | None) -> Iterator[str]:
    if address:
        yield address
        return
    with importlib.import_module("servers").s3_server() as server:
        yield server


def kills(count: int, address: str | None) -> None:
    forked = importlib.import_module("forked")
    dice = random.Random(1)
    with tempfile.TemporaryDirectory() as scratch, _store(address) as server, forked.served():
        folder = Path(scratch)
        os.environ |= {"AWS_ENDPOINT_URL": server, "TMPDIR": scratch}
        client = boto3.client("s3")
        bucket = f"kills-{os.getpid()}"
        client.create_bucket(Bucket=bucket)
        lake = _made(folder)
        lines = ["--lake", str(lake), "--before", "2018-01-01", "--workers", "2"]
        client.put_object(Bucket=bucket, Key="set.of-mine", Body=b"mine")

        def export(out: str) -> list[str]:
            return ["export", out, *lines, "--shard-size", "30000"]

        def certify(out: str) -> list[str]:
            return ["certify", str(folder / "rows"), "--out", out, *lines]

        for name, command in (("export", export), ("certify", certify)):
            assert forked.forked(*command(str(folder / name))).returncode in {0, 1}
            _try(name, command, f"s3://{bucket}/{name}", _files(folder / name), count, dice, folder)
        verify = ["verify", f"s3://{bucket}/export", "--all", "--workers", "2", "--json"]
        for _ in range(count):
            forked.killed(verify, dice.uniform(0.2, 3), folder / "said", workers_too=True)
        assert json.loads(forked.forked(*verify).stdout)["sound"]
        print(f"verify: {count} kills; sound", flush=True)
        with importlib.import_module("servers").flaky_proxy(server, 0.1, faults="503,reset,cut") as proxy:
            os.environ["AWS_ENDPOINT_URL"] = proxy
            for name, command in (("export", export), ("certify", certify)):
                _try(
                    f"{name}, 10 % of the requests fail",
                    command,
                    f"s3://{bucket}/flaky-{name}",
                    _files(folder / name),
                    3,
                    dice,
                    folder,
                )
            os.environ["AWS_ENDPOINT_URL"] = server
        with contextlib.suppress(client.exceptions.ClientError):
            left = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
            assert not left, left
        assert client.get_object(Bucket=bucket, Key="set.of-mine")["Body"].read() == b"mine"
        print("no upload is left, and the object of somebody else stays")


def formats(address: str | None) -> None:
    import lowbackground as lb
    from query.formats import FORMATS
    from query.rows import TOKEN_FORMATS

    with tempfile.TemporaryDirectory() as scratch, _store(address) as server:
        folder = Path(scratch)
        os.environ |= {"AWS_ENDPOINT_URL": server, "TMPDIR": scratch}
        bucket = f"formats-{os.getpid()}"
        boto3.client("s3").create_bucket(Bucket=bucket)
        lake = _made(folder)
        tokenizer = importlib.import_module("conftest").write_byte_tokenizer(folder / "tokenizer.json")
        for name in FORMATS.names():
            options: dict[str, Any] = {"before": "2018-01-01", "shard_size": 100_000, "workers": 1, "format": name}
            if name in TOKEN_FORMATS:
                options |= {"tokenizer": tokenizer, "eos": "<end>"}
            here, there = folder / name, f"s3://{bucket}/{name}"
            for out in (here, there):
                lb.export(lake, out, **options)
            assert _objects(there) == _files(here)
            if name not in TOKEN_FORMATS:
                assert lb.load(there).to_arrow().equals(lb.load(here).to_arrow())
            assert lb.verify(there, all=True, workers=1).sound
            print(f"{name}: {len(_objects(there))} objects with the bytes of the disk", flush=True)


def _try(
    name: str,
    command: Callable[[str], list[str]],
    out: str,
    expected: dict[str, bytes],
    count: int,
    dice: random.Random,
    folder: Path,
) -> None:
    forked: Any = importlib.import_module("forked")
    killed = 0
    longest = 4.0
    for number in range(count):
        killed += forked.killed(
            command(out), dice.uniform(0.1, longest), folder / "said", workers_too=number % 2 == 0, prepare=_IN_PARTS
        )
        there = _objects(out)
        if "manifest.json" in there:
            assert there == expected, "half a set"
    done = forked.forked(*command(out), check=False, prepare=_IN_PARTS)
    assert done.returncode in {0, 1} or "holds a finished export" in done.stderr, done.stderr
    assert _objects(out) == expected
    print(f"{name}: {killed} kills; {len(expected)} objects with the bytes of the disk", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    asked = commands.add_parser("query")
    asked.add_argument("--lake", type=Path, help="where the lake is, or is made; by default a folder that is deleted")
    asked.add_argument("--texts", type=int, default=100_000)
    asked.add_argument("--last", default="2010-06-01", help="captures end here")
    asked.add_argument("--before", default="2008-10-01")
    asked.add_argument("--peer", metavar="PYTHON")
    ended = commands.add_parser("kills")
    ended.add_argument("--kills", type=int, default=20)
    each = commands.add_parser("formats")
    for command in (ended, each):
        command.add_argument("--store", metavar="URL", help="of another server than moto's")
    options = parser.parse_args()
    os.environ |= _ENVIRONMENT
    if options.command == "query":
        with tempfile.TemporaryDirectory() as scratch:
            lake = _lake(options.lake or Path(scratch, "lake"), options.texts, options.last)
            query(lake, options.before, options.peer)
    elif options.command == "formats":
        formats(options.store)
    else:
        kills(options.kills, options.store)


if __name__ == "__main__":
    main()
