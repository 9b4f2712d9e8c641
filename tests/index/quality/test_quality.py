"""Signals: known values, a second implementation, and a stage that measures each text once."""

from __future__ import annotations

import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import plain_quality
import pyarrow as pa
import pytest
from conftest import examples, rows
from deltalake import DeltaTable
from forked import forked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import put, words

from archive.engine import Context
from archive.errors import ArchiveError, LakeError
from archive.lake import Lake
from archive.text import content_id
from archive.text.normalise import normalise
from index.quality import presets, quality, tokens
from index.quality.characters import classes
from index.quality.signals import COLUMNS, measured, signals
from index.quality.stage import Quality
from index.quality.table import QUALITY
from index.stage import commit, pending, work
from index.tables import TABLES


def measure(text: str) -> dict[str, float]:
    return dict(zip(COLUMNS, measured(pa.array([text], pa.large_string()))[0].tolist(), strict=True))


def cut(text: str) -> list[str]:
    """The tokens that the kernel finds."""
    points = np.array([*map(ord, text), 0], np.uint32)
    begins, ends, tails = (np.empty(len(text) + 1, np.int32) for _ in range(3))
    known = tokens.exceptions()
    count = tokens.tokens(points, 0, len(text), classes(), known, begins, ends, tails, 0)
    return [text[begin:end] for begin, end in zip(begins[:count], ends[:count], strict=True)]


def reason(text: str, preset: str) -> str | None:
    """The first rule that leaves a text out, as SQL says."""
    db = duckdb.connect()
    db.register("quality", signals(pa.array([content_id(text)]), pa.array([text])))
    found: tuple[str | None, bool] | None = db.execute(
        f"SELECT {presets.reason_sql(preset)}, {presets.sql(preset)} FROM quality"
    ).fetchone()
    assert found is not None
    assert found[1] == (found[0] is None)
    return found[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Words, and marks.", "Words|,|and|marks|."),
        ("He said: “It's John's, I don't know.”", "He|said|:|“|It|'s|John|'s|,|I|do|n't|know|.|”"),
        ("we'll they’re I'd I'm cannot", "we|'ll|they|’re|I|'d|I|'m|can|not"),
        ("Mr. Smith of the U.S. met Dr. Who, e.g. here.", "Mr.|Smith|of|the|U.S.|met|Dr.|Who|,|e.g.|here|."),
        ("This and/or that (and/or :-) below): no :(", "This|and/or|that|(|and/or|:-)|below|)|:|no|:("),
        ("a well-known 10-day trip; 3.5 of 1,000", "a|well|-|known|10|-|day|trip|;|3.5|of|1,000"),
        ("Wait... what… no..", "Wait|...|what|…|no|.."),
        ("end.Next to/from http://a.com/b-c www.a-b.com/c.", "end|.|Next|to|/|from|http://a.com/b-c|www.a-b.com/c|."),
        ("$5 5€ 50% #tag (see [1])", "$|5|5|€|50|%|#|tag|(|see|[|1|]|)"),
        ("-5 - @me a@b.com AT&T", "-5|-|@me|a@b.com|AT&T"),
        ("我们 abc语言", "我|们|abc|语|言"),
        ("good👍 👍👍", "good|👍|👍|👍"),
    ],
)
def test_words_and_marks_are_separated(text: str, expected: str) -> None:
    assert cut(text) == expected.split("|") == plain_quality.words(text)


def test_the_counts_of_gophers_quality_filter_are_those_counted_by_hand() -> None:
    found = measure("- The cat, the #1 cat...\n• to be\n\nof 12 cats…")
    # - The cat , the # 1 cat ... • to be of 12 cats …
    assert (found["words"], found["non_symbol_words"], found["characters"]) == (16, 11, 45)
    # • is no symbol in datatrove's list
    assert found["mean_word_length"] == (3 + 3 + 3 + 1 + 3 + 1 + 2 + 2 + 2 + 2 + 4) / 11
    assert found["hashes_per_word"] == 1 / 16
    assert found["ellipses_per_word"] == 2 / 16
    assert (found["bullet_lines"], found["ellipsis_lines"]) == (2 / 4, 2 / 4)
    assert found["alphabetic_words"] == 8 / 16
    assert found["stop_words"] == 4  # the, to, be, of; "The" is not the


def test_the_fractions_of_gophers_repetition_filter_are_those_counted_by_hand() -> None:
    found = measure("one two\none two\n\nthree four\n\none two\none two")
    size = 7 * 4 + 10 + 6
    assert found["characters"] == size
    assert (found["dup_lines"], found["dup_line_chars"]) == (3 / 5, 21 / size)
    assert (found["dup_paragraphs"], found["dup_paragraph_chars"]) == (1 / 3, 15 / size)
    assert found["top_2_gram"] == 4 * 7 / size  # one two
    assert found["top_3_gram"] == 2 * 11 / size  # one two one
    assert found["top_4_gram"] == 2 * 15 / size  # one two one two
    assert found["dup_5_grams"] == 0
    found = measure("a b c d e a b c d e a b c d e")
    assert found["dup_5_grams"] == 10 / 29  # found again twice, each time stepped over
    assert found["dup_6_grams"] == 6 / 29


def test_the_lines_that_c4_drops_are_counted_by_cause() -> None:
    text = "\n".join(
        [
            "This line stays as it is. And has two sentences!",
            "No mark ends this line",
            "Trailing dots end this...",
            "Too few.",
            "Please enable JavaScript now.",
            "We have a Privacy Policy here.",
            "x" * 1001 + " is long.",
            "[1] [edit] [citation needed]",
            'He said "so it is."[12]',
        ]
    )
    found = measure(text)
    assert found["c4_unpunctuated_lines"] == 3  # and the citations
    assert found["c4_few_word_lines"] == 1
    assert found["c4_javascript_lines"] == found["c4_policy_lines"] == found["c4_long_word_lines"] == 1
    assert found["c4_citation_lines"] == 1
    assert (found["c4_lines"], found["c4_sentences"]) == (2, 3)
    assert found["fineweb_lines"] == 4  # the two without a mark as well; that of citations is blank
    assert found["fineweb_punctuated_lines"] == 2 / 4  # dots; the quotation mark is none in FineWeb's list
    assert found["fineweb_short_lines"] == 3 / 4


def test_a_page_level_rule_sees_only_lines_that_were_not_dropped_before() -> None:
    assert measure("Lorem ipsum dolor sit amet")["c4_lorem_ipsum"] == 0  # no terminal punctuation: dropped before
    assert measure("Lorem ipsum dolor sit amet")["fineweb_lorem_ipsum"] == 1
    assert measure("Lorem ipsum dolor sit amet.")["c4_lorem_ipsum"] == 1
    assert measure("javascript: if (a) { b(); }.")["c4_curly_bracket"] == 0
    assert measure("So: if (a) { b(); }.")["c4_curly_bracket"] == 1


def test_fineweb_counts_lines_and_line_breaks_of_what_c4_keeps() -> None:
    line = "This is the line that comes again."
    found = measure(f"{line}\n\nMenu\n{line}\nA short line here")
    assert found["fineweb_lines"] == 3
    assert found["fineweb_dup_line_chars"] == len(line) / (2 * len(line) + 17)
    assert found["fineweb_words"] == 8 + 8 + 4
    assert found["fineweb_newlines_per_word"] == 2 / 20


@pytest.mark.parametrize("text", ["", "\n", " ", ".", "a", "…", "\n\n\n", "[1]", "{", "👍", "'", "n't"])
def test_a_fraction_of_nothing_is_a_number(text: str) -> None:
    found = np.array([*measure(text).values()])
    assert np.isfinite(found).all()


def test_an_empty_text_measures_nothing() -> None:
    assert set(measure("").values()) == {0.0}
    assert (reason("", "gopher"), reason("", "fineweb")) == ("gopher_short", "empty")
    assert reason("", "c4") == "c4_sentences"


_MARKED = (
    "the The to be of and that have with cannot don't I'm we’ll John's n't U.S. Mr. e.g. a. z. end.Next and/or ... .. … . "
    "well-known a--b 10-day 3.5 1,000 5% $5 5€ +5 5+ #1 # - • — – http://a.com/b-c a.com/b www.x-y.com/ a]:http://b.com/c "
    "[1] [edit] [] [citation needed] { } javascript JavaScript lorem ipsum Lorem Ipsum privacy policy terms of use cookies "
    "我们 ภาษา é İ ß 12 ٣ «a» “a” ‘ ’ ' \" 👍 。 ？ x-z@y.com a_b a:b a=b a<b A-b.de a-b.De , ! ? :) ): :-) (: 8) ;D w/o <3 D:"
)
_PIECES = st.sampled_from(_MARKED.split(" "))
_TEXT = st.lists(
    st.one_of(_PIECES, st.text("aB.,'’-/:…1+ \n[]😀中ก่ำ", max_size=4), st.sampled_from(["\n", "\n\n", " "])),
    max_size=60,
).flatmap(lambda pieces: st.sampled_from([" ".join(pieces), "".join(pieces), "\n".join(pieces), " ".join(pieces * 3)]))


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_TEXT.map(normalise), max_size=4))
def test_a_second_implementation_finds_the_same_signals(texts: list[str]) -> None:
    found = measured(pa.array(texts, pa.large_string()))
    for text, numbers in zip(texts, found, strict=True):
        assert cut(text) == plain_quality.words(text)
        expected = plain_quality.signals(text)
        assert dict(zip(COLUMNS, numbers.tolist(), strict=True)) == {name: float(expected[name]) for name in COLUMNS}


def test_what_a_text_measures_does_not_depend_on_its_neighbours() -> None:
    texts = [" ".join(words(50 + 300 * (seed % 3), seed % 7)) + "\n[1] a b c." * (seed % 4) for seed in range(40)]
    together = measured(pa.array(texts, pa.large_string()))
    for text, numbers in zip(texts, together, strict=True):
        assert numbers.tolist() == [*measure(text).values()]
    assert measured(pa.array(texts).slice(5, 3)).tolist() == together[5:8].tolist()


#: A text that all presets keep: twelve sentences in which no words come again in a row.
GOOD = "\n".join(
    f"{' '.join(words(7, seed)).capitalize()} {stop} {' '.join(words(7, seed + 100))}."
    for seed, stop in enumerate(["the", "of", "to", "be", "and", "that", "have", "with"] * 2)
)
LINES = GOOD.split("\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD, (None, None, None)),
        ("The end of it.", ("gopher_short", "c4_sentences", "gopher_top_2_gram")),
        ("\n".join([*LINES[:6], *LINES[:6]]), ("gopher_dup_lines", None, "gopher_dup_lines")),
        ("\n".join([*LINES, "Some {code}, and more."]), (None, "c4_curly_bracket", "c4_curly_bracket")),
        ("\n".join([*LINES, "Here is Lorem ipsum."]), (None, "c4_lorem_ipsum", "c4_lorem_ipsum")),
        (GOOD.replace(".", "..."), ("gopher_ellipsis_lines", "c4_sentences", "gopher_ellipsis_lines")),
        (GOOD.replace(".", ""), (None, "c4_sentences", "fineweb_punctuated_lines")),
        (re.sub(r"\b(the|of|to|be|and|that|have|with)\b", "ein", GOOD), ("gopher_stop_words", None, "gopher_stop_words")),
        ("- " + GOOD.replace("\n", "\n- "), ("gopher_bullet_lines", None, "gopher_bullet_lines")),
        (GOOD + "\n" + "\n".join(f"{word} is it so" for word in words(40, 9)), (None, None, "fineweb_short_lines")),
        (f"{GOOD}\n{LINES[0]}", (None, None, "fineweb_dup_line_chars")),
    ],
)  # fmt: skip
def test_a_preset_names_the_first_rule_that_leaves_a_text_out(
    text: str, expected: tuple[str | None, str | None, str | None]
) -> None:
    assert (reason(text, "gopher"), reason(text, "c4"), reason(text, "fineweb")) == expected


def test_each_rule_has_a_name_of_its_own_a_source_and_columns_that_exist() -> None:
    for name, rules in presets.PRESETS.items():
        assert len({rule.name for rule in rules}) == len(rules), name
        assert all(rule.source for rule in rules)
    with pytest.raises(ArchiveError, match="no preset 'c5'; there are gopher, c4, fineweb"):
        presets.sql("c5")


def test_presets_work_in_joins_and_leave_out_what_was_not_measured() -> None:
    db = duckdb.connect()
    db.register("q_", signals(pa.array([content_id(GOOD)]), pa.array([GOOD])))
    db.execute("CREATE TABLE quality AS SELECT * FROM q_")
    db.execute(f"CREATE TABLE documents AS VALUES ('{content_id(GOOD)}', 5), ('b', 6)")
    asked = f"SELECT words, {presets.sql('fineweb', 'q')}, {presets.reason_sql('fineweb', 'q')}"
    found = db.execute(
        f"{asked} FROM documents d(content_id, words) LEFT JOIN quality q USING (content_id) ORDER BY 1".replace(
            "SELECT words", "SELECT d.words"
        )
    ).fetchall()
    assert found == [(5, True, None), (6, False, presets.UNMEASURED)]


def stored(lake: Lake) -> list[dict[str, Any]]:
    table = lake.read(QUALITY.name)
    found: list[dict[str, Any]] = table.sort_by("content_id").to_pylist()
    return found


def measured_texts(lake: Lake, workers: int) -> tuple[int, int]:
    """Texts that a run measures, and texts that have signals then."""
    result = quality(lake, workers=workers)
    return result.measured, result.texts


def test_a_text_is_measured_once_and_a_new_run_measures_what_is_new(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(GOOD, "2015-01-01"), ("Some other text.", "2016-01-01")])
    assert measured_texts(lake, workers=1) == (2, 2)
    first = stored(lake)
    assert {row["content_id"] for row in first} == {content_id(GOOD), content_id("Some other text.")}
    assert measured_texts(lake, workers=1) == (0, 2)
    put(lake, tmp_path / "in", [(GOOD, "2014-01-01"), ("A third text.", "2016-01-01")])
    assert measured_texts(lake, workers=2) == (1, 3)
    assert [row for row in stored(lake) if row["content_id"] != content_id("A third text.")] == first
    expected = signals(pa.array([content_id(GOOD)]), pa.array([GOOD])).to_pylist()
    assert [row for row in first if row["content_id"] == content_id(GOOD)] == expected


def test_documents_that_compaction_moved_are_not_measured_again(lake: Lake, tmp_path: Path) -> None:
    for number in range(3):
        put(lake, tmp_path / "in", [(f"Text number {number}.", "2015-01-01")])
    quality(lake, workers=1)
    delta = DeltaTable(lake.table_uri("documents"))
    delta.optimize.compact()
    assert measured_texts(lake, workers=1) == (0, 3)


def test_a_file_that_was_written_and_not_committed_changes_nothing(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(GOOD, "2015-01-01")])
    Quality().create(lake)
    (task,) = pending(Quality(), lake)
    written = work(task, Context())
    assert written.texts == 1
    assert stored(lake) == []
    assert measured_texts(lake, workers=1) == (1, 1)
    assert not commit(Quality(), lake, task.file, written.file)  # the one that was slower throws its file away
    assert len(stored(lake)) == 1
    left = [path.name for path in Path(lake.table_uri(QUALITY.name)).glob("*.parquet")]
    assert left == lake.files(QUALITY.name)


def test_two_at_once_measure_each_text_once(lake: Lake, tmp_path: Path) -> None:
    for number in range(6):
        put(lake, tmp_path / "in", [(f"Text number {number} of file {part}.", "2015-01-01") for part in range(3)])
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: forked("quality", "--lake", lake.location, "--workers", "1"), range(2)))
    assert [done.returncode for done in both] == [0, 0]
    ids = [row["content_id"] for row in stored(lake)]
    assert len(ids) == 18
    assert all(a < b for a, b in pairwise(ids))


def test_signals_of_another_version_are_recognised(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(lake, tmp_path / "in", [(GOOD, "2015-01-01")])
    with pytest.raises(LakeError, match="no text is measured yet; `archive quality"):
        Quality().check(lake)
    quality(lake, workers=1)
    Quality().check(lake)
    monkeypatch.setattr(Quality, "version", 2)
    with pytest.raises(
        LakeError, match=r"has rows of version 1, this program computes version 2; they are not comparable"
    ):
        quality(lake, workers=1)


def test_the_command_reports_what_it_did_and_a_missing_lake(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(GOOD, "2015-01-01")])
    done = json.loads(forked("quality", "--lake", lake.location, "--workers", "1", "--json").stdout)
    assert (done["measured"], done["texts"]) == (1, 1)
    assert "0 new texts measured" in forked("quality", "--lake", lake.location).stdout
    failed = forked("quality", "--lake", str(tmp_path / "none"), check=False)
    assert failed.returncode == 2
    assert "there is no lake here" in failed.stderr
    assert rows(lake, "SELECT count(*) FROM documents") == [(1,)]


@pytest.mark.parametrize("piece", ["a", "-", "a-", "[", "[1", "...a", "(", "n't", "a.b", "x\n", "{ ", "语", ". ", "'s"])
def test_a_text_of_a_megabyte_takes_time_in_proportion(piece: str) -> None:
    measure(piece)  # compiles
    text = normalise("a" + piece * (1_000_000 // len(piece)) + "a")
    started = time.process_time()
    assert np.isfinite([*measure(text).values()]).all()
    assert time.process_time() - started < 20


def test_the_manual_names_each_column_and_each_rule_with_its_threshold() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "quality.md").read_text(encoding="utf-8")
    for name in COLUMNS:
        assert f"| `{name}` |" in manual
    for rules in presets.PRESETS.values():
        for rule in rules:
            assert f"| `{rule.name}` | `{rule.sql}` | {rule.source} |" in manual


def test_the_kernel_writes_each_column_of_the_table() -> None:
    assert ["content_id", *COLUMNS] == QUALITY.schema.names
    assert TABLES["quality"] is QUALITY


@pytest.mark.slow
def test_the_presets_agree_with_datatroves_own_filters_on_real_pages(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LOWBACKGROUND_PEERS names an interpreter that has datatrove[processing]."""
    peers = os.environ.get("LOWBACKGROUND_PEERS")
    if not peers:
        pytest.skip("LOWBACKGROUND_PEERS names no interpreter with datatrove")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "benchmarks"))
    from corpus import spread

    from benchmarks.quality import PRESETS, compare, read

    texts = spread(read([data / "html-gold" / "trafilatura"], english=False), 100)
    result = compare(texts, peers)
    for name, row in result["filters"].items():
        assert row["agree"] >= 0.98, (name, row["differences"])
    assert all(result["filters"][name]["same_reason"] >= 0.96 for name in PRESETS)
