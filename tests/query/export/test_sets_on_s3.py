"""Sets on an object store: the same bytes as on a disk, whole or not at all, beside what others have there."""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import boto3
import few
import pytest
from conftest import members, record, take
from forked import forked, killed
from made import words
from servers import flaky_proxy, served

import lowbackground as lb
from archive.errors import ArchiveError, ExportError
from archive.journal import JOURNAL
from archive.lake import Lake
from archive.objects import Prefix, StoreError
from archive.owned_prefix import OwnedPrefix
from collapse.corpus.read import read
from index.neardup import index
from query.export.stored import StoredSet

BEFORE = "2020-01-01"
#: Of a shard, so that there are some.
SIZE = 4000
#: Rows to certify; every second one is like a text of the lake.
ROWS = [json.dumps({"text": " ".join(words(60, n))}) for n in range(0, 60, 2)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("made")
    pages = (
        record(
            url=f"http://site{n % 7}.org/{n}",
            body=f"<p>{' '.join(words(60, n))}</p>",
            date=f"{2012 + n % 9}-05-05T00:00:00Z",
        )
        for n in range(40)
    )
    (folder / "a.warc.gz").write_bytes(members(*pages))
    lake = Lake(str(folder / "lake"))
    take(lake, str(folder / "a.warc.gz"))
    index(lake, workers=1)
    return lake


@pytest.fixture(scope="module")
def plain(made: Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain") / "set"
    lb.export(made, out, before=BEFORE, shard_size=SIZE, workers=1)
    return out


@pytest.fixture(scope="module")
def certified(made: Lake, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of three files of rows, and of what certify makes of them."""
    folder = tmp_path_factory.mktemp("certified")
    (folder / "rows").mkdir()
    for part in range(3):
        (folder / "rows" / f"{part}.jsonl").write_text("\n".join(ROWS[part::3]) + "\n")
    lb.certify(made, folder / "rows", folder / "out", before=BEFORE, workers=1)
    return folder / "rows", folder / "out"


def export(lake: Lake, out: str, **options: Any) -> None:
    lb.export(lake, out, before=BEFORE, shard_size=SIZE, workers=1, **options)


def on_disk(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != JOURNAL
    }


def upload(folder: Path, location: str) -> None:
    """Put the files of a set into a store, as another tool would."""
    for name, data in on_disk(folder).items():
        Prefix(location).put(name, data)


def in_store(location: str) -> dict[str, bytes]:
    prefix = Prefix(location)
    return {name: prefix.read(name) or b"" for name, _ in prefix.names() if name != JOURNAL}


def uploads(bucket: str) -> list[Any]:
    return list(boto3.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", []))


def scratch() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("lowbackground-export-*"))


@pytest.fixture(scope="module")
def refusing_server() -> Iterator[str]:
    """A store that answers each request with the error that the first part of the key names."""

    class Refusing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            code = next(
                each
                for each in ("ExpiredToken", "RequestTimeTooSkewed", "SlowDown", "AccessDenied")
                if each in self.path
            )
            body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(503 if code == "SlowDown" else 403)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_PUT = do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with served(Refusing) as address:
        yield address


@pytest.fixture
def refusing(refusing_server: str, s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", refusing_server)
    monkeypatch.setattr("archive.objects._TRIES", 2)
    return "s3://bucket"


# `benchmarks/object_store.py formats` does the same with all formats


@pytest.mark.parametrize("format_", ["parquet", "mds"])
def test_a_set_on_s3_has_the_bytes_of_one_on_a_disk_and_is_read_and_verified_there(
    made: Lake, plain: Path, tmp_path: Path, s3: str, format_: str
) -> None:
    disk, before = plain, scratch()
    if format_ != "parquet":
        export(made, str(disk := tmp_path / "set"), format=format_)
    export(made, f"s3://{s3}/set/", format=format_)
    assert in_store(f"s3://{s3}/set") == on_disk(disk)
    assert sum(name.startswith("train/") for name in on_disk(disk)) > 2
    assert JOURNAL not in dict(Prefix(f"s3://{s3}/set").names())
    assert scratch() <= before
    here, there = lb.load(disk), lb.load(f"s3://{s3}/set")
    assert there.to_arrow().equals(here.to_arrow())
    again = made if format_ == "parquet" else None
    result = lb.verify(f"s3://{s3}/set", all=True, root=here.merkle_root, again=again, workers=1)
    assert result.sound, result.problems
    with pytest.raises(ExportError, match="holds a finished export; name another prefix"):
        export(made, f"s3://{s3}/set", format=format_)


def test_so_has_a_set_of_tokens(made: Lake, tmp_path: Path, s3: str, byte_tokenizer: str) -> None:
    options = {"format": "megatron", "tokenizer": byte_tokenizer, "eos": "<end>"}
    export(made, str(tmp_path / "set"), **options)
    export(made, f"s3://{s3}/set", **options)
    assert in_store(f"s3://{s3}/set") == on_disk(tmp_path / "set")
    assert lb.verify(f"s3://{s3}/set", all=True, workers=1).sound


def test_what_is_wrong_with_a_set_on_s3_is_found(plain: Path, s3: str) -> None:
    upload(plain, f"s3://{s3}/set")
    client, (shard, *_) = boto3.client("s3"), lb.load(plain).shards[0].paths
    data = (plain / shard).read_bytes()
    client.put_object(Bucket=s3, Key=f"set/{shard}", Body=data[:-9] + b"012345678")
    client.put_object(Bucket=s3, Key="set/../../strange", Body=b"")
    problems = lb.verify(f"s3://{s3}/set", workers=1).problems
    assert f"{shard}: not the bytes that the manifest states" in problems
    assert "../../strange: not of this export" in problems
    client.delete_object(Bucket=s3, Key=f"set/{shard}")
    assert f"{shard}: No such file or directory" in lb.verify(f"s3://{s3}/set", workers=1).problems
    with pytest.raises(ExportError, match="no export here"):
        lb.load(f"s3://{s3}/nothing")


def test_a_prefix_that_holds_something_else_stays_as_it_is(made: Lake, s3: str) -> None:
    client = boto3.client("s3")
    client.put_object(Bucket=s3, Key="set/train/train-00000.parquet", Body=b"mine")
    with pytest.raises(ExportError, match=r"holds train/train-00000\.parquet, which `archive export` did not make"):
        export(made, f"s3://{s3}/set")
    client.put_object(Bucket=s3, Key="set2", Body=b"no prefix")
    client.put_object(Bucket=s3, Key="set2/", Body=b"")  # as consoles mark a folder
    export(made, f"s3://{s3}/set2")
    assert in_store(f"s3://{s3}/set") == {"train/train-00000.parquet": b"mine"}
    assert client.get_object(Bucket=s3, Key="set2")["Body"].read() == b"no prefix"
    Lake(f"s3://{s3}/lake").create()
    with pytest.raises(ExportError, match="is inside the lake"):
        lb.export(f"s3://{s3}/lake", f"s3://{s3}/lake/set", before=BEFORE)


def test_nobody_writes_over_a_strangers_object_that_comes_between(made: Lake, plain: Path, s3: str) -> None:
    names = list(on_disk(plain))
    owned = OwnedPrefix(f"s3://{s3}/set", "export", ExportError)
    owned.make_claim({})
    owned.put(names[0], plain / names[0])
    boto3.client("s3").put_object(Bucket=s3, Key=f"set/{names[0]}", Body=b"mine")
    with pytest.raises(ExportError, match="did not make"):
        owned.put(names[0], plain / names[0])
    with pytest.raises(ExportError, match="did not make"):
        owned.refuse()
    owned.remove(names[0])
    assert in_store(f"s3://{s3}/set") == {names[0]: b"mine"}


def test_two_exports_at_once_make_one_set_and_another_one_is_refused(
    made: Lake, plain: Path, tmp_path: Path, s3: str
) -> None:
    def run(number: int) -> int:
        env = os.environ | {"TMPDIR": str(tmp_path / str(number))}  # as on two machines
        (tmp_path / str(number)).mkdir()
        args = ["export", f"s3://{s3}/set", "--lake", made.location, "--before", BEFORE, "--shard-size", str(SIZE)]
        return forked(*args, "--workers", "1", env=env, check=False).returncode

    with ThreadPoolExecutor(2) as pool:
        codes = sorted(pool.map(run, range(2)))
    assert codes in ([0, 0], [0, 2])  # the second may find the set finished
    assert in_store(f"s3://{s3}/set") == on_disk(plain)

    OwnedPrefix(f"s3://{s3}/other", "export", ExportError).make_claim({"identity": {"seed": 9}, "versions": {}})
    with pytest.raises(ExportError, match="holds an unfinished export with other values of: "):
        export(made, f"s3://{s3}/other")
    with pytest.raises(ExportError, match="this export is not finished"):
        lb.load(f"s3://{s3}/other")


def test_an_export_that_another_one_finished_before_it_stays_as_it_is(
    made: Lake, plain: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second looks at an empty prefix, and has its set made when the first has finished."""
    send, out = StoredSet.send, f"s3://{s3}/set"

    def send_later(*args: Any) -> None:
        monkeypatch.setattr(StoredSet, "send", send)
        export(made, out)
        send(*args)

    monkeypatch.setattr(StoredSet, "send", send_later)
    with pytest.raises(ExportError, match="holds a finished export; name another prefix"):
        lb.export(made, out, before=BEFORE, shard_size=SIZE // 4, workers=1)  # of more shards
    assert in_store(out) == on_disk(plain)
    assert JOURNAL not in dict(Prefix(out).names())
    assert lb.verify(out, workers=1).sound


def test_a_claim_is_given_back_where_somebody_else_came_first_and_that_of_others_stays(s3: str) -> None:
    mine, theirs = (OwnedPrefix(f"s3://{s3}/set", "export", ExportError) for _ in range(2))
    boto3.client("s3").put_object(Bucket=s3, Key="set/train/train-00000.parquet", Body=b"theirs")
    with pytest.raises(ExportError, match="did not make"):
        mine.make_claim({})
    assert mine.claim() is None
    boto3.client("s3").delete_object(Bucket=s3, Key="set/train/train-00000.parquet")
    mine.make_claim({"for": "mine"})
    mine.close()
    theirs.make_claim({"for": "them"})
    mine.close()  # of a process that shared the claim and ends later
    assert mine.claim() == {"for": "them"}


def test_prefixes_that_begin_alike_and_names_with_signs_are_apart(made: Lake, plain: Path, s3: str) -> None:
    client = boto3.client("s3")
    client.put_object(Bucket=s3, Key="sets/ab/mine", Body=b"mine")
    client.create_multipart_upload(Bucket=s3, Key="sets/ab/train/train-00000.parquet")
    for name in ("a", "a b %41+ü日", "a/b"):
        if name != "a/b":
            export(made, f"s3://{s3}/sets/{name}")
        else:  # inside of a set that is finished: that one is not changed, and says what is in it
            export(made, f"s3://{s3}/sets/{name}")
            problems = lb.verify(f"s3://{s3}/sets/a", workers=1).problems
            assert problems
            assert all("not of this export" in each for each in problems)
        found = in_store(f"s3://{s3}/sets/{name}")
        assert {key: found[key] for key in on_disk(plain)} == on_disk(plain)
    assert in_store(f"s3://{s3}/sets/ab") == {"mine": b"mine"}
    assert [each["Key"] for each in uploads(s3)] == ["sets/ab/train/train-00000.parquet"]


def test_a_listing_that_lags_hides_nothing_and_shows_nothing(
    made: Lake, plain: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(plain, f"s3://{s3}/set")
    names = Prefix.names

    def lagging(prefix: Prefix) -> Iterator[tuple[str, int]]:
        """List nothing that is new, and what is deleted."""
        yield from ((name, size) for name, size in names(prefix) if not name.endswith((".parquet", "README.md")))
        yield "train/train-99999.parquet", 10

    monkeypatch.setattr(Prefix, "names", lagging)
    result = lb.verify(f"s3://{s3}/set", all=True, workers=1)
    assert result.sound, result.problems
    export(made, f"s3://{s3}/new")  # what is deleted is in nobody's way
    with pytest.raises(ExportError, match="finished export"):
        export(made, f"s3://{s3}/set")
    boto3.client("s3").put_object(Bucket=s3, Key="other/train/train-00000.parquet", Body=b"mine")
    with pytest.raises(ExportError, match=r"holds train/train-00000\.parquet, which `archive export` did not make"):
        export(made, f"s3://{s3}/other")
    assert Prefix(f"s3://{s3}/other").read("train/train-00000.parquet") == b"mine"


def test_no_upload_is_left_whose_beginning_was_not_heard_of(
    s3: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    few.objects_are_large(monkeypatch.setattr)
    data = random.Random(1).randbytes(5000)
    with flaky_proxy(server, share=0.4, faults="cut") as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy)
        for number in range(8):
            assert Prefix(f"s3://{s3}/x").put(f"{number}", data)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    assert in_store(f"s3://{s3}/x") == {f"{number}": data for number in range(8)}
    assert uploads(s3) == []


def test_scratch_in_a_store_is_not_where_a_set_is_made(
    made: Lake, plain: Path, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOWBACKGROUND_SCRATCH", f"s3://{s3}/scratch")
    export(made, f"s3://{s3}/set")
    assert in_store(f"s3://{s3}/set") == on_disk(plain)
    monkeypatch.setenv("LOWBACKGROUND_SCRATCH", str(tmp_path / "none"))
    with pytest.raises(ExportError, match=r"none: No such file or directory; set \$LOWBACKGROUND_SCRATCH"):
        export(made, f"s3://{s3}/set2")


def test_an_export_to_s3_that_is_killed_goes_on(
    made: Lake, plain: Path, tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    out = f"s3://{s3}/set"
    args = ["export", out, "--lake", made.location, "--before", BEFORE, "--shard-size", str(SIZE), "--workers", "1"]
    dice = random.Random(3)
    for number in range(2):  # `benchmarks/object_store.py kills` does it again and again
        in_parts = ("few", "objects_are_large")
        killed(args, dice.uniform(0.2, 1.2), tmp_path / "said", workers_too=number % 2 == 0, prepare=in_parts)
        there = in_store(out)
        assert "manifest.json" not in there or there == on_disk(plain)
    assert forked(*args, check=False).returncode in {0, 2}  # 2 where it was finished before the last kill
    assert in_store(out) == on_disk(plain)
    assert uploads(s3) == []


def test_on_another_machine_it_goes_on_with_the_version_of_the_lake_that_it_began_with(
    lake: Lake, tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ingest(name: str, numbers: range) -> None:
        pages = (record(body=f"<p>{' '.join(words(60, n))}</p>", date="2013-01-01T00:00:00Z") for n in numbers)
        (tmp_path / name).write_bytes(members(*pages))
        take(lake, str(tmp_path / name))

    def refuse(prefix: Prefix, name: str, *args: Any, **options: Any) -> bool:
        if name == "manifest.json":
            raise StoreError("refused")
        return put(prefix, name, *args, **options)

    ingest("a.warc.gz", range(20))
    export(lake, str(tmp_path / "set"))
    put, out = Prefix.put, f"s3://{s3}/set"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "one"))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Prefix, "put", refuse)
        with pytest.raises(StoreError, match="refused"):
            export(lake, out)
    assert len(in_store(out)) > 3
    client = boto3.client("s3")
    client.create_multipart_upload(Bucket=s3, Key="set/train/train-00001.parquet")  # what a killed run began
    client.create_multipart_upload(Bucket=s3, Key="set/of/somebody-else")
    ingest("b.warc.gz", range(20, 30))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "two"))
    export(lake, out)
    assert in_store(out) == on_disk(tmp_path / "set")
    assert [each["Key"] for each in uploads(s3)] == ["set/of/somebody-else"]


def test_large_objects_go_in_parts_that_do_not_stay_when_one_fails(
    tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archive.objects._LARGE", 1 << 20)
    monkeypatch.setattr("archive.objects._PART", 5 << 20)
    (tmp_path / "large").write_bytes(data := random.Random(1).randbytes(12 << 20))
    prefix = Prefix(f"s3://{s3}/x")
    assert prefix.put("large", tmp_path / "large", {"a": "b"})
    assert not prefix.put("large", tmp_path / "large")
    assert b"".join(prefix.stream("large")) == data
    assert b"".join(prefix.stream("large", 100, 5000)) == data[100:5000]
    head = prefix.head("large")
    assert head is not None
    assert (head.size, head.metadata) == (len(data), {"a": "b"})
    monkeypatch.setattr("archive.objects._pieces", lambda *_: iter([data[: 5 << 20], 1 // 0]))
    with pytest.raises(ZeroDivisionError):
        prefix.put("larger", tmp_path / "large")
    assert uploads(s3) == []
    assert prefix.head("larger") is None


def test_a_store_that_fails_now_and_then_changes_nothing(
    made: Lake, plain: Path, certified: tuple[Path, Path], s3: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with flaky_proxy(server, share=0.15, faults="503,reset,cut") as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy)
        export(made, f"s3://{s3}/set")
        assert in_store(f"s3://{s3}/set") == on_disk(plain)
        assert lb.verify(f"s3://{s3}/set", all=True, workers=1).sound
        rows, disk = certified
        lb.certify(made, rows, f"s3://{s3}/certified", before=BEFORE, workers=1)
        assert in_store(f"s3://{s3}/certified") == on_disk(disk)
        assert uploads(s3) == []


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDenied", "the store refuses these credentials"),
        ("ExpiredToken", "the credentials have expired; get new ones"),
        ("RequestTimeTooSkewed", "the clock of this machine differs from that of the store; set it"),
        ("SlowDown", "the store asks for fewer requests; run the same command again later"),
    ],
)
def test_what_a_store_refuses_is_said_in_one_line(refusing: str, code: str, said: str) -> None:
    prefix = Prefix(f"{refusing}/{code}")
    for action in (lambda: prefix.put("a", b""), lambda: prefix.read("a"), lambda: list(prefix.names())):
        with pytest.raises(StoreError, match=said) as caught:
            action()
        assert "\n" not in str(caught.value)


def test_commands_that_may_not_write_or_read_there_end_with_2(made: Lake, tmp_path: Path, refusing: str) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "words"}\n')
    args = ["--before", BEFORE, "--lake", made.location]
    for command in (
        ["export", f"{refusing}/AccessDenied/set", *args],
        ["verify", f"{refusing}/AccessDenied/set"],
        ["certify", str(tmp_path / "rows.jsonl"), *args, "--out", f"{refusing}/AccessDenied/out"],
    ):
        done = forked(*command, check=False)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "the store refuses these credentials" in done.stderr


def test_a_bucket_that_is_not_there_is_said_in_one_line(made: Lake, s3: str) -> None:
    done = forked("export", "s3://no-such-bucket/set", "--before", BEFORE, "--lake", made.location, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "there is no such bucket; make it" in done.stderr


def test_a_certified_set_on_s3_is_that_of_the_disk_and_goes_on(
    made: Lake, certified: tuple[Path, Path], tmp_path: Path, s3: str
) -> None:
    folder, disk = certified
    for path in folder.iterdir():
        boto3.client("s3").upload_file(str(path), s3, f"rows/{path.name}")
    out, dice = f"s3://{s3}/out", random.Random(4)
    args = ["certify", str(folder), "--before", BEFORE, "--lake", made.location, "--out", out, "--workers", "1"]
    for _ in range(2):  # `benchmarks/object_store.py kills` does it again and again
        killed(args, dice.uniform(0.3, 1.2), tmp_path / "said")
    forked(*args)
    assert in_store(out) == on_disk(disk)
    assert lb.verify(out, all=True, workers=1).sound
    with pytest.raises(ArchiveError, match=r"holds the result of another certify \(before differ\)"):
        lb.certify(made, folder, out, before="2015-01-01", workers=1)
    assert lb.certify(made, f"s3://{s3}/rows", f"s3://{s3}/out2", before=BEFORE, workers=1).files == 3
    Prefix(f"s3://{s3}/mine").put("a.txt", b"mine")
    with pytest.raises(ArchiveError, match=r"holds a\.txt, which `archive certify` did not make"):
        lb.certify(made, folder, f"s3://{s3}/mine", before=BEFORE, workers=1)


def test_a_set_on_s3_is_read_for_a_collapse_test(plain: Path, s3: str) -> None:
    upload(plain, f"s3://{s3}/set")
    assert read([f"s3://{s3}/set"]).train == read([str(plain)]).train
