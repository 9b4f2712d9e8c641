"""`--wacz` packages the closed files, as other readers expect, and nothing is counted twice."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("scrapy")

from crawls import crawled
from rawserver import Answer, missing, page, serving

import lowbackground as lb
from archive.errors import CrawlError
from archive.lake import Lake
from crawler.frontier.rows import File
from crawler.records import wacz

WORDS = " ".join(f"word{number}" for number in range(60))


def answer(path: str, request: bytes) -> Answer:
    links = "".join(f"<a href=/{number}>" for number in range(6))
    title = f"Page &amp; {path}\n ä"
    return page(f"<title>{title}</title>{links}<p>{path} {WORDS}") if len(path) < 3 else missing()


def test_a_package_has_what_it_states_and_the_same_texts_as_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "crawl"
    with serving(answer) as server:
        first = crawled(folder, server.address + "/", wacz=True, name="site", pages=3, file_size=3000, batch=2)
        path = folder / "site.wacz"
        assert (first.package, wacz.packaged(path)) == (str(path), set(first.files))
        result = crawled(folder, server.address + "/", wacz=True, name="site", file_size=3000, batch=2)
        before = path.read_bytes()
        assert crawled(folder, server.address + "/", wacz=True, name="site").package == str(path)
    assert path.read_bytes() == before  # nothing was new
    assert len(result.files) > len(first.files)
    with zipfile.ZipFile(path) as package:
        assert package.testzip() is None
        assert {each.compress_type for each in package.infolist()} == {zipfile.ZIP_STORED}
        about = json.loads(package.read("datapackage.json"))
        assert (about["profile"], about["wacz_version"], about["title"]) == ("data-package", "1.1.1", "site")
        stated = {each["path"]: each for each in about["resources"]}
        names = {*(f"archive/{name}" for name in result.files), "indexes/index.cdxj", "pages/pages.jsonl"}
        assert stated.keys() == names == set(package.namelist()) - {"datapackage.json", "datapackage-digest.json"}
        for name, each in stated.items():
            data = package.read(name)
            assert (each["hash"], each["bytes"]) == (f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))
        digest = json.loads(package.read("datapackage-digest.json"))
        assert digest == {
            "path": "datapackage.json",
            "hash": f"sha256:{hashlib.sha256(package.read('datapackage.json')).hexdigest()}",
        }
        assert package.read("indexes/index.cdxj") == (folder / "index.cdxj").read_bytes()
        head, *pages = map(json.loads, package.read("pages/pages.jsonl").splitlines())
    assert head == {"format": "json-pages-1.0", "id": "pages", "title": "All Pages", "hasText": False}
    assert sorted((each["url"], each["title"]) for each in pages) == sorted(
        (f"{server.address}/{path}", f"Page & /{path} ä") for path in ("", *"012345")
    )
    assert len({each["id"] for each in pages}) == 7
    texts = []
    for source in (folder, path, f"{folder}/*"):
        lake = Lake(str(tmp_path / f"lake{len(texts)}"))
        ingested = lb.ingest(lake, str(source), workers=1)
        assert (ingested.captures, ingested.files_failed, ingested.sources_useless) == (
            9,
            {},
            {},
        )  # with robots.txt and tdmrep.json
        texts.append(sorted(map(str, lake.read("captures", ["content_id"]).column(0).to_pylist())))
    assert texts[0] == texts[1] == texts[2]


def test_a_package_that_this_crawl_did_not_write_is_not_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "crawl.wacz"
    with serving(answer) as server:
        for data in (b"mine", b"PK\x05\x06" + bytes(18)):
            mine.write_bytes(data)
            with pytest.raises(CrawlError, match=r"crawl\.wacz: is there"):
                crawled(tmp_path, server.address + "/", wacz=True)
            assert mine.read_bytes() == data
        mine.rename(tmp_path / "other.wacz")
        assert crawled(tmp_path, server.address + "/", wacz=True).package == str(mine)


def test_a_file_that_was_changed_is_not_packaged(tmp_path: Path) -> None:
    with serving(answer) as server:
        crawled(tmp_path, server.address + "/")
        (path,) = tmp_path.glob("*.warc.gz")
        path.write_bytes(path.read_bytes() + b"x")
        with pytest.raises(CrawlError, match="SHA-256 differs"):
            crawled(tmp_path, server.address + "/", wacz=True)
    assert not (tmp_path / "crawl.wacz").exists()


def test_files_of_more_than_4_gb_get_the_fields_of_zip64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    name = "c-20200101000000000-00001.warc.gz"
    (tmp_path / name).write_bytes(b"x" * 5000)
    (tmp_path / name.replace(".warc.gz", ".cdxj")).write_bytes(b"")
    digest = hashlib.sha256(b"x" * 5000).hexdigest()
    file = File(1, name, "", 1, 1 << 30, 1, True, digest)
    assert wacz.write(tmp_path / "c.wacz", [file], "a test")
    with zipfile.ZipFile(tmp_path / "c.wacz") as package:
        assert package.read(f"archive/{name}") == b"x" * 5000
        assert package.getinfo(f"archive/{name}").extract_version >= 45
