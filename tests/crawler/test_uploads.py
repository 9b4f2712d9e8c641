"""Closed files go to a bucket, each once and verified, whatever happens; and a crawl goes on from what is there."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import boto3
import pytest

pytest.importorskip("scrapy")

from crawl_process import crawls
from crawls import crawled, pages, records
from rawserver import Answer, missing, page, serving

import lowbackground as lb
from archive.errors import CrawlError
from archive.lake import Lake
from crawler.frontier.uploads import Uploads
from crawler.records import delivery
from crawler.records.store import Store
from crawler.run import crawl, status

WORDS = " ".join(f"word{number}" for number in range(60))


def answer(path: str, request: bytes) -> Answer:
    """12 pages in a tree, with ETags."""
    number = int(path[1:] or 0) if path[1:].isdigit() or path == "/" else 99
    if number >= 12:
        return missing()
    tag = f'"{number}"'
    if f"If-None-Match: {tag}".encode() in request:
        return Answer([f"HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n".encode()], "keep")
    links = "".join(f"<a href=/{each}>" for each in (2 * number + 1, 2 * number + 2) if each < 12)
    return page(f"<title>{number}</title>{links}<p>{number} {WORDS}", "Content-Type: text/html", f"ETag: {tag}")


def objects(bucket: str, folder: Path | None = None) -> dict[str, bytes]:
    """Return the objects below `x/`; write them into a folder too."""
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    found = {}
    for each in client.list_objects_v2(Bucket=bucket, Prefix="x/").get("Contents", []):
        found[each["Key"][2:]] = client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
    if folder is not None:
        folder.mkdir()
        for name, data in found.items():
            (folder / name).write_bytes(data)
    return found


def put(bucket: str, name: str, data: bytes) -> None:
    boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).put_object(
        Bucket=bucket, Key=f"x/{name}", Body=data
    )


def test_closed_files_are_in_the_bucket_and_ingested_from_there(tmp_path: Path, s3: str) -> None:
    state, store = tmp_path / "state", f"s3://{s3}/x"
    with serving(answer) as server:
        result = crawled(state, server.address + "/", store=store, file_size=3000, batch=4)
    there = objects(s3, tmp_path / "copy")
    assert len(result.files) > 2
    assert (result.store, result.uploaded, result.problems) == (store, len(result.files), [])
    assert not list(state.glob("*.warc.gz"))
    manifest = [json.loads(line) for line in there["manifest.jsonl"].splitlines()]
    assert [each["name"] for each in manifest] == result.files
    assert all(hashlib.sha256(there[each["name"]]).hexdigest() == each["sha256"] for each in manifest)
    assert there["index.cdxj"] == (state / "index.cdxj").read_bytes()
    indexes = [name.replace(".warc.gz", ".cdxj") for name in result.files]
    assert there.keys() == {*result.files, *indexes, "manifest.jsonl", "index.cdxj", "archive-crawl.json"}
    assert status(state).uploaded == len(result.files)
    texts = []
    for number, source in enumerate((store, str(tmp_path / "copy"))):
        lake = Lake(str(tmp_path / f"lake{number}"))
        ingested = lb.ingest(lake, source, workers=1)
        assert (ingested.captures, ingested.files_failed, ingested.sources_useless) == (
            14,
            {},
            {},
        )  # with robots.txt and tdmrep.json
        texts.append(sorted(map(str, lake.read("captures", ["content_id"]).column(0).to_pylist())))
    assert texts[0] == texts[1]


def test_a_recrawl_finds_the_links_of_unchanged_pages_in_the_bucket(tmp_path: Path, s3: str) -> None:
    state, store = tmp_path / "state", f"s3://{s3}/x"
    with serving(answer) as server:
        first = crawled(state, server.address + "/", store=store)
        again = crawled(state, server.address + "/", store=store, again=True)
    assert (first.statuses, again.statuses, again.left_out) == ({"200": 12}, {"304": 12}, {})
    assert (len(again.files), again.uploaded) == (2, 2)
    objects(s3, tmp_path / "copy")
    kinds = Counter(each.kind for each in records(tmp_path / "copy"))
    assert (kinds["revisit"], len(pages(tmp_path / "copy"))) == (12, 24)


def test_a_crawl_that_is_killed_again_and_again_uploads_each_page_once(tmp_path: Path, s3: str) -> None:
    state, store, dice = tmp_path / "state", f"s3://{s3}/x", random.Random(3)
    state.mkdir()
    many = 120

    def tree(path: str, request: bytes) -> Answer:
        if path != "/" and not (path[1:].isdigit() and int(path[1:]) < many):
            return missing()
        number = int(path[1:] or 0)
        noise = "".join(f"{dice.getrandbits(64):x}" for _ in range(200))
        return page(
            "".join(f"<a href=/{number * 10 + each}>" for each in range(1, 11) if number * 10 + each < many)
            + f"<p>{number} {noise}"
        )

    with serving(tree) as server, crawls(state, server.address + "/", store) as runs:
        for _ in range(3):
            process = runs.begin()
            until = len(server.asked) + dice.randint(3, 10)
            end = time.monotonic() + 20
            while len(server.asked) < until and time.monotonic() < end:
                time.sleep(0.002)
            time.sleep(dice.uniform(0.0, 0.1))
            os.kill(process, signal.SIGKILL)
            assert runs.end() == signal.SIGKILL
        runs.begin()
        assert runs.end() == 0
    result = status(state)
    assert result.uploaded == len(result.files) > 1
    there = objects(s3, tmp_path / "copy")
    assert {name for name in there if name.endswith(".warc.gz")} == set(result.files)
    assert not list(state.glob("*.warc.gz*"))
    assert Counter(pages(tmp_path / "copy")) == Counter(["/", *(f"/{each}" for each in range(1, many))])


_UPLOAD = Store.upload


class Killed(Exception):
    """Ends the thread, as a kill would at this moment."""


@pytest.mark.parametrize("moment", ["begin", "upload", "sent", "confirm", "confirmed"])
def test_a_kill_at_any_moment_of_an_upload_leaves_what_the_next_run_needs(
    tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    owner, name = (Store, "upload") if moment in ("upload", "sent") else (Uploads, moment.removesuffix("ed"))
    original = getattr(owner, name)

    def killed(*args: object) -> None:
        if not str(args[-2 if owner is Store else -1]).endswith(".warc.gz"):
            return original(*args)
        if moment in ("sent", "confirmed"):
            original(*args)
        raise Killed

    state, store = tmp_path / "state", f"s3://{s3}/x"
    with serving(answer) as server:
        monkeypatch.setattr(owner, name, killed)
        with pytest.raises(Killed):
            crawled(state, server.address + "/", store=store)
        before = objects(s3)
        assert len(list(state.glob("*.warc.gz"))) == 1
        monkeypatch.setattr(owner, name, original)
        sent = Counter[str]()

        def counted(self: Store, path: Path, name: str, sha256: str) -> None:
            sent.update([name])
            _UPLOAD(self, path, name, sha256)

        monkeypatch.setattr(Store, "upload", counted)
        result = crawled(state, server.address + "/", store=store)
    (file,) = result.files
    assert (result.pages, result.uploaded) == (12, 1)
    assert not list(state.glob("*.warc.gz"))
    assert sent[file] == (moment in ("begin", "upload"))
    assert all(objects(s3)[each] == before[each] for each in before if each.endswith((".warc.gz", ".cdxj")))


def test_a_store_that_fails_is_tried_again_and_nothing_is_removed_before(
    tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_PAUSE", 0.01)
    state, store, left = tmp_path / "state", f"s3://{s3}/x", [3]

    def failing(self: Store, path: Path, name: str, sha256: str) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(5, "the network is down")
        _UPLOAD(self, path, name, sha256)

    monkeypatch.setattr(Store, "upload", failing)
    with serving(answer) as server:
        left[0] = 1000
        down = crawled(state, server.address + "/", store=store)
        assert (down.ended, down.pages, down.uploaded) == ("finished", 12, 0)
        assert ["the network is down" in each for each in down.problems] == [True]
        assert [path.name for path in state.glob("*.warc.gz")] == down.files
        left[0] = 3
        up = crawled(state, server.address + "/", store=store)
    assert (up.uploaded, up.problems) == (1, [])
    assert not list(state.glob("*.warc.gz"))


def test_bytes_that_the_store_changes_are_not_confirmed(
    tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_PAUSE", 0.01)
    monkeypatch.setattr(Store, "sha256", lambda *_: "0" * 64)
    with serving(answer) as server:
        result = crawled(tmp_path, server.address + "/", store=f"s3://{s3}/x")
        assert (result.uploaded, "other bytes" in result.problems[0]) == (0, True)
        assert len(list(tmp_path.glob("*.warc.gz"))) == 1
        assert not [name for name in objects(s3) if name.endswith(".warc.gz")]


def test_objects_of_another_crawl_are_never_written_over(tmp_path: Path, s3: str) -> None:
    store = f"s3://{s3}/x"
    with serving(answer) as server:
        crawled(tmp_path / "a", server.address + "/", store=store, pages=5)
        before = objects(s3)
        with pytest.raises(CrawlError, match="another crawl"):
            crawled(tmp_path / "b", server.address + "/", store=store)
        with pytest.raises(CrawlError, match=f"go to {store}"):
            crawled(tmp_path / "a", server.address + "/")
        with pytest.raises(CrawlError, match=f"go to {store}"):
            crawled(tmp_path / "a", server.address + "/", store=f"{store}/y")
        assert crawled(tmp_path / "b", server.address + "/", pages=5, store=f"{store}/y").uploaded == 1
        put(s3, "archive-crawl.json", b'{"crawl": "another"}')
        with pytest.raises(CrawlError, match="another crawl"):
            crawled(tmp_path / "a", server.address + "/", store=store)
    assert {name: data for name, data in objects(s3).items() if name in before and name != "archive-crawl.json"} == {
        name: data for name, data in before.items() if name != "archive-crawl.json"
    }


def test_files_of_somebody_else_under_a_name_of_the_crawl_end_the_run(
    tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3, "manifest.jsonl", b"{}\n")
    with serving(answer) as server:
        with pytest.raises(CrawlError, match=r"manifest\.jsonl of somebody else"):
            crawled(tmp_path / "a", server.address + "/", store=f"s3://{s3}/x")
        crawled(tmp_path / "b", server.address + "/", pages=5)
        (file,) = (tmp_path / "b").glob("*.warc.gz")
        put(s3, f"y/{file.name}", b"mine")
        with pytest.raises(CrawlError, match="is no file of this crawl"):
            crawled(tmp_path / "b", server.address + "/", store=f"s3://{s3}/x/y")
    assert file.exists()
    assert objects(s3)[f"y/{file.name}"] == b"mine"


def test_a_bucket_needs_a_folder_for_the_state_and_a_store_that_answers(tmp_path: Path, s3: str) -> None:
    def wrong(match: str, **words: object) -> None:
        with pytest.raises(CrawlError, match=match) as error:
            crawl("http://a.example/", contact="a@example.org", **words)  # type: ignore[arg-type]
        assert "\n" not in str(error.value)

    wrong("needs --state", out="s3://bucket/x")
    wrong("s3://bucket/prefix", out="gs://bucket/x", state=tmp_path)
    wrong("--state goes with", out=tmp_path, state=tmp_path)
    wrong("--wacz", out="s3://bucket/x", state=tmp_path, wacz=True)
    wrong("no such bucket", out=f"s3://{s3}-none/x", state=tmp_path)
    with serving(answer) as server:
        assert crawled(tmp_path, server.address + "/", pages=1, store=f"s3://{s3}/x").uploaded == 1


def _delete(bucket: str, name: str) -> None:
    boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).delete_object(Bucket=bucket, Key=f"x/{name}")


def test_one_file_that_cannot_be_uploaded_keeps_no_other_from_its_turn(
    tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_PAUSE", 0.01)

    def failing(self: Store, path: Path, name: str, sha256: str) -> None:
        if name.endswith("-00001.warc.gz"):
            raise OSError(5, "this one not")
        _UPLOAD(self, path, name, sha256)

    monkeypatch.setattr(Store, "upload", failing)
    with serving(answer) as server:
        result = crawled(tmp_path, server.address + "/", store=f"s3://{s3}/x", file_size=3000, batch=4)
    assert len(result.files) > 2
    assert result.uploaded == len(result.files) - 1
    assert [path.name for path in tmp_path.glob("*.warc.gz")] == result.files[:1]
    (problem,) = result.problems
    assert problem.startswith(f"{result.files[0]} is not uploaded: ")
    assert [json.loads(line)["name"] for line in objects(s3)["manifest.jsonl"].splitlines()] == result.files[1:]


def test_the_manifest_is_there_after_a_kill_in_front_of_it(
    tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> bytes:
        raise Killed

    with serving(answer) as server:
        with monkeypatch.context() as patch:
            patch.setattr(delivery.Delivery, "_manifest", killed)
            with pytest.raises(Killed):
                crawled(tmp_path, server.address + "/", store=f"s3://{s3}/x")
        (file,) = tmp_path.glob("*.warc.gz")
        assert "manifest.jsonl" not in objects(s3)
        _delete(s3, file.name)  # and the last copy is the one here
        result = crawled(tmp_path, server.address + "/", store=f"s3://{s3}/x")
        assert (result.uploaded, list(tmp_path.glob("*.warc.gz"))) == (1, [])
        there = objects(s3)
        (line,) = there["manifest.jsonl"].splitlines()
        assert hashlib.sha256(there[file.name]).hexdigest() == json.loads(line)["sha256"]
        for name in there:
            _delete(s3, name)
        with pytest.raises(CrawlError, match=r"archive-crawl\.json is missing"):
            crawled(tmp_path, server.address + "/", store=f"s3://{s3}/x", again=True)
