"""What somebody searches for is found, each kind apart; and a page and a site are shown as they were through time."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import members, record, rows, take
from made import edited, words

pytest.importorskip("starlette")
pytest.importorskip("numba")

import httpx
import markupsafe
from explored import SCRIPT, serving

import lowbackground as lb
from archive.lake import Lake
from archive.text.normalise import content_id
from query.explorer.diff import GONE, NEW
from query.explorer.open_lake import OpenLake
from query.explorer.pages.table import PAGES
from query.sql import answer as allowed
from query.sql import connect

OLD, OTHER = words(200, 1), words(120, 2)
COPY = edited(OLD, 2, 3)
TERMS = "We keep what you write for one year. Then we throw it away. Ask us whenever you like to know more."
LATER = TERMS.replace("one year", "two years")
PAGE = "http://www.terms.example.com/terms"
REFUSES = "User-agent: GPTBot\nDisallow: /\n"


def body(text: str, title: str = "") -> str:
    return f"<html><head><title>{title}</title></head><body><p>{text}</p></body></html>"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A page with two texts, a revisit, a reject and rules; texts that are near, quoted and alike; hostile words."""
    folder = tmp_path_factory.mktemp("found")
    first = record(PAGE, body(TERMS, "Terms of use"), date="2014-01-02T03:04:05Z")
    digest = re.search(rb"WARC-Payload-Digest: (\S+)", first)
    assert digest is not None
    again = {"WARC-Payload-Digest": digest[1].decode()}
    (folder / "a.warc.gz").write_bytes(
        members(
            first,
            record(PAGE, b"", kind="revisit", date="2015-01-02T03:04:05Z", warc=again),
            record(PAGE.replace("www.", ""), body(LATER, "Terms of use"), date="2018-01-02T03:04:05Z"),
            record(PAGE, body("gone"), status="404 Not Found", date="2019-01-02T03:04:05Z"),
            record(PAGE, body(f"{TERMS} Never believed."), date="2999-01-02T03:04:05Z"),
            record(
                "http://www.terms.example.com/robots.txt", REFUSES, content_type="text/plain",
                date="2014-01-02T03:04:00Z",
            ),
            record("http://old.example.org/text", body(" ".join(OLD)), date="2015-06-01T00:00:00Z"),
            record("http://copy.example.org/text", body(" ".join(COPY)), date="2013-06-01T00:00:00Z"),
            record("http://other.example.org/text", body(" ".join(OTHER)), date="2016-06-01T00:00:00Z"),
            record(
                f"http://bad.example.net/{SCRIPT}?a=1&b=%2F", body(f"teapot {html.escape(SCRIPT)} " + "word " * 30),
                date="2017-06-01T00:00:00Z",
            ),
        )
    )  # fmt: skip
    made = Lake(str(folder / "lake"))
    take(made, str(folder / "a.warc.gz"))
    lb.index(made, workers=1, passages=True)
    return made


@pytest.fixture(scope="module")
def client(lake: Lake) -> Iterator[httpx.Client]:
    with serving("--lake", lake.location) as address, httpx.Client(base_url=address, timeout=120) as opened:
        yield opened


def data_of(client: httpx.Client, path: str, **parameters: str) -> Any:
    answer = client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def section(page: str, name: str) -> str:
    """The part of a page below a heading."""
    found = re.search(rf'<section aria-labelledby="{name}">(.*?)</section>', page, re.DOTALL)
    assert found is not None, name
    return found[1]


def test_a_pasted_text_is_found_as_what_it_is_and_the_kinds_are_never_mixed(client: httpx.Client) -> None:
    asked = {
        "exact": " ".join(OLD),
        "near": " ".join(edited(OLD, 1, 5)),
        "quote": " ".join(words(40, 6) + OTHER[20:60]),
    }
    for kind, text in asked.items():
        known = data_of(client, "/search.json", q=text)["known"]
        assert known["kind"] == kind
        page = client.get("/search", params={"q": text}).text
        linked = {name: set(re.findall(r"/text/([0-9a-f]{64})", section(page, name)))
                  for name in ("exact", "near", "quote", "alike")}  # fmt: skip
        named = {
            "exact": [known["exact"]] if known["exact"] else [],
            **{name: known[name] for name in linked if name != "exact"},
        }
        assert linked == {name: {each["content_id"] for each in found} for name, found in named.items()}
        for name, found in named.items():
            for each in found:
                assert each["first_seen"].replace("T", " ").rstrip("Z") in section(page, name)
                assert f'title="grade {each["grade"]},' in section(page, name)
        assert "This is no evidence." in section(page, "alike")


def test_what_is_no_evidence_never_says_that_a_text_was_there(client: httpx.Client) -> None:
    page = client.get("/search", params={"q": " ".join(words(80, 77))}).text
    assert "The lake has no evidence that this text was on the web. That does not prove that it was not." in page
    assert section(page, "exact").count("None.") == section(page, "near").count("None.") == 1


def test_a_text_without_a_date_that_can_be_believed_is_not_called_exact(client: httpx.Client) -> None:
    answer = client.get("/search", params={"q": f"{TERMS} Never believed."}).text
    assert "2999" not in answer
    assert "no capture of grade D or better dates it" in answer


def test_a_short_text_that_is_posted_has_an_address_and_a_long_one_hides_its_twin(client: httpx.Client) -> None:
    short = client.post("/search", data={"q": " ".join(OTHER[:30]), "as": "auto"})
    assert (short.status_code, short.headers["location"][:10]) == (303, "/search?q=")
    assert client.get(short.headers["location"]).status_code == 200
    long = client.post("/search", data={"q": " ".join(OTHER + words(3_000, 8))})
    assert long.status_code == 200
    assert "The same as JSON" not in long.text
    assert len(set(re.findall(r"/text/([0-9a-f]{64})", section(long.text, "quote")))) == 1
    assert client.post("/search.json", data={"q": " ".join(OTHER + words(3_000, 8))}).json()["data"]["known"]["quote"]
    assert client.post("/search", data={"q": "a" * (1 << 20)}).status_code == 413


def test_words_are_found_in_hosts_titles_addresses_and_texts(client: httpx.Client) -> None:
    found = data_of(client, "/search.json", q="TERMS")["words"]
    assert [each["host"] for each in found["hosts"]] == ["www.terms.example.com", "terms.example.com"]
    robots = "http://www.terms.example.com/robots.txt"
    assert {each["url"] for each in found["pages"]} == {PAGE, PAGE.replace("www.", ""), robots}
    assert data_of(client, "/search.json", q="terms use")["words"]["pages"]
    texts = data_of(client, "/search.json", q="throw years")["words"]
    assert [each["content_id"] for each in texts["texts"]] == [content_id(LATER)]
    assert (texts["texts"][0]["first_seen"], texts["texts"][0]["grade"]) == ("2018-01-02T03:04:05Z", "D")
    assert "two years" in texts["texts"][0]["excerpt"]
    assert texts["are_all"]
    nothing = data_of(client, "/search.json", q="100% _nowhere_")["words"]
    assert (nothing["hosts"], nothing["pages"], nothing["texts"]) == ([], [], [])


def test_a_search_in_texts_that_takes_too_long_says_that_it_stopped(lake: Lake, monkeypatch: Any) -> None:
    from query.explorer.pages import search

    endless = "SELECT count(*) FROM range(1000000) AS a, range(1000000) AS b WHERE a.range < b.range"
    slow = f"SELECT content_id, 'x' FROM documents WHERE ({{text}} OR {{first}} <> '') AND ({endless}) > 0"
    monkeypatch.setattr(search, "_IN_TEXTS", slow)
    monkeypatch.setattr(search, "_SECONDS", 0.2)
    with OpenLake(lake.location) as opened:
        found = opened.answer(1, lambda context: PAGES["search"].answer(context, {"q": "word", "as": "auto"})).data
    assert not found.words.are_all
    assert found.words.seconds == 0.2


def test_an_address_or_a_host_goes_to_its_page(client: httpx.Client) -> None:
    for written, path in (
        (PAGE, "/url?url=http"), ("www.terms.example.com/terms", "/url?url=www"),
        ("www.terms.example.com", "/site?host=www"), ("example.com", "/site?domain=example.com"),
    ):  # fmt: skip
        answer = client.get("/search", params={"q": written})
        assert (answer.status_code, answer.headers.get("location", "")[: len(path)]) == (303, path)
        assert client.get(answer.headers["location"]).status_code == 200
    missing = data_of(client, "/search.json", q="http://nowhere.example/")
    assert missing["is_missing"]
    assert missing["words"]["pages"] == []


def test_a_page_has_its_texts_captures_revisits_and_rejects(client: httpx.Client) -> None:
    data = data_of(client, "/url.json", url="terms.example.com/terms")
    assert (data["captures_in_all"], data["texts_in_all"], data["revisits"]) == (4, 3, 1)
    assert [each["reason"] for each in data["rejects"]] == ["http-404"]
    dated = {each["content_id"]: (each["first"], each["last"], each["grade"]) for each in data["texts"]}
    assert dated[content_id(TERMS)] == ("2014-01-02T03:04:05Z", "2015-01-02T03:04:05Z", "D")
    assert dated[content_id(LATER)][0] == "2018-01-02T03:04:05Z"
    assert dated[content_id(f"{TERMS} Never believed.")] == (None, None, None)
    assert [each["captured_at"][:4] for each in data["captures"] if each["before"]] == ["2018"]
    assert [each["shut_out"] for each in data["rules"]] == [["GPTBot"]]
    page = client.get("/url", params={"url": PAGE}).text
    assert "2 captures from 2014-01-02 to 2015-01-02" not in page
    assert "3 captures from 2014-01-02 to 2018-01-02." in page


def test_two_texts_of_a_page_are_compared_word_by_word(client: httpx.Client) -> None:
    older, newer = content_id(TERMS), content_id(LATER)
    change = data_of(client, "/url.json", url=PAGE, older=older, newer=newer)["change"]
    changed = [(each["kind"], each["text"].strip()) for each in change["words"]["parts"] if each["kind"] in (GONE, NEW)]
    assert changed == [(GONE, "one year"), (NEW, "two years")]
    page = client.get("/url", params={"url": PAGE, "older": older, "newer": newer}).text
    assert re.search(r"<del><span[^>]*>\[gone: </span>one year<", page)
    assert re.search(r"<ins><span[^>]*>\[new: </span>two years<", page)
    shown = client.get("/url", params={"url": PAGE}).text
    link = re.search(r'href="(/url\?[^"]*)">what changed', shown)
    assert link is not None
    assert f"older={older}" in html.unescape(link[1])
    for wrong in ({"older": older}, {"older": older[:12], "newer": newer}, {"older": "x", "newer": newer}):
        assert client.get("/url", params={"url": PAGE, **wrong}).status_code == 400
    assert client.get("/url", params={"url": "http://nowhere.example/"}).status_code == 404
    assert client.get("/url").status_code == 400


def test_a_site_has_its_hosts_pages_months_and_rules(lake: Lake, client: httpx.Client) -> None:
    site = data_of(client, "/site.json", domain="example.com")
    assert (site["captures"], site["texts"], site["urls"], site["hosts_in_all"]) == (
        5,
        3,
        3,
        2,
    )  # with robots.txt, which is no text
    assert (site["first"], site["last"]) == ("2014-01-02T03:04:05Z", "2018-01-02T03:04:05Z")
    assert site["captures_by_month"]["2018-01"] == {"D": 1}
    assert [(each["kind"], each["shut_out"]) for each in site["rules"]] == [("robots.txt", ["GPTBot"])]
    ((shut_out,),) = rows(
        lake, "SELECT count(*) FILTER (len(shut_out) > 0) FROM opt_outs WHERE domain_of(host_of(url)) = 'example.com'"
    )
    assert site["ruled"]["shut_out"] == shut_out == 2
    host = data_of(client, "/site.json", host="terms.example.com")
    assert (host["captures"], host["domain"], host["rules"]) == (1, "example.com", [])
    assert sum(host["languages"].values()) == 1
    for wrong in ({}, {"host": "a", "domain": "b"}, {"host": "a" * 301}):
        assert client.get("/site", params=wrong).status_code == 400
    assert client.get("/site", params={"host": "nowhere.example"}).status_code == 404


def test_hostile_addresses_and_questions_are_inert(client: httpx.Client) -> None:
    url = f"http://bad.example.net/{SCRIPT}?a=1&b=%2F"
    for path in (f"/search?q={'teapot'}", "/site?domain=example.net"):
        page = client.get(path).text
        assert page.count("<script") == 1
        (link,) = set(re.findall(r'href="(/url\?[^"]*)"', page))
        shown = client.get(html.unescape(link))
        assert shown.status_code == 200
        assert shown.text.count("<script") == 1
        assert f">{markupsafe.escape(url)}<" in shown.text
    for written in (
        SCRIPT,
        "' OR 1=1 --",
        "\x00",
        "\u202eabc",
        "%",
        "a' || (SELECT 1) || '",
        "x" * 5_000,
        "{{ 7 * 7 }}",
    ):
        answer = client.get("/search", params={"q": written})
        assert answer.status_code in (200, 303), (written, answer.text)
        assert answer.text.count("<script") <= 1
        assert "\u202e" not in answer.text
    assert client.get("/search", params={"q": "a", "as": "sql"}).status_code == 400


def test_the_sql_of_these_pages_can_be_asked(lake: Lake, client: httpx.Client) -> None:
    with connect(lake) as db:
        for path, asked in (
            ("/search.json", {"q": "terms"}), ("/url.json", {"url": PAGE}), ("/site.json", {"domain": "example.com"}),
            ("/site.json", {"host": "terms.example.com"}),
        ):  # fmt: skip
            answer = client.get(path, params=asked).json()
            assert answer["sql"]
            for question in answer["sql"]:
                allowed(db, question["sql"]).fetchall()


def test_the_indexes_are_opened_once_and_again_when_the_lake_changes(lake: Lake, tmp_path: Path) -> None:
    import shutil

    copy = Lake(shutil.copytree(lake.location, tmp_path / "lake"))
    seen = []
    with OpenLake(copy.location) as opened:

        def ask(number: int) -> None:
            def use(context: Any) -> None:
                context.look_up(lambda each: seen.append((each, each.text(" ".join(words(60, 31))).kind)))

            opened.answer(number, use)

        ask(1)
        ask(2)
        known = opened.answer("shared", lambda context: context.in_passages(lambda each: each))
        assert seen[0][0]._passages is known  # opened once for both
        (tmp_path / "b.warc").write_bytes(
            record("http://new.example.org/", body(" ".join(words(60, 31))), date="2016-01-01T00:00:00Z")
        )
        take(copy, str(tmp_path / "b.warc"))
        opened._looked = -math.inf  # it looks once a second
        ask(3)
    assert seen[0][0] is seen[1][0] is not seen[2][0]
    assert [kind for _, kind in seen] == [None, None, "exact"]


@pytest.mark.slow
def test_texts_that_are_alike_are_found_with_the_encoder_of_the_lake(lake: Lake, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    import shutil

    from tiny_encoder import write_encoder

    copy = Lake(shutil.copytree(lake.location, tmp_path / "lake"))
    folder = str(write_encoder(tmp_path / "tiny"))
    lb.embed(copy, encoder=folder, device="cpu", dtype="fp32", workers=1)
    shuffled = " ".join(sorted(OTHER))
    with OpenLake(copy.location, encoder=folder) as opened:
        found = opened.answer(1, lambda context: PAGES["search"].answer(context, {"q": shuffled, "as": "text"})).data
        long = opened.answer(
            2, lambda context: PAGES["search"].answer(context, {"q": f"{shuffled} " * 40, "as": "text"})
        ).data
    assert found.known.kind == "alike"
    assert not any(each.is_evidence for each in found.known.alike)
    assert long.is_long
    assert long.known.not_searched["alike"] == "nobody asked for it"
