"""A text is found as exact, near, quoted or alike, each text once and with its first date; nothing else is evidence."""

from __future__ import annotations

import json
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import command, record
from made import edited, put, words
from tiny_encoder import write_encoder

import lowbackground as lb
from archive.cli import main
from archive.errors import ArchiveError, QueryError
from archive.intake import ingest
from archive.lake import Lake
from archive.text.normalise import content_id
from query.history import addresses
from query.lookup.pages import changes
from query.lookup.target import kind_of, read

OLD, LONG = words(200, 1), words(60, 2)
COPY = edited(OLD, 2, 3)


def text(*parts: list[str]) -> str:
    return " ".join(word for part in parts for word in part)


@pytest.fixture
def full(lake: Lake, tmp_path: Path) -> Lake:
    """A text, an edited copy that is earlier, another text, and one without an acceptable date."""
    put(lake, tmp_path / "in", [(text(OLD), "2015-06-01"), (text(COPY), "2013-06-01"), (text(LONG), "2016-06-01")])
    put(lake, tmp_path / "in", [(text(words(50, 9)), "2999-01-01")])
    lb.index(lake, workers=1, passages=True)
    return lake


def test_each_kind_is_found_and_each_text_named_once(full: Lake) -> None:
    with lb.Lookup(full) as lookup:
        exact = lookup.text(f"  {text(OLD)}\r\n")
        assert (exact.kind, exact.words, exact.content_id) == ("exact", 200, content_id(text(OLD)))
        assert exact.exact is not None
        assert (exact.exact.first_seen.year, exact.exact.grade) == (2015, "D")
        assert exact.exact.url is not None
        assert exact.exact.file.endswith(".warc")
        assert [(each.content_id, each.first_seen.year) for each in exact.near] == [(content_id(text(COPY)), 2013)]
        assert exact.quote == exact.alike == ()

        near = lookup.text(text(edited(OLD, 1, 5)))
        assert (near.kind, near.exact, near.quote) == ("near", None, ())
        assert [each.first_seen.year for each in near.near] == [2013, 2015]  # the earliest first
        assert all(0.8 <= each.similarity < 1 and not each.estimated for each in near.near)

        quote = lookup.text(text(words(40, 6), LONG[20:35], words(40, 7), LONG[40:58]))
        assert (quote.kind, quote.exact, quote.near) == ("quote", None, ())
        (quoted,) = quote.quote
        assert quoted.content_id == content_id(text(LONG))
        assert [run.text for run in quoted.runs] == [text(LONG[40:58]), text(LONG[20:35])]
        assert (quoted.words, quoted.first_seen.year) == (18, 2016)

        for nothing in (text(words(40, 6), LONG[20:34]), text(words(100, 8)), "word"):
            assert lookup.text(nothing).kind is None


def test_only_what_was_there_before_the_date_is_an_answer(full: Lake) -> None:
    with lb.Lookup(full) as lookup:
        before = lookup.text(text(OLD), before="2015-01-01")
        assert (before.kind, before.exact) == ("near", None)
        assert [each.first_seen.year for each in before.near] == [2013]
        assert before.notes == ("the lake has this text, but saw it first at 2015-06-02 13:59:59",)
        assert lookup.text(text(OLD), before="2013-01-01").kind is None
        assert lookup.text(text(LONG), before="2016-01-01").kind is None
        assert lookup.text(text(LONG[10:40]), before="2016-01-01").quote == ()
    never = lb.lookup(full, text(words(50, 9)))
    assert isinstance(never, lb.LookupResult)
    assert (never.kind, never.notes) == (
        None, ("the lake has this text, but no capture of grade D or better dates it",)
    )  # fmt: skip
    with lb.Lookup(full, before="2014-01-01") as early:
        assert early.text(text(OLD)).kind == "near"
        assert early.text(text(OLD), before="2020-01-01").exact is None  # a later date is no wider one
    with lb.Lookup(full, grade="B") as together, pytest.raises(ArchiveError, match="open the lookup with"):
        together.text(text(OLD), before="2020-01-01")


def test_a_text_is_near_where_certify_calls_it_so(full: Lake, tmp_path: Path) -> None:
    asked = [text(edited(OLD, changes, 20 + changes)) for changes in range(1, 16)] + [text(OLD), text(words(30, 4))]
    asked += [text(OLD[:cut]) for cut in (150, 160, 165, 170)] + ["+ - * " + text(LONG), text(LONG).replace(" ", " & ")]
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps({"text": each}) + "\n" for each in asked))
    lb.certify(full, str(source), str(tmp_path / "out"), before="2022-01-01", workers=1)
    with lb.Lookup(full, kinds="exact,near") as lookup:
        kinds = set()
        for line in (tmp_path / "out" / "rows.jsonl").read_text().splitlines():
            row = json.loads(line)
            found = lookup.text(row["text"], before="2022-01-01")
            kinds.add(row["proof"])
            assert (found.kind or "none") == row["proof"]
            if row["proof"] == "near":
                first = found.near[0]
                assert (first.similarity, first.characters) == (row["proof_similarity"], row["proof_characters"])
                assert first.url == row["proof_url"]
        assert kinds == {"exact", "near", "none"}


def test_what_was_not_searched_is_stated(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(text(OLD), "2015-06-01")])
    found = lb.lookup(lake, text(OLD), kinds=["exact", "near", "quote"])
    assert isinstance(found, lb.LookupResult)
    assert found.kind == "exact"
    assert "there is no index yet" in found.not_searched["near"]
    assert "have no index yet" in found.not_searched["quote"]
    assert found.not_searched["alike"] == "nobody asked for it"
    lb.index(lake, workers=1, passages=True)
    put(lake, tmp_path / "in", [(text(LONG), "2015-06-01")])
    with lb.Lookup(lake) as lookup:
        late = lookup.text(text(LONG))
    assert late.kind == "exact"
    assert [note.split(" texts ")[0] for note in late.notes] == ["1", "1"]
    assert "archive embed" in late.not_searched["alike"]
    with pytest.raises(ArchiveError, match="no kind 'close'"):
        lb.Lookup(lake, kinds="close")
    with pytest.raises(ArchiveError, match="no text to look up"):
        lb.lookup(lake, " \n", target_is="text")


def test_without_texts_a_lake_knows_exact_ones_and_estimates_near_ones(full: Lake, tmp_path: Path) -> None:
    lb.index(full, workers=1, witness_only=str(tmp_path / "witnesses"))
    with lb.Lookup(str(tmp_path / "witnesses")) as lookup:
        assert lookup.text(text(OLD)).kind == "exact"
        (near, *_) = lookup.text(text(edited(OLD, 1, 5))).near
        assert (near.estimated, near.characters) == (True, None)
        assert "holds no texts" in lookup.text(text(OLD)).not_searched["quote"]


def test_texts_that_are_alike_are_named_last_and_are_no_evidence(full: Lake, tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "tiny")
    lb.embed(full, encoder=str(folder), device="cpu", dtype="fp32", workers=1)
    with lb.Lookup(full, encoder=str(folder)) as lookup:
        shuffled = list(LONG)
        random.Random(1).shuffle(shuffled)
        found = lookup.text(text(shuffled), least_cosine=-1)
        assert (found.kind, found.exact, found.near, found.quote) == ("alike", None, (), ())
        assert len(found.alike) == 3  # and not the text without a date
        assert [each.cosine for each in found.alike] == sorted((each.cosine for each in found.alike), reverse=True)
        assert not any(each.is_evidence for each in found.alike)
        assert {each.first_seen.year for each in found.alike} == {2013, 2015, 2016}
        assert [
            each.first_seen.year for each in lookup.text(text(shuffled), before="2014-01-01", least_cosine=-1).alike
        ] == [2013]
        whole = lookup.text(text(OLD), least_cosine=-1)
        assert [each.content_id for each in whole.alike] == [content_id(text(LONG))]  # the others are exact and near
        assert lookup.text(text(LONG), k=1, least_cosine=-1).alike[0].content_id != content_id(text(LONG))
    other = write_encoder(tmp_path / "other", seed=2)
    with pytest.raises(ArchiveError, match="has vectors of tiny-fp32-"):
        lb.Lookup(full, encoder=str(other))


def test_threads_get_the_answers_of_one(full: Lake) -> None:
    asked = [text(OLD), text(edited(OLD, 2, 5)), text(LONG[:30]), text(words(100, 8))] * 6
    with lb.Lookup(full) as lookup, ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lookup.text, asked)) == [lookup.text(each) for each in asked]


def test_a_target_is_an_address_a_file_or_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("page.html").write_text("<html><body><p>Some words of a page.</p></body></html>")
    Path("my text").write_bytes("Words of a \u201ctext\u201d".encode("utf-16"))
    Path("broken").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    Path("a.warc").write_bytes(record())
    assert [kind_of(each) for each in ("https://a.example/b", "page.html", "my text", "-", "some words")] == [
        "url", "file", "file", "file", "text"
    ]  # fmt: skip
    for word in ("example.com", "missing.txt", "word"):
        with pytest.raises(ArchiveError, match="--text, --file or --url"):
            kind_of(word)
    assert read("page.html") == "Some words of a page."
    toolbar = "<!-- BEGIN WAYBACK TOOLBAR INSERT --><p>What the archive says.</p><!-- END WAYBACK TOOLBAR INSERT -->"
    Path("saved.html").write_text(f"<html><body>{toolbar}<p>Some words of a page.</p></body></html>")
    assert read("saved.html") == "Some words of a page."
    assert read("my text") == "Words of a \u201ctext\u201d"
    with pytest.raises(ArchiveError, match="broken: no text in it"):
        read("broken")
    with pytest.raises(ArchiveError, match="a web archive; lookup takes one text"):
        read("a.warc")
    with pytest.raises(ArchiveError, match="No such file"):
        read("missing")
    rows = {"a.jsonl": b'{"text": "some words"}\n', "b.txt": b"text\tdate\nsome words\t2020-01-01\n"}
    for name, data in rows.items():
        Path(name).write_bytes(data)
        with pytest.raises(ArchiveError, match="a file of records"):
            read(name)
    Path("braces").write_text("{ some words } of a text")
    assert read("braces") == "{ some words } of a text"


def test_a_file_is_read_by_any_name_and_through_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"a caf\xe9.txt")
    Path(name).write_text("some words")
    assert (kind_of(name), read(name)) == ("file", "some words")
    Path("my folder").mkdir()
    with pytest.raises(ArchiveError, match="my folder: a folder"):
        kind_of("my folder")
    reading, writing = os.pipe()
    os.write(writing, b"words of a command")
    os.close(writing)
    path = f"/dev/fd/{reading}"
    assert (kind_of(path), read(path)) == ("file", "words of a command")
    os.close(reading)
    for odd in ("some \0 words", "some \ud800 words", "some words " * 9999):
        assert kind_of(odd) == "text"


def test_nobody_writes_a_line_of_what_is_shown(lake: Lake, tmp_path: Path) -> None:
    """A URL of a data set may hold anything: line ends, commands of a terminal, changes of direction."""
    forged = "http://a.example/\n  2001-01-01 00:00:00, grade A: http://b.example/\x1b[2J\x9b2J\u202egpj.exe"
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": text(OLD), "url": forged, "date": "2015-01-01"}))
    ingest(lake, [str(tmp_path / "rows.jsonl")], workers=1)
    options = ["lookup", text(OLD), "--lake", lake.location, "--grade", "E"]
    shown = CliRunner().invoke(main, options, catch_exceptions=False).output
    assert "\\x0a  2001-01-01 00:00:00, grade A: http://b.example/\\x1b[2J\\x9b2J\\u202egpj.exe\n" in shown
    printed = CliRunner().invoke(main, [*options, "--json"], catch_exceptions=False).output
    assert json.loads(printed)["exact"]["url"] == forged
    assert not {"\x1b", "\x9b", "\u202e"} & set(printed + shown)


def test_an_address_gives_its_captures_with_what_changed(lake: Lake, tmp_path: Path) -> None:
    versions = [("2012-01-01", "We keep it for a year.\nThe end"), ("2013-01-01", "We keep it for a year.\nThe end"),
                ("2014-01-01", "We keep it for two years.\nThe end"), ("2015-01-01", "We keep it for a year.\nThe end")]  # fmt: skip
    path = tmp_path / "page.warc"
    path.write_bytes(b"".join(record("http://a.example/terms", body, date, content_type="text/plain")
                              for date, body in versions))  # fmt: skip
    ingest(lake, str(path), workers=1)
    page = lb.lookup(lake, "http://a.example/terms")
    assert isinstance(page, lb.PageChanges)
    assert (page.captures, page.texts) == (4, 2)
    assert [(each.captures, each.words_added, each.words_removed) for each in page.versions] == [
        (2, 8, 0), (1, 2, 2), (1, 2, 2)
    ]  # fmt: skip
    assert page.versions[1].changes == ("We keep it for [-a year.-]{+two years.+}",)
    assert page.versions[0].changes == ()
    assert page.versions[0].file == str(path)
    early = lb.lookup(lake, "a.example/terms", target_is="url", before="2013-06-01")
    assert isinstance(early, lb.PageChanges)
    assert (early.captures, early.texts) == (2, 1)
    with pytest.raises(QueryError, match="no capture that proves a date before 2011-01-01 has a text"):
        lb.lookup(lake, "http://a.example/terms", before="2011-01-01")
    with pytest.raises(QueryError, match="the lake has no capture of it"):
        lb.lookup(lake, "http://a.example/other")


def test_changes_of_a_text_that_would_take_long_are_only_counted() -> None:
    many = "\n".join("same line" for _ in range(6000))
    assert list(changes(many, f"{many}\nmore")) == []
    assert list(changes(text(words(3000, 1)), text(words(3000, 2)))) == ["[-3000 words-]{+3000 words+}"]


def test_a_page_that_was_written_anew_is_compared_in_bounded_time() -> None:
    """What two texts repeat again and again, as blank lines, multiplies the steps of a comparison."""
    started = time.monotonic()
    for between in ("\n\n", "\n*\n", " the "):
        old, new = (between.join(f"{name}{number}" for number in range(2000)) for name in "ab")
        assert list(changes(old, new))
    assert time.monotonic() - started < 20
    old = " the ".join(f"a{number}" for number in range(900))
    assert list(changes(f"x y {old} z", f"x q {old} z")) == ["x [-y-]{+q+} a0 the a1 the"]


def test_before_a_date_a_page_has_the_captures_that_prove_it(lake: Lake, tmp_path: Path) -> None:
    url = "http://a.example/terms"
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": text(OLD), "url": url, "date": "2012-01-01"}))
    (tmp_path / "page.warc").write_bytes(record(url, text(LONG), "2013-01-01", content_type="text/plain"))
    ingest(lake, [str(tmp_path / name) for name in ("rows.jsonl", "page.warc")], workers=1)
    pages = [lb.lookup(lake, url), lb.lookup(lake, url, before="2020-01-01"),
             lb.lookup(lake, url, before="2020-01-01", grade="E")]  # fmt: skip
    assert [[each.grade for each in page.versions] for page in pages if isinstance(page, lb.PageChanges)] == [
        ["E", "D"], ["D"], ["E", "D"]
    ]  # fmt: skip
    with lb.Lookup(lake, grade="C") as lookup, pytest.raises(QueryError, match="no capture that proves"):
        lookup.url(url, before="2020-01-01")


def test_a_version_of_a_page_cites_its_first_capture_that_proves_something(lake: Lake, tmp_path: Path) -> None:
    url = "http://a.example/terms"
    for name, date in (("a.warc", "2010-02-01"), ("b.warc", "2015-01-01")):
        (tmp_path / name).write_bytes(record(url, text(OLD), date, content_type="text/plain"))
        ingest(lake, [str(tmp_path / name)], workers=1)
    lb.retract(lake, [str(tmp_path / "a.warc")], reason="forged")
    page = lb.lookup(lake, url)
    assert isinstance(page, lb.PageChanges)
    ((version,)) = page.versions
    assert (version.captures, version.captured_at.year, version.date_problem) == (2, 2015, None)  # type: ignore[union-attr]


def test_a_text_without_a_proof_is_named_whichever_kinds_are_searched(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(text(OLD), "2015-06-01"), (text(LONG), "2999-01-01")])
    for options in ({"kinds": "exact"}, {"kinds": "quote"}, {}):
        with lb.Lookup(lake, **options) as lookup:  # type: ignore[arg-type]
            assert "no capture of grade D or better dates it" in lookup.text(text(LONG)).notes[-1]
            assert not any("this text" in note for note in lookup.text("some other words").notes)
    with lb.Lookup(lake, grade="A") as sealed:
        assert "no capture of grade A or better dates it" in sealed.text(text(OLD)).notes[-1]
        assert sealed.notes[-1].startswith("no text of the lake has a date of grade A; dates from a column")


@pytest.mark.parametrize(("captured", "asked"), [("example.org?a=1", "example.org/?a=1"), ("a.org/?b=/", "a.org?b=/")])
def test_an_address_with_an_empty_path_is_one_page_with_and_without_its_slash(captured: str, asked: str) -> None:
    assert f"http://{captured}" in addresses(f"http://{asked}")


def test_a_near_duplicate_is_nothing_weaker(lake: Lake, tmp_path: Path) -> None:
    """Also one that `k` leaves out, or that the index did not find."""
    runs = [words(20, seed) for seed in range(4)]
    copies = [[*OLD[:80], *run, *OLD[80:]] for run in runs]  # each is the earliest that has its run
    put(lake, tmp_path / "in", [(text(copy), f"201{number}-01-01") for number, copy in enumerate(copies)])
    lb.index(lake, workers=1, passages=True)
    asked = text(OLD, runs[3][:15])
    with lb.Lookup(lake) as lookup:
        assert len(lookup.text(asked).near) == 4
        few = lookup.text(asked, k=1)
        assert ([each.first_seen.year for each in few.near], few.quote) == ([2010], ())
        assert lookup._near is not None
        lookup._near.find = lambda *_: []  # type: ignore[method-assign]
        found = lookup.text(asked)
        assert [each.first_seen.year for each in found.near] == [2010, 2013]  # those that share the earliest runs
        assert (found.kind, found.quote) == ("near", ())
        for wrong in (0, -1, True, "5"):
            with pytest.raises(ArchiveError, match="a number of texts from 1 on"):
                lookup.text(asked, k=wrong)  # type: ignore[arg-type]
    with pytest.raises(ArchiveError, match="no target 'page'"):
        lb.lookup(lake, asked, target_is="page")  # type: ignore[arg-type]


def test_the_command_prints_the_kinds_and_json(full: Lake, tmp_path: Path) -> None:
    essay = tmp_path / "essay.txt"
    essay.write_text(text(words(40, 6), LONG[20:40]))
    shown = CliRunner().invoke(main, ["lookup", str(essay), "--lake", full.location], catch_exceptions=False).output
    assert "EXACT: none" in shown
    assert f"20 words: “{text(LONG[20:40])}”" in shown
    assert "ALIKE: not searched" in shown
    done = command("lookup", "-", "--lake", full.location, "--json", "--before", "2022-01-01", input=text(OLD))
    answer = json.loads(done.stdout)
    assert (answer["kind"], answer["exact"]["first_seen"][:4]) == ("exact", "2015")
    assert answer["before"] == "2022-01-01T00:00:00Z"
    assert answer["near"][0]["similarity"] >= 0.8


def test_nothing_that_models_wrote_is_exact_or_near(data: Path, lake: Lake, tmp_path: Path) -> None:
    """Continuations and answers of models beside the texts of people that they are about."""
    rows = json.loads((data / "human-machine" / "xsum_gpt-4.raw_data.json").read_text())
    put(lake, tmp_path / "in", [(each, "2019-01-01") for each in rows["original"]])
    lb.index(lake, workers=1, passages=True)
    with lb.Lookup(lake) as lookup:
        kinds = {lookup.text(each).kind for each in rows["sampled"]}
        assert kinds <= {"quote", None}
        assert lookup.text(rows["original"][0]).kind == "exact"
    assert lookup.not_searched.keys() == {"alike"}


def test_a_date_is_a_moment_in_utc(full: Lake) -> None:
    with lb.Lookup(full) as lookup:
        found = lookup.text(text(OLD), before=datetime(2016, 1, 1, tzinfo=UTC))
        assert found.before == datetime(2016, 1, 1, tzinfo=UTC)
