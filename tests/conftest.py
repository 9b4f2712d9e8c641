"""What the tests share: records made here, the shared data where it is, and lakes to put them in."""

from __future__ import annotations

import contextlib
import gc
import gzip
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import duckdb
import hypothesis
import pytest
from forked import MODULES, served
from servers import s3_server
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter
from warm import warm

import query
from archive.engine import local
from archive.intake import IngestResult, Settings
from archive.intake.run import ingest_with
from archive.lake import Lake

gc.disable()  # while all is imported; see `pytest_collection_finish`

#: Workers of engines in the processes of the tests are forked from a server that has all this, too, from the first on.
local.workers_from = lambda *_: local.fork_server(*MODULES)

#: How long an example takes is the machine's affair.
hypothesis.settings.register_profile("usual", deadline=None)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)
_PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "usual")
hypothesis.settings.load_profile(_PROFILE)


def examples(usual: int) -> int:
    """Return how many examples a property is tried with: with `HYPOTHESIS_PROFILE=thorough` ten times as many."""
    return usual * 10 if _PROFILE == "thorough" else usual


_servers = contextlib.ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # one set of servers for all workers of xdist
        if config.getoption("numprocesses", None):
            warm()
        _servers.enter_context(served())


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # or each collection looks through all that was imported
    gc.set_threshold(20_000, 20, 20)  # a collection after each 700 new objects takes a tenth of the time of all tests
    gc.enable()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # or modules that count their objects complain
    _servers.close()


SHARED = Path(os.environ.get("LOWBACKGROUND_SHARED", Path(__file__).parents[2] / "shared")).resolve()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real captures."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}")
    return folder


def record(
    url: str = "http://example.com/",
    body: bytes | str = "<html><title>T</title><body><p>Some words of text.</p></body></html>",
    date: str | None = "2015-03-04T05:06:07Z",
    kind: str = "response",
    status: str = "200 OK",
    content_type: str = "text/html; charset=utf-8",
    http: dict[str, str] | None = None,
    warc: dict[str, str] | None = None,
) -> bytes:
    """One uncompressed WARC record, as warcio writes it."""
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=False)
    payload = body.encode() if isinstance(body, str) else body
    headers = StatusAndHeaders(status, [("Content-Type", content_type), *(http or {}).items()], protocol="HTTP/1.1")
    made = writer.create_warc_record(
        url,
        kind,
        payload=io.BytesIO(payload),
        http_headers=headers if kind in {"response", "revisit"} else None,
        warc_content_type="" if kind in {"response", "revisit"} else content_type,
        warc_headers_dict={"WARC-Date": date or "2015-03-04T05:06:07Z", **(warc or {})},
    )
    if date is None:
        made.rec_headers.remove_header("WARC-Date")
    else:
        made.rec_headers.replace_header("WARC-Date", date)
    writer.write_record(made)
    content = out.getvalue()
    if claim := (warc or {}).get("WARC-Payload-Digest"):  # warcio writes its own
        content = re.sub(rb"(?<=\r\nWARC-Payload-Digest: )[^\r]+", claim.encode(), content, count=1)
    return content


def members(*records: bytes) -> bytes:
    """Records as a .warc.gz: a gzip member each."""
    return b"".join(gzip.compress(each, 1, mtime=0) for each in records)


def at(*parts: int) -> datetime:
    """A moment in UTC, by its year, month, day and so on."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes], str]:
    """Write a source file; returns its path."""

    def make(name: str, content: bytes) -> str:
        path = tmp_path / "sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    return make


def take(lake: Lake, *sources: str, workers: int = 1, **options: Any) -> IngestResult:
    """Ingest, and check that every record is accounted for."""
    summary = ingest_with(lake, sources, options.pop("settings", Settings()), workers, **options)
    assert summary.records == summary.captures + summary.rejects.total() + summary.skipped.total()
    return summary


def rows(lake: Lake | duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    """What a question to a lake gives; with a connection, to the lake as it was when that was made."""
    return (query.connect(lake) if isinstance(lake, Lake) else lake).execute(sql).fetchall()


#: The views without what may differ between two runs: when, in which units, and in which file formats.
SNAPSHOT = {
    "captures": "SELECT * EXCLUDE (unit) FROM captures ORDER BY ALL",
    "documents": "SELECT * FROM documents ORDER BY ALL",
    "rejects": "SELECT * EXCLUDE (unit) FROM rejects ORDER BY ALL",
}


def snapshot(lake: Lake) -> dict[str, list[tuple[Any, ...]]]:
    """All that a reader sees."""
    db = query.connect(lake)
    return {name: db.execute(sql).fetchall() for name, sql in SNAPSHOT.items()}


def command(*args: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `archive` as a user does. (`forked.forked` does nearly the same, and sooner.)"""
    done = subprocess.run([sys.executable, "-m", "archive", *args], capture_output=True, text=True, **options)
    if check:
        assert done.returncode in {0, 1}, done.stderr
    return done


def peak_of(code: str) -> tuple[str, int]:
    """Run Python code in a process of its own. Returns the line that it prints, and its peak memory in kilobytes."""
    code += "\nprint(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shown, peak = done.stdout.splitlines()
    return shown, int(peak)


def write_byte_tokenizer(path: Path) -> str:
    """Write a tokenizer of which each byte is a token, and `<end>` one more; returns the path."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    alphabet = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = Tokenizer(models.BPE({**alphabet, "<end>": len(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.save(str(path))
    return str(path)


@pytest.fixture(scope="session")
def byte_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_byte_tokenizer(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json")


@pytest.fixture(scope="session")
def bench_warc(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A WARC of 160 real pages."""
    path = tmp_path_factory.mktemp("bench") / "bench.warc.gz"
    tool = data.parent / "tools" / "make_bench_warc.py"
    subprocess.run([sys.executable, str(tool), str(path), "--pages", "160"], check=True, capture_output=True)
    yield str(path)
    path.unlink()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The name of an empty bucket."""
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"b{abs(hash(request.node.name)) % 10**12}"
    boto3.client("s3", endpoint_url=server).create_bucket(Bucket=bucket)
    return bucket


#: The modules that take longest. They begin first: with `--dist loadfile` what begins last had better be short.
_LONG = (
    "near_duplicates",
    "export",
    "exactly_once",
    "verify",
    "hostile",
    "forgeries",
    "liar",
    "joined",
    "nothing_is_lost",
    "regrade",
    "quality",
    "formats",
    "generation",
    "collapse_command",
    "s3",
    "certify",
    "hugging_face",
    "clean",
    "truth",
    "every_file",
    "sources",
    "export_formats",
    "index_on_s3",
    "command",
    "query_command",
    "sql",
    "corpus",
    "report",
    "guard",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {f"test_{name}": number for number, name in enumerate(_LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))
