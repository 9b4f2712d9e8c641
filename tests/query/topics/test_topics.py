"""`topics` counts texts by the date that `clean` gives them, compares a set with the lake, and shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from conftest import record, rows, take
from made_vectors import ENCODER, add

import lowbackground as lb
from archive.cli import main
from archive.errors import ExportError
from archive.lake import Lake
from archive.text.normalise import content_id

#: Texts of two subjects: bread from 2012 on, planets only from 2020 on; each from a site of its own.
BREAD = [f"bread flour oven dough number{at} yeast" for at in range(60)]
STARS = [f"planet orbit star telescope number{at} comet" for at in range(60)]


def dated(texts: list[str], first: int, years: int, name: str) -> bytes:
    return b"".join(
        record(url=f"http://{name}{at}.com/", body=text, date=f"{first + at % years}-06-01", content_type="text/plain")
        for at, text in enumerate(texts)
    )


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("topics")
    lake = Lake(str(folder / "lake"))
    (folder / "a.warc").write_bytes(dated(BREAD, 2012, 10, "bread") + dated(STARS, 2020, 2, "stars"))
    (folder / "b.jsonl").write_text("".join(json.dumps({"text": text, "date": "2011-01-01"}) + "\n" for text in
                                            [BREAD[0], "bread from a data set, of no good date"]))  # fmt: skip
    take(lake, str(folder / "a.warc"), str(folder / "b.jsonl"))
    texts = [*BREAD, "bread from a data set, of no good date", *STARS]
    vectors = np.random.default_rng(0).normal(0, 0.1, (len(texts), 8)).astype(np.float32)
    vectors[:61, 0] += 1
    vectors[61:, 1] += 1
    add(lake, [content_id(text) for text in texts], vectors)
    return lake


def by_name(found: lb.TopicsResult, word: str) -> Any:
    (topic,) = [each for each in found.topics if word in each.words]
    return topic


def test_texts_are_counted_by_the_date_that_clean_gives_them(full: Lake) -> None:
    found = lb.topics(full, topics=2, by="year")
    bread, stars = by_name(found, "dough"), by_name(found, "orbit")
    assert (found.texts, found.undated, bread.texts, stars.texts) == (121, 1, 61, 60)
    assert stars.periods == {"2020": 30, "2021": 30}
    assert bread.periods == {str(year): 6 for year in range(2012, 2022)}
    clean = rows(full, "SELECT topic, year(first_seen)::VARCHAR, count(*) FROM clean('9999-01-01') JOIN text_topics "
                       "USING (content_id) GROUP BY ALL")  # fmt: skip
    assert {(each.topic, year): count for each in found.topics for year, count in each.periods.items()} == {
        (topic, year): count for topic, year, count in clean
    }
    claimed = by_name(lb.topics(full, by="year", grade="E"), "dough")
    assert (claimed.undated, claimed.periods["2011"]) == (0, 2)
    assert by_name(lb.topics(full), "orbit").periods == {"2020-06": 30, "2021-06": 30}


def test_examples_are_the_nearest_texts_with_the_capture_that_dates_them(full: Lake) -> None:
    stars = by_name(lb.topics(full), "orbit")
    assert len(stars.examples) == 5
    best = rows(full, f"SELECT content_id FROM text_topics WHERE topic = {stars.topic} "
                      "ORDER BY similarity DESC, content_id LIMIT 5")  # fmt: skip
    assert [(each.content_id,) for each in stars.examples] == best
    documents = dict(rows(full, "SELECT content_id, url FROM documents"))
    assert all(each.url == documents[each.content_id] and each.first_seen.year >= 2020 for each in stars.examples)


def test_what_a_date_and_a_set_lack_is_listed(full: Lake, tmp_path: Path) -> None:
    before = lb.topics(full, before="2018-01-01")
    bread, stars = by_name(before, "dough").missing, by_name(before, "orbit").missing
    assert (before.compared, before.inside, stars.kind, stars.inside, bread.kind) == (120, 36, "absent", 0, "")
    assert stars.high < 0.5 < 1 < bread.low
    lb.export(full, tmp_path / "set", before="2020-12-31", workers=1)
    in_set = lb.topics(full, dataset=tmp_path / "set")
    assert (in_set.compared, in_set.inside, in_set.elsewhere) == (121, 54 + 30, 0)
    assert by_name(in_set, "orbit").missing.kind == ""
    both = lb.topics(full, dataset=tmp_path / "set", before="2020-12-31")
    assert both.compared == both.inside == 84
    assert all(topic.missing.ratio == 1 for topic in both.topics)
    none = lb.topics(full, before="2000-01-01")
    assert (none.inside, {topic.missing for topic in none.topics}) == (0, {None})


def test_a_set_of_another_lake_has_rows_that_are_not_here(full: Lake, lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "c.warc").write_bytes(dated(["other words of another lake", BREAD[0]], 2012, 1, "x"))
    take(lake, str(tmp_path / "c.warc"))
    lb.export(lake, tmp_path / "set", before="2020-12-31", workers=1)
    found = lb.topics(full, dataset=tmp_path / "set")
    assert (found.inside, found.elsewhere) == (1, 1)


def test_the_command_shows_writes_and_prints_json(full: Lake, tmp_path: Path) -> None:
    def shown(*words: str) -> str:
        done = CliRunner().invoke(main, ["topics", "--lake", full.location, "--quiet", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    screen = shown("--before", "2018-01-01")
    assert f"121 texts in 2 topics of {ENCODER}" in screen
    assert "absent" in screen
    one = shown("--show", "1")
    assert "the nearest texts:" in one
    assert "http://" in one
    assert "█" in one
    answer = json.loads(shown("--json", "--by", "year"))
    assert sum(sum(topic["periods"].values()) for topic in answer["topics"]) == 120
    for name in ("a.csv", "a.parquet"):
        shown("--out", str(tmp_path / name))
        table = pcsv.read_csv(tmp_path / name) if name == "a.csv" else pq.read_table(tmp_path / name)
        assert table.column_names == ["topic", "name", "period", "texts"]
        assert sum(table["texts"].to_pylist()) == 121


def test_a_file_that_is_there_is_replaced_only_where_that_is_asked_for(full: Lake, tmp_path: Path) -> None:
    def written(to: Path, *words: str) -> str:
        given = ["topics", "--lake", full.location, "--quiet", "--out", str(to), *words]
        return CliRunner().invoke(main, given).output

    mine = tmp_path / "mine.csv"
    mine.write_text("mine")
    (tmp_path / ".mine.csv.new").write_text("mine too")
    assert "exists already; --overwrite replaces it" in written(mine)
    assert mine.read_text() == "mine"
    written(mine, "--overwrite")
    assert mine.read_text().startswith('"topic","name"')
    assert (tmp_path / ".mine.csv.new").read_text() == "mine too"
    assert "is in the lake" in written(Path(full.location) / "topics.csv")


def test_a_vector_without_numbers_spoils_no_other_text(lake: Lake, tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(0, 0.1, (40, 8)).astype(np.float32)
    vectors[:20, 0] += 1
    vectors[20:, 1] += 1
    vectors[3], vectors[4], vectors[5, 2] = np.nan, 0, np.inf
    (tmp_path / "a.warc").write_bytes(dated(BREAD[:20], 2012, 1, "bread") + dated(STARS[:20], 2020, 1, "stars"))
    take(lake, str(tmp_path / "a.warc"))
    add(lake, [content_id(text) for text in (*BREAD[:20], *STARS[:20])], vectors)
    lb.topics(lake, topics=2)
    found = rows(lake, "SELECT topic, count(*), count(*) FILTER (similarity > 0.8) FROM text_topics GROUP BY 1")
    assert sorted(good for _, _, good in found) == [17, 20]
    assert sum(texts for _, texts, _ in found) == 40


def test_a_set_whose_rows_have_no_content_ids_is_one_line(full: Lake, tmp_path: Path) -> None:
    lb.export(full, tmp_path / "set", before="2020-12-31", workers=1)
    (shard,) = (tmp_path / "set").rglob("*.parquet")
    pq.write_table(pq.read_table(shard).drop_columns(["content_id"]), shard)
    with pytest.raises(ExportError, match="the rows have no content ids"):
        lb.topics(full, dataset=tmp_path / "set")


def test_wrong_words_end_in_one_line(full: Lake, lake: Lake, tmp_path: Path) -> None:
    lake.create()
    for words, line in (
        (["--lake", lake.location], "has no vectors yet; `archive embed --lake"),
        (["--lake", full.location, "--before", "never"], "is no date"),
        (["--lake", full.location, "--show", "77"], "there is no topic 77"),
        (["--lake", full.location, "--out", str(tmp_path / "a.xls")], "ends with .csv or .parquet"),
        (["--lake", full.location, "--topics", "9"], "--again makes 9"),
    ):
        done = CliRunner().invoke(main, ["topics", "--quiet", *words])
        assert (done.exit_code, line in done.output, done.output.count("\n")) == (2, True, 1), done.output
