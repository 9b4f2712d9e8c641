"""What the pages tell is what the lake holds, in HTML and in JSON; and each can be walked by its links."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from conftest import rows

pytest.importorskip("starlette")

import httpx
from explored import address, client, shown  # noqa: F401

import lowbackground as lb
from archive.lake import Lake
from query.explorer.page import Address, Page
from query.explorer.pages.table import PAGES
from query.sql import answer as allowed
from query.sql import connect


class Links(HTMLParser):
    """What a page links to, loads, and has as elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.loads: list[str] = []
        self.posts: list[str] = []
        self.tags: set[str] = set()
        self.inline: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        if tag == "a":
            self.hrefs.append(given["href"] or "")
        if tag == "form" and given.get("method") == "post":
            self.posts.append(given["action"] or "")
        if tag in {"script", "img", "iframe"} and given.get("src"):
            self.loads.append(given["src"] or "")
        if tag == "link":
            self.loads.append(given["href"] or "")
        self.inline += [name for name in given if name == "style" or name.startswith("on")]


def answer_of(client: httpx.Client, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def id_of(lake: Lake, url: str) -> str:
    ((found,),) = rows(lake, f"SELECT DISTINCT content_id FROM captures WHERE url = '{url}' AND content_id IS NOT NULL")
    return str(found)


def test_every_page_that_is_linked_to_answers_in_html_and_json(client: httpx.Client) -> None:
    waiting, seen = ["/"], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        if path.endswith(".json"):
            assert {"title", "data", "sql", "command", "links"} <= set(answer.json())
            waiting += answer.json()["links"]
            continue
        found = Links(answer.text)
        assert not found.inline
        assert all(each.startswith("/static/") for each in found.loads), found.loads
        assert all(client.get(each).status_code == 200 for each in found.loads)
        waiting += [each for each in found.hrefs if not each.startswith("#")]
    assert sum(path.startswith("/text/") for path in seen) > 6


def test_the_overview_counts_what_stats_counts(shown: Lake, client: httpx.Client) -> None:
    data, counted = answer_of(client, "/index.json")["data"], lb.stats(shown)
    assert (data["records"], data["captures"], data["files"], data["texts"]) == (
        counted.records, counted.captures, counted.files, counted.texts,
    )  # fmt: skip
    assert {month: sum(each.values()) for month, each in data["captures_by_month"].items()} == counted.captures_by_month
    assert {each["code"]: each["records"] for each in data["rejects"]} == counted.rejects == {"http-404": 1}
    assert {each["code"]: each["records"] for each in data["date_problems"]} == counted.date_problems == {"future": 1}
    assert data["texts_by_month"] == {"2014-02": {"D": 1}, "2018-01": {"D": 2}, "2019-07": {"D": 1}}
    assert data["undated_texts"] == 1


def test_a_revisit_that_proves_several_texts_is_one_capture(tmp_path: Any) -> None:
    from conftest import members, record, take

    from query.explorer.open_lake import OpenLake

    page = "<p>caf\u00e9 and some more words</p>".encode("latin-1")
    kinds = ("text/html; charset=latin-1", "text/html; charset=utf-8", "text/html")
    given = [record("http://a.example/", page, content_type=kind, date="2015-01-01T00:00:00Z") for kind in kinds[:2]]
    digest = re.search(rb"WARC-Payload-Digest: (\S+)", given[0])
    assert digest is not None
    given.append(
        record("http://a.example/", b"", kind="revisit", content_type=kinds[2], date="2016-01-01T00:00:00Z",
               warc={"WARC-Payload-Digest": digest[1].decode()})
    )  # fmt: skip
    (tmp_path / "a.warc.gz").write_bytes(members(*given))
    lake = Lake(str(tmp_path / "lake"))
    take(lake, str(tmp_path / "a.warc.gz"))
    assert len(rows(lake, "SELECT * FROM captures WHERE record_type = 'revisit'")) == 2
    with OpenLake(lake.location) as opened:
        data = opened.answer("overview", lambda context: PAGES["overview"].answer(context, {})).data
    assert {month: sum(each.values()) for month, each in data.captures_by_month.items()} == {"2015-01": 2, "2016-01": 1}
    assert [each.captures for each in data.hosts] == [each.captures for each in data.domains] == [3]


def test_a_text_has_the_date_the_witness_and_the_captures_that_the_lake_has(shown: Lake, client: httpx.Client) -> None:
    old, new = id_of(shown, "http://www.example.org/old"), id_of(shown, "http://copies.example.com/new")
    data = answer_of(client, f"/text/{new}.json")["data"]
    ((first, near),) = rows(shown, f"SELECT first_seen, first_seen_near FROM documents WHERE content_id = '{new}'")
    assert data["first_seen"] == f"{first:%Y-%m-%dT%H:%M:%SZ}" == "2019-07-08T09:10:11Z"
    assert data["witness"]["content_id"] == old
    assert data["witness"]["first_seen"] == f"{near:%Y-%m-%dT%H:%M:%SZ}" == "2014-02-03T04:05:06Z"
    assert "2019-07-08 09:10:11 UTC" in data["sentence"]
    assert "near-duplicate was seen earlier, on 2014-02-03 04:05:06 UTC" in data["sentence"]
    assert [each["content_id"] for each in data["neighbours"]] == [old]
    both = answer_of(client, f"/text/{old}.json")["data"]
    assert [each["captured_at"][:4] for each in both["captures"]] == ["2014", "2016"]
    assert both["proof"] == both["captures"][0]
    assert both["witness"] is None


def test_a_date_that_proves_nothing_is_never_the_date_of_a_text(shown: Lake, client: httpx.Client) -> None:
    data = answer_of(client, f"/text/{id_of(shown, 'http://www.example.org/when')}.json")["data"]
    assert (data["first_seen"], data["proof"]) == (None, None)
    assert data["sentence"].startswith("No capture proves when this text existed")
    assert "2999" not in str(answer_of(client, "/index.json")["data"]["hosts"])


def test_the_first_digits_of_a_content_id_are_enough_and_others_are_not_found(
    shown: Lake, client: httpx.Client
) -> None:
    own = id_of(shown, "http://www.example.org/old")
    assert answer_of(client, f"/text/{own[:12]}.json")["data"]["content_id"] == own
    for missing in ("0" * 12, "0" * 64):
        assert client.get(f"/text/{missing}").status_code == 404


def test_the_sql_that_a_page_shows_can_be_asked(shown: Lake, client: httpx.Client) -> None:
    with connect(shown) as db:
        for path in ("/index.json", f"/text/{id_of(shown, 'http://www.example.org/old')[:12]}.json"):
            for question in answer_of(client, path)["sql"]:
                allowed(db, question["sql"]).fetchall()


def test_hostile_words_are_shown_and_never_obeyed(shown: Lake, client: httpx.Client) -> None:
    ((own,),) = rows(shown, "SELECT content_id FROM captures WHERE url LIKE '%script%'")
    for path in ("/", f"/text/{own}"):
        html = client.get(path).text
        assert Links(html).tags.isdisjoint({"iframe", "object", "embed"})
        assert Links(html).posts == ([f"/text/{own}/verify"] if path != "/" else [])
        assert html.count("<script") == 1  # that of the frame
        assert "alert" not in re.sub(r"&lt;script&gt;alert\(\d\)", "", html)
        assert "\u202e" not in html
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in html
    assert "\\u202egnp.exe" in html


def test_a_long_line_is_cut_with_how_much_is_left_out(shown: Lake, client: httpx.Client) -> None:
    html = client.get(f"/text/{id_of(shown, 'http://bad.example.net/long')}").text
    assert "(16,000 more characters in this line)" in html


def test_a_link_that_an_answer_does_not_declare_is_refused() -> None:
    from query.explorer.page import Answer
    from query.explorer.show import Shown

    answer = Answer("Overview", _overview_with_a_text(), (), ("stats",), ())
    with pytest.raises(ValueError, match="does not declare"):
        Shown(PAGES, "lake").html(PAGES["overview"], Address("overview"), answer)


def _overview_with_a_text() -> Any:
    from datetime import UTC, datetime

    from query.explorer.pages.overview import LongText, Overview

    moment = datetime(2015, 1, 1, tzinfo=UTC)
    longest = (LongText("ab" * 32, moment, moment, None, None),)
    return Overview(1, 0, 0, 0, 0, 0, {}, {}, 0, (), (), (), {}, (), (), (), longest, ())


def test_an_address_of_a_page_is_written_and_read_alike() -> None:
    page = PAGES["text"]
    values = page.parse([("content_id", "0123456789ab")])
    assert page.url(page.written(values)) == "/text/0123456789ab"
    assert page.url(page.written(values), twin=True) == "/text/0123456789ab.json"


@pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.name)
def test_a_page_refuses_parameters_that_it_does_not_know(page: Page, client: httpx.Client) -> None:
    path = page.path.replace("{content_id}", "0" * 64)
    assert client.get(path, params={"unknown": "1"}).status_code == 400
