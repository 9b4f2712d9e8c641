"""Verify goes back to the bytes of a record, says what it compared, and never more than `archive verify` would."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import record, rows, take

pytest.importorskip("starlette")

import httpx
from explored import serving
from made import words

import lowbackground as lb
from archive.lake import Lake
from query.explorer.busy import Busy
from query.explorer.checking import Checking
from query.explorer.open_lake import OpenLake
from query.explorer.pages.table import PAGES
from query.verify.one_text import RecordCheck, check, cite_text
from query.verify.records import Places

BODY = f"<p>{' '.join(words(80, 3))}"


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Lake, Path]:
    """A lake of two captures of one text, the second a revisit, and its file without compression."""
    first = record("http://a.example/", BODY, date="2015-01-02T03:04:05Z")
    digest = re.search(rb"WARC-Payload-Digest: (\S+)", first)
    assert digest
    again = record("http://a.example/", b"", kind="revisit", date="2014-01-02T03:04:05Z",
                   warc={"WARC-Payload-Digest": digest[1].decode()})  # fmt: skip
    (tmp_path / "a.warc").write_bytes(first + again)
    lake = Lake(str(tmp_path / "lake"))
    take(lake, str(tmp_path / "a.warc"))
    return lake, tmp_path / "a.warc"


def checked(lake: Lake) -> list[RecordCheck]:
    from query.sql import connect

    ((own,),) = rows(lake, "SELECT DISTINCT content_id FROM captures WHERE content_id IS NOT NULL")
    with connect(lake) as db:
        cited = cite_text(db, own)
    return check(cited.to_pylist(), lake, Places())


def lines(found: RecordCheck) -> dict[str, bool | None]:
    return {each.name: each.agrees for each in found.checks}


def test_an_honest_record_agrees_in_every_line(kept: tuple[Lake, Path]) -> None:
    lake, _ = kept
    found = checked(lake)
    assert [each.kind for each in found] == ["agrees"] * len(found)
    assert {agrees for each in found for agrees in lines(each).values()} == {True}
    told = {name for each in found for name in lines(each)}
    assert {
        "file", "record", "SHA-256 of the record", "payload digest", "date", "extractor", "content id of its text",
    } <= told  # fmt: skip
    assert [each.about for each in found] == ["the record that dates the text", "the record that holds the text"]


def test_a_changed_byte_names_the_lines_that_fail_and_verify_says_the_same(kept: tuple[Lake, Path]) -> None:
    lake, file = kept
    word = words(80, 3)[40].encode()
    file.write_bytes(file.read_bytes().replace(b" " + word + b" ", b" " + word[::-1] + b" ", 1))
    dating, holding = checked(lake)
    assert dating.kind == "agrees"
    assert holding.kind == "differs"
    assert {name for name, agrees in lines(holding).items() if not agrees} == {
        "digests that the record states of itself", "payload digest", "content id of its text",
    }  # fmt: skip
    assert [each.detail for each in lb.verify(lake, all=True).findings] == [holding.detail]


def test_another_date_in_the_record_fails_its_line(kept: tuple[Lake, Path]) -> None:
    lake, file = kept
    file.write_bytes(file.read_bytes().replace(b"2014-01-02T03:04:05Z", b"2013-01-02T03:04:05Z"))
    dating, _ = checked(lake)
    assert dating.kind == "differs"
    assert next(each for each in dating.checks if each.name == "date").found == "2013-01-02T03:04:05Z"
    assert {"date", "SHA-256 of the record"} <= {name for name, agrees in lines(dating).items() if agrees is False}


def test_a_missing_file_is_gone_and_nothing_agrees(kept: tuple[Lake, Path]) -> None:
    lake, file = kept
    file.unlink()
    for each in checked(lake):
        assert (each.kind, lines(each)) == ("gone", {"file": False})
        assert "there is no such file" in each.detail


def test_a_record_that_is_not_where_it_was_is_gone(kept: tuple[Lake, Path]) -> None:
    lake, file = kept
    file.write_bytes(file.read_bytes()[:100])
    for each in checked(lake):
        assert each.kind != "agrees"
        assert lines(each)["file"] is True


def test_a_text_without_a_date_has_nothing_to_compare(tmp_path: Path) -> None:
    (tmp_path / "a.warc").write_bytes(record("http://a.example/", BODY, date="2999-01-02T03:04:05Z"))
    lake = Lake(str(tmp_path / "lake"))
    take(lake, str(tmp_path / "a.warc"))
    assert checked(lake) == []


def test_no_other_host_is_asked_unless_the_server_may(kept: tuple[Lake, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    from query.sql import connect

    lake, _ = kept
    ((own,),) = rows(lake, "SELECT DISTINCT content_id FROM captures WHERE content_id IS NOT NULL")
    with connect(lake) as db:
        cited = [{**each, "file": "https://archive.example.org/a.warc"} for each in cite_text(db, own).to_pylist()]
    asked: list[object] = []

    def noted(*given: object, **_: object) -> Any:
        asked.append(given)
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", noted)
    monkeypatch.setattr(socket, "getaddrinfo", noted)
    for each in check(cited, lake, Places()):
        assert (each.kind, lines(each)) == ("unchecked", {"file": None})
    assert asked == []
    assert {each.kind for each in check(cited, lake, Places(network=True))} == {"gone"}
    assert asked


def test_a_text_is_verified_one_at_a_time_and_for_a_bounded_time(kept: tuple[Lake, Path]) -> None:
    from query.sql import connect

    lake, _ = kept
    ((own,),) = rows(lake, "SELECT DISTINCT content_id FROM captures WHERE content_id IS NOT NULL")
    with connect(lake) as db:
        cited = cite_text(db, own)
    late = Checking(lake.location, network=False, seconds=0.0001)
    with pytest.raises(Busy, match="takes more than"):
        late.check(cited, {})
    with pytest.raises(Busy, match="try again"):  # at once
        late.check(cited, {})


@pytest.fixture
def client(kept: tuple[Lake, Path]) -> Iterator[httpx.Client]:
    with serving("--lake", kept[0].location) as found, httpx.Client(base_url=found, timeout=60) as opened:
        yield opened


def test_the_page_verifies_only_where_the_button_is_pressed(kept: tuple[Lake, Path], client: httpx.Client) -> None:
    lake, file = kept
    ((own,),) = rows(lake, "SELECT DISTINCT content_id FROM captures WHERE content_id IS NOT NULL")
    assert f'action="/text/{own}/verify"' in client.get(f"/text/{own}").text
    idle = client.get(f"/text/{own}/verify.json").json()["data"]
    assert (idle["was_asked"], idle["records"]) == (False, [])
    done = client.post(f"/text/{own}/verify.json").json()["data"]
    assert (done["kind"], len(done["records"])) == ("agrees", 2)
    assert client.post(f"/text/{own}/verify").status_code == 503  # too soon
    file.unlink()
    time.sleep(2.1)
    html = client.post(f"/text/{own}/verify").text  # it was not kept
    assert "cannot be read" in html
    assert "not there" in html


def test_another_site_cannot_press_the_button(kept: tuple[Lake, Path], client: httpx.Client) -> None:
    ((own,),) = rows(kept[0], "SELECT DISTINCT content_id FROM captures WHERE content_id IS NOT NULL")
    answer = client.post(f"/text/{own}/verify", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})
    assert answer.status_code == 403
    assert client.post(f"/text/{own}").status_code == 405  # a page that does nothing takes no form


def test_a_page_that_acts_is_none_of_those_that_are_kept(kept: tuple[Lake, Path]) -> None:
    with OpenLake(kept[0].location) as opened:
        seen = [opened.act(lambda context: context.posted), opened.answer("one", lambda context: context.posted)]
    assert seen == [True, False]
    assert [page.name for page in PAGES.values() if page.acts] == ["verify"]
