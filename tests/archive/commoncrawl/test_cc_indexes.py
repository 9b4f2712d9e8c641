"""Both indexes find the same records of a selection, with few requests, and what they keep makes no request again."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from minicc.fixtures import MAIN, cc, minicc, pages_of, reach_of  # noqa: F401
from minicc.make import Capture, page, write_collinfo, write_crawl
from minicc.serve import Fault, Server

from archive.commoncrawl import cluster, columnar
from archive.commoncrawl.cluster import PAGE, Cluster
from archive.commoncrawl.crawls import Crawl
from archive.commoncrawl.gate import Gate
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selected import Selected
from archive.commoncrawl.selection import Selection
from archive.errors import SourceError

ReachOf = Callable[..., Reach]
Found = list[tuple[str, int, int, str | None, float]]


def rows(selected: Selected) -> Found:
    """The records as plain values, by file and offset."""
    return sorted(
        (
            selected.paths[row["file"]],
            int(row["offset"]),
            int(row["length"]),
            _stated(row["digest"]),
            int(row["at"]),
        )
        for some in selected.sorted()
        for row in some
    )


def _stated(digest: bytes) -> str | None:
    return f"sha1:{base64.b32encode(digest.ljust(20, bytes(1))).decode()}" if digest else None


def by(index: object, reach: Reach, crawl: Crawl, selection: Selection) -> Found:
    selected = Selected(selection)
    index.select(reach, crawl, selection, selected)  # type: ignore[attr-defined]
    assert selected.dropped == 0
    return rows(selected)


def crawl(reach: Reach, name: str = "CC-MAIN-2019-35") -> Crawl:
    return reach.crawls([f"cc:{name}"])[0]


#: Options, and which captures of the small Common Crawl they are.
CASES: list[tuple[dict[str, object], Callable[[Capture], bool]]] = [
    ({"host": ["site3.de"]}, lambda each: "/www.site3.de/" in each.url),
    ({"host": ["www.site3.de", "site0.com"]}, lambda each: "site3.de" in each.url or "site0.com/" in each.url),
    ({"domain": ["site3.de"]}, lambda each: "site3.de" in each.url),
    ({"tld": ["pt"]}, lambda each: ".pt/" in each.url),
    ({"tld": ["pt"], "host": ["site3.de"]}, lambda each: ".pt/" in each.url or "site3.de" in each.url),
    ({"url": ["http://site0.com/page/12"]}, lambda each: each.url.endswith("site0.com/page/12")),
    ({"url": ["https://www.site0.com/page/12"]}, lambda each: each.url.endswith("site0.com/page/12")),
    ({"url": ["site0.com/page/1*"]}, lambda each: "site0.com/page/1" in each.url),
    ({"url": ["site0.com/*"]}, lambda each: "site0.com/" in each.url),
    ({"mime": ["text/plain"]}, lambda each: each.mime == "text/plain"),
    ({"mime": ["text/*"]}, lambda _: True),
    ({"tld": ["com"], "mime": ["TEXT/PLAIN"]}, lambda each: ".com/" in each.url and each.mime == "text/plain"),
    ({"status": [200]}, lambda _: True),
    ({"status": [404]}, lambda _: False),
    ({"after": "2019-08-20"}, lambda each: f"{each.at:%Y%m%d}" >= "20190820"),
    ({"before": "2019-08-20"}, lambda each: f"{each.at:%Y%m%d}" < "20190820"),
    ({"after": "2019-08-20", "before": "2019-08-21"}, lambda each: f"{each.at:%Y%m%d}" == "20190820"),
    ({"language": ["por"]}, lambda each: each.languages in {"por", "por,eng"}),
    ({"language": ["eng", "deu"]}, lambda each: each.languages in {"eng", "deu"}),
    ({"host": ["nowhere.example"]}, lambda _: False),
    ({"url": ["http://zzz.zz/"]}, lambda _: False),
]


@pytest.mark.parametrize(("options", "wanted"), CASES, ids=[json.dumps(options) for options, _ in CASES])
def test_both_indexes_find_what_is_wanted(
    minicc: Path, reach_of: ReachOf, options: dict[str, object], wanted: Callable[[Capture], bool]
) -> None:
    reach = reach_of(minicc)
    selection = Selection.of(**options)  # type: ignore[arg-type]
    expected = sorted(
        (f"sha1:{each.digest}", int(each.at.timestamp()))
        for each in pages_of("CC-MAIN-2019-35")
        if each.status == 200 and wanted(each)
    )
    for index in (cluster, columnar):
        found = by(index, reach, crawl(reach), selection)
        assert sorted((digest or "", at) for *_, digest, at in found) == expected, index.__name__


def test_the_records_are_where_the_indexes_say(minicc: Path, reach_of: ReachOf) -> None:
    reach = reach_of(minicc)
    for name in ["CC-MAIN-2008-2009", *MAIN]:
        found = by(cluster, reach, crawl(reach, name), Selection.of(tld=["pt"]))
        assert len(found) > 50
        for path, offset, length, *_ in found:
            data = gzip.decompress((minicc / path).read_bytes()[offset : offset + length])
            assert data.startswith(b"WARC/1.0\r\nWARC-Type: response") if "warc" in path else b".pt/page/" in data[:100]


def test_a_crawl_before_2013_is_in_the_sorted_index_only(minicc: Path, reach_of: ReachOf) -> None:
    reach = reach_of(minicc)
    old = crawl(reach, "CC-MAIN-2008-2009")
    assert columnar.Table(reach, old).paths == []
    assert len(by(cluster, reach, old, Selection.of(host=["site3.de"]))) == 20 - 2


def test_records_that_are_no_pages_are_left_out(minicc: Path, reach_of: ReachOf) -> None:
    reach = reach_of(minicc)
    for path, *_ in by(cluster, reach, crawl(reach), Selection.of(sample=1.0)):
        assert "/warc/" in path


def test_a_sample_is_the_same_in_every_run_by_either_index(minicc: Path, reach_of: ReachOf) -> None:
    reach = reach_of(minicc)
    every = by(cluster, reach, crawl(reach), Selection.of(sample=1.0))
    few = by(cluster, reach, crawl(reach), Selection.of(sample=0.2))
    fewer = by(columnar, reach, crawl(reach), Selection.of(sample=0.1))
    assert set(fewer) < set(few) < set(every)
    assert few == by(columnar, reach, crawl(reach), Selection.of(sample=0.2))
    assert 0.1 * len(every) < len(few) < 0.3 * len(every)


def test_parts_are_disjoint_and_together_everything(minicc: Path, reach_of: ReachOf) -> None:
    reach = reach_of(minicc)
    every = by(cluster, reach, crawl(reach), Selection.of(tld=["com"]))
    parts = [by(cluster, reach, crawl(reach), Selection.of(tld=["com"], part=f"{n}/3")) for n in (1, 2, 3)]
    assert sorted(row for part in parts for row in part) == every
    files = [{row[0] for row in part} for part in parts]
    assert not files[0] & files[1]
    assert not files[0] & files[2]
    assert not files[1] & files[2]


def test_a_host_again_is_asked_of_nobody(cc: Server, reach_of: ReachOf) -> None:
    selection = Selection.of(host=["site3.de"])
    for index in (cluster, columnar):
        first = by(index, reach_of(cc.address), crawl(reach_of(cc.address)), selection)
        cc.forget()
        if index is cluster:
            assert by(index, reach_of(cc.address), crawl(reach_of(cc.address)), selection) == first
            assert cc.log == []
        else:
            assert by(index, reach_of(cc.address), crawl(reach_of(cc.address)), selection) == first
            assert not cc.requests("*.paths.gz")
            assert not [each for each in cc.log if each.range.startswith("bytes=-")], "no footer again"


def test_a_row_group_is_read_by_ranges_of_the_needed_columns_only(cc: Server, reach_of: ReachOf) -> None:
    reach = reach_of(cc.address)
    table = columnar.Table(reach, crawl(reach))
    selection = Selection.of(host=["site3.de"])
    groups = list(table.groups(selection))
    total = sum(table.footer(path).num_row_groups for path in table.paths)
    assert 0 < len(groups) < total, "by the least and the greatest key"
    cc.forget()
    for group in groups:
        list(table.rows(group, selection))
    assert [(each.path, each.range) for each in cc.log] == [
        (group.path, f"bytes={start}-{stop - 1}") for group in groups for start, stop in group.ranges
    ]


@pytest.fixture(scope="module")
def long_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crawl whose cluster.idx has many pages: 30,000 lines of it, each a block of one line."""
    root = tmp_path_factory.mktemp("long")
    captures = [
        page(f"http://h{n // 3}.example/{'x' * (n % 50)}{n}", "x", f"2019-08-20T00:{n % 60:02}:00") for n in range(4000)
    ]
    write_crawl(root, "CC-MAIN-2019-35", captures, files=1, shards=3, block=1, parts=1, group=5000)
    write_collinfo(root, {"CC-MAIN-2019-35": ("2019-08-17T10:26:24", "2019-08-26T11:13:56")})
    return root


def test_one_host_takes_few_pages_of_cluster_idx(
    long_index: Path, reach_of: ReachOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    from minicc.serve import serve

    monkeypatch.setattr(cluster, "PAGE", 4096)
    with serve(long_index) as server:
        reach = reach_of(server.address)
        size = (long_index / "cc-index/collections/CC-MAIN-2019-35/indexes/cluster.idx").stat().st_size
        assert size > 50 * 4096
        for number in (0, 1, 500, 777, 1332, 1333):
            server.forget()
            found = by(cluster, reach, crawl(reach), Selection.of(host=[f"h{number}.example"]))
            assert len(found) == len([n for n in range(4000) if n // 3 == number])
            assert len([each for each in server.requests("*cluster.idx") if each.method == "GET"]) <= 9
        server.forget()
        many = [f"h{number}.example" for number in range(0, 1300, 20)]
        assert len(many) > cluster.MANY
        assert len(by(cluster, reach, crawl(reach), Selection.of(host=many))) == 3 * len(many)
        assert [(each.range, each.status) for each in server.requests("*cluster.idx")] == [("", 200)], "as a whole"
        server.forget()
        assert len(by(cluster, reach, crawl(reach), Selection.of(host=many))) == 3 * len(many)
        assert not server.requests("*cluster.idx")


def test_the_search_finds_the_same_blocks_as_reading_all_of_cluster_idx(
    long_index: Path, reach_of: ReachOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PAGE == 1 << 16
    text = (long_index / "cc-index/collections/CC-MAIN-2019-35/indexes/cluster.idx").read_bytes()
    lines = text.splitlines()
    whole = Cluster(reach_of(long_index, cache="a"), crawl(reach_of(long_index))).blocks([])
    assert len(whole) == len(lines)
    for page_size in (512, 1000, 65536):
        monkeypatch.setattr(cluster, "PAGE", page_size)
        searched = Cluster(reach_of(long_index, cache=f"b{page_size}"), crawl(reach_of(long_index)))
        for number in (0, 1, 2, 1000, 2500, 3998, 3999):
            key = lines[number].split(b" ")[0]
            found = searched.blocks([(key, key + b"\xff")])
            assert whole[number] in found
            assert len(found) <= 2 + text.count(key)
        assert searched.blocks([(b"a", b"b")]) == []
        assert searched.blocks([(b"zz", b"zzz")]) == [whole[-1]], "its last lines may be behind its first"


def test_an_index_that_is_damaged_is_named_and_not_kept(
    cc: Server, reach_of: ReachOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gate, "_hold", lambda *_: None)
    for pattern, options, words in (
        ("*cdx-*.gz", {"host": ["site3.de"]}, r"cdx-0000\d\.gz: the block at byte [0-9,]+ is damaged"),
        ("*cluster.idx", {"host": ["site3.de"]}, r"cluster\.idx: no line of such an index"),
        ("*.parquet", {"language": ["por"]}, r"\.parquet: is no Parquet file"),
        ("*cc-index.paths.gz", {"host": ["site3.de"]}, r"came in place of a gzip file"),
    ):
        cache = f"c-{pattern.strip('*')}"
        cc.faults = [Fault("garbled", pattern, times=None)]
        selection = Selection.of(**options)  # type: ignore[arg-type]
        index = columnar if "language" in options else cluster
        if pattern == "*cluster.idx":
            with pytest.raises(SourceError):
                by(index, reach_of(cc.address, cache=cache), crawl(reach_of(cc.address)), selection)
            continue
        with pytest.raises(SourceError, match=words):
            by(index, reach_of(cc.address, cache=cache), crawl(reach_of(cc.address)), selection)
        cc.faults = []
        assert by(index, reach_of(cc.address, cache=cache), crawl(reach_of(cc.address)), selection)


def test_lines_of_the_index_that_cannot_be_read_are_counted(minicc: Path, reach_of: ReachOf, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    captures = [page(f"http://a.example/{n}", "x") for n in range(5)]
    write_crawl(root, "CC-MAIN-2019-35", captures, files=1, shards=1, block=50)
    write_collinfo(root, {"CC-MAIN-2019-35": ("2019-08-17T10:26:24", "2019-08-26T11:13:56")})
    folder = root / "cc-index/collections/CC-MAIN-2019-35/indexes"
    lines = gzip.decompress((folder / "cdx-00000.gz").read_bytes()).decode().splitlines()
    lines[1], lines[2] = lines[1].replace('"offset"', '"of"'), lines[2][:-5]
    block = gzip.compress("".join(f"{line}\n" for line in lines).encode())
    (folder / "cdx-00000.gz").write_bytes(block)
    first = " ".join(lines[0].split(" ")[:2])
    (folder / "cluster.idx").write_text(f"{first}\tcdx-00000.gz\t0\t{len(block)}\t1\n")
    reach, selected = reach_of(root), Selected(Selection.of(host=["a.example"]))
    cluster.select(reach, crawl(reach), selected.selection, selected)
    assert (len(selected), selected.dropped) == (3, 2)
