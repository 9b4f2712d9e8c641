"""One address is asked of the index server, with one request for each crawl; without a clear answer the index is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SHARED
from minicc.fixtures import MAIN, cc, minicc, reach_of  # noqa: F401
from minicc.serve import Fault, Server

from archive.commoncrawl import api, cluster
from archive.commoncrawl.gate import Refused
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selected import Selected
from archive.commoncrawl.selection import Selection
from archive.commoncrawl.store import StoreMirror

ReachOf = Callable[..., Reach]
URL = "https://site0.com/page/12"


def found(reach: Reach, url: str = URL, crawl: str = MAIN[1]) -> list[tuple[str, int, int]]:
    selection = Selection.of(url=[url])
    selected = Selected(selection)
    cluster.select(reach, reach.crawls([f"cc:{crawl}"])[0], selection, selected)
    return [
        (selected.paths[row["file"]], int(row["offset"]), int(row["length"]))
        for some in selected.sorted()
        for row in some
    ]


def test_the_server_and_the_sorted_index_have_the_same_records(cc: Server, minicc: Path, reach_of: ReachOf) -> None:
    reach = reach_of(cc.address)
    asked = found(reach)
    assert asked == found(reach_of(minicc, cache="other"))
    assert len(asked) == 1
    assert len(cc.requests("*-index")) == 1
    assert not cc.requests("*cluster.idx")


def test_an_answer_is_asked_for_once_also_where_there_is_no_such_page(cc: Server, reach_of: ReachOf) -> None:
    for _ in range(2):
        reach = reach_of(cc.address)
        assert len(found(reach)) == 1
        assert found(reach, "http://site0.com/nowhere") == []
    assert [each.status for each in cc.requests("*-index")] == [200, 404]


@pytest.mark.parametrize(
    "kind", ["error", "slowdown", "too-many", "missing", "html", "reset", "cut", "other lines", "empty", "many"]
)
def test_without_a_clear_answer_the_sorted_index_is_read(
    cc: Server, minicc: Path, reach_of: ReachOf, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, reach = found(reach_of(minicc)), reach_of(cc.address, cache="other")
    if kind in {"error", "slowdown", "too-many", "missing", "html", "reset"}:
        cc.faults.append(Fault(kind, "*-index", times=None))
        monkeypatch.setattr(reach.mirror.index_gate, "_first_wait", 0.01)  # type: ignore[attr-defined]
    else:
        answer = {
            "cut": b'{"urlkey": "com,site0)/page/12", "timesta\n',
            "other lines": b"<html></html>\n",
            "empty": None,
            "many": b'{"urlkey": "com,site0)/page/12", "timestamp": "2019", "filename": "f", "offset": "0", "length": "1"}\n'
            * 5_000,
        }[kind]
        monkeypatch.setattr(reach.mirror, "captures", lambda *_: answer)
    assert found(reach) == expected
    assert cc.requests("*cluster.idx")
    cc.faults.clear()
    cc.forget()
    monkeypatch.undo()
    assert found(reach) == expected
    assert cc.requests("*-index"), "what was no answer is not kept"


def test_403_of_the_server_stops_all(cc: Server, reach_of: ReachOf) -> None:
    cc.faults.append(Fault("refuse", "*-index", times=None))
    reach = reach_of(cc.address)
    reach.crawls([f"cc:{MAIN[1]}"])
    with pytest.raises(Refused):
        found(reach)
    assert not cc.requests("*cluster.idx")


@pytest.mark.parametrize(
    "options",
    [
        {"url": ["site0.com/*"]},
        {"url": [URL, "site3.de/page/3"]},
        {"url": [URL], "host": ["site3.de"]},
        {"host": ["a.b"]},
    ],
)
def test_more_than_one_address_is_no_question_for_the_server(
    minicc: Path, reach_of: ReachOf, options: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoreMirror, "captures", lambda *_: pytest.fail("asked"))
    reach = reach_of(minicc)
    assert api.lines(reach, reach.crawls([f"cc:{MAIN[1]}"])[0], Selection.of(**options)) is None


def test_what_the_real_server_answers_is_understood(
    reach_of: ReachOf, minicc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = SHARED / "data/cc-index-responses/test_capture_object.jsonl"
    if not file.exists():
        pytest.skip("needs ../shared/data/cc-index-responses")
    answers = [json.loads(line) for line in file.read_text().splitlines()]
    answer = next(each["response_text"] for each in answers if each["url"].endswith("CC-MAIN-2025-33-index"))
    monkeypatch.setattr(StoreMirror, "captures", lambda *_: answer.encode())
    reach = reach_of(minicc)
    (line,) = api.lines(reach, reach.crawls([f"cc:{MAIN[1]}"])[0], Selection.of(url=["https://example.com/"])) or []
    key, timestamp, fields = line.decode().split(" ", 2)
    assert (key, timestamp) == ("com,example)/", json.loads(answer.splitlines()[0])["timestamp"])
    assert json.loads(fields)["filename"].endswith(".warc.gz")
