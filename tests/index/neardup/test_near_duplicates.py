"""Witnesses and clusters: which texts they name, and that the order in which texts came changes nothing."""

from __future__ import annotations

import gzip
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import examples, record, rows, take
from forked import forked, killed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import Dated, edited, found, indexed, put, words

import query
from archive.errors import LakeError
from archive.lake import Lake
from archive.text import content_id
from index.minhash.kernel import jaccard, shingle_set
from index.minhash.procedure import Parameters
from index.neardup import index, texts
from index.tables import BANDS, SIGNATURES


def test_an_edited_copy_has_the_earlier_text_as_its_witness(lake: Lake, tmp_path: Path) -> None:
    original = words(300, 1)
    copy, other = edited(original, 3, 2), words(300, 3)
    texts_ = [(" ".join(copy), "2019-05-01"), (" ".join(original), "2012-05-01"), (" ".join(other), "2011-01-01")]
    put(lake, tmp_path / "in", texts_)
    summary = indexed(lake)
    assert (summary.signed, summary.pairs, summary.clusters, summary.clustered) == (3, 1, 1, 2)
    ids = [content_id(text) for text, _ in texts_]
    assert rows(lake, "SELECT content_id, earlier_id, shared, total, estimated FROM duplicates") == [
        (ids[0], ids[1], 281, 311, False)
    ]
    seen = {
        row[0]: row[1:]
        for row in rows(lake, "SELECT content_id, witness_id, year(first_seen_near), cluster_id FROM documents")
    }
    assert seen == {ids[0]: (ids[1], 2012, ids[1]), ids[1]: (None, 2012, ids[1]), ids[2]: (None, 2011, None)}


def test_a_witness_is_similar_to_the_text_itself_and_not_to_a_neighbour_of_a_neighbour(
    lake: Lake, tmp_path: Path
) -> None:
    version = words(400, 1)
    versions = [version]
    for step in range(1, 8):
        version = edited(version, 5, step)  # 0.88 similar to the one before, under 0.8 to the one before that
        versions.append(version)
    dated = [(" ".join(text), f"20{10 + number}-01-01") for number, text in enumerate(versions)]
    put(lake, tmp_path / "in", dated)
    indexed(lake)
    sets = {content_id(text): shingle_set(text) for text, _ in dated}
    clusters = rows(lake, "SELECT content_id, witness_id, witness_similarity, texts FROM clusters")
    assert [texts for *_, texts in clusters] == [8] * 8
    assert sum(witness is None for _, witness, _, _ in clusters) == 1
    for text, witness, stated, _ in clusters:
        if witness:
            assert jaccard(sets[text], sets[witness]) == stated >= 0.8


def test_dates_decide_at_every_question_which_text_is_the_witness(lake: Lake, tmp_path: Path) -> None:
    first, second = words(200, 1), edited(words(200, 1), 1, 2)
    put(lake, tmp_path / "in", [(" ".join(first), "2015-01-01"), (" ".join(second), "2016-01-01")])
    indexed(lake)
    near = "SELECT witness_id FROM documents WHERE content_id = '{}'"
    assert rows(lake, near.format(content_id(" ".join(second)))) == [(content_id(" ".join(first)),)]
    put(lake, tmp_path / "in", [(" ".join(second), "2010-01-01")])  # an older crawl had the second one already
    assert rows(lake, near.format(content_id(" ".join(second)))) == [(None,)]
    assert rows(lake, near.format(content_id(" ".join(first)))) == [(content_id(" ".join(second)),)]
    before = found(lake)
    indexed(lake)
    after = found(lake)
    assert {row[1] for row in after["duplicates"]} == {content_id(" ".join(second))}
    assert [row[1:4] for row in after["documents"]] == [row[1:4] for row in before["documents"]]


def test_a_capture_with_a_date_problem_is_no_witness(lake: Lake, tmp_path: Path) -> None:
    text = words(200, 1)
    page = "<title>T</title><p>{}</p>".format
    early = record(body=page(" ".join(text)), date="1980-01-01T00:00:00Z")  # before the web
    claims = record(
        body=page("Published 1999-01-01. " + " ".join(edited(text, 1, 2))), date="2020-01-01T00:00:00Z",
        http={"Last-Modified": "Fri, 01 Jan 1999 00:00:00 GMT"},
    )  # fmt: skip
    path = tmp_path / "a.warc"
    path.write_bytes(early + claims)
    take(lake, str(path))
    assert indexed(lake).pairs == 1
    assert rows(lake, "SELECT year(first_seen), year(first_seen_near), witness_id FROM documents ORDER BY 1") == [
        (2020, 2020, None),
        (None, 2020, content_id("Published 1999-01-01. " + " ".join(edited(text, 1, 2)))),
    ]


def test_a_value_that_very_many_texts_share_leads_to_the_few_earliest_only(lake: Lake, tmp_path: Path) -> None:
    footer = words(200, 1)
    many = [
        (" ".join([*footer, f"page{number}"]), f"{1995 + number % 25}-01-{number % 28 + 1:02}") for number in range(300)
    ]
    put(lake, tmp_path / "in", many)
    summary = indexed(lake)
    assert summary.candidates <= 300 * 14 * Parameters().leaders
    assert summary.candidates < 300 * 299 // 2 / 5
    assert (summary.clusters, summary.clustered) == (1, 300)
    (earliest,) = rows(lake, "SELECT content_id FROM documents ORDER BY first_seen, content_id LIMIT 1")
    assert rows(lake, f"SELECT count(*) FROM documents WHERE witness_id = '{earliest[0]}'")[0][0] > 280


def test_parameters_belong_to_the_index_and_others_are_refused(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [("some words of text that are here", "2015-01-01")])
    index(lake, words=3, bands=20, rows=5, threshold=0.7, workers=1)
    assert index(lake, workers=1).signed == 0  # with what it has
    with pytest.raises(LakeError, match=r"made with words 3 \(not 5\), bands 20 \(not 14\)"):
        index(lake, words=5, bands=14, workers=1)


def test_an_empty_lake_and_none(lake: Lake) -> None:
    with pytest.raises(LakeError, match="there is no lake here"):
        index(lake)
    lake.create()
    assert index(lake, workers=1).texts == 0
    assert found(lake) == {"duplicates": [], "clusters": [], "documents": []}


def versions(seed: int, families: int, members: int) -> list[Dated]:
    """Texts in families of edited copies, with dates in any order; some captured twice."""
    dice = random.Random(seed)
    dated: list[Dated] = []
    for family in range(families):
        text = words(dice.choice([3, 40, 150]), seed * 1000 + family)
        for member in range(dice.randint(1, members)):
            text = edited(text, dice.randint(0, 2), seed * 77 + member)
            dated += [(" ".join(text), f"{dice.randint(2005, 2024)}-0{dice.randint(1, 9)}-11")] * dice.randint(1, 2)
    return dated


@settings(max_examples=examples(3), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), data=st.data())
def test_batches_and_their_order_change_nothing(
    seed: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dated = versions(seed, 6, 5)
    folder = tmp_path_factory.mktemp("order")
    whole, parts = Lake(str(folder / "whole")), Lake(str(folder / "parts"))
    put(whole, folder / "in", dated)
    indexed(whole)
    order = data.draw(st.permutations(dated))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(dated)), max_size=2)) | {0, len(dated)})
    for first, last in pairwise(cuts):
        put(parts, folder / "in", order[first:last])
        if data.draw(st.booleans()) or last == len(dated):
            indexed(parts)
    assert found(parts) == found(whole)


def test_one_text_at_a_time_and_merged_files_give_what_all_at_once_gives(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archive.compact.CROWD", 8)  # so that few are merged too
    dated = versions(3, 8, 6)[:16]
    whole = Lake(str(tmp_path / "whole"))
    put(whole, tmp_path / "all", dated)
    indexed(whole)
    for one in reversed(dated):
        put(lake, tmp_path / "in", [one])
        if one[0].endswith(("a", "e", "i", "o", "u")):
            indexed(lake)
    indexed(lake)
    assert found(lake) == found(whole)
    signed = lake.read(SIGNATURES.name, ["content_id"])["content_id"].to_pylist()
    assert len(signed) == len(set(signed)) == len({text for text, _ in dated})
    assert set(lake.read(BANDS.name, ["segment"])["segment"].to_pylist()) == set(lake.files(SIGNATURES.name))


@pytest.mark.slow
def test_the_real_versions_in_any_order_of_months(data: Path, tmp_path: Path) -> None:
    with gzip.open(data / "dated" / "page-versions-2012-2026.jsonl.gz", "rt") as file:
        dated = [(row["text"], row["date"]) for row in islice(map(json.loads, file), 90)]
    dice = random.Random(1)
    results = []
    for name in ("once", "reversed", "shuffled"):
        lake = Lake(str(tmp_path / name))
        order = sorted(dated, key=lambda row: row[1])
        if name == "reversed":
            order.reverse()
        if name == "shuffled":
            dice.shuffle(order)
        parts = 1 if name == "once" else 3
        for part in np.array_split(np.arange(len(order)), parts):
            put(lake, tmp_path / f"in-{name}", [order[number] for number in part])
            indexed(lake)
        results.append(found(lake))
    assert len(results[0]["duplicates"]) > 30
    for result in results[1:]:
        assert result == results[0]


def test_texts_that_the_lake_does_not_hold_are_compared_by_their_signatures(lake: Lake, tmp_path: Path) -> None:
    from index.neardup.textless import export

    original = words(500, 1)
    close, just = edited(original, 2, 2), edited(original, 10, 3)  # 0.96 and 0.82 similar
    put(lake, tmp_path / "in", [(" ".join(text), f"201{n}-01-01") for n, text in enumerate((original, close, just))])
    assert indexed(lake).pairs >= 2
    out = Lake(str(tmp_path / "witnesses"))
    assert export(lake, out) == 3
    assert export(lake, out) == 0
    indexed(out)
    ((later, earlier, shown, estimated),) = rows(
        out, "SELECT content_id, earlier_id, similarity, estimated FROM duplicates"
    )
    assert {later, earlier} == {content_id(" ".join(original)), content_id(" ".join(close))}
    assert estimated
    assert abs(shown - 0.96) < 4 * (0.96 * 0.04 / 112) ** 0.5


def test_a_lake_without_texts_takes_under_500_bytes_a_text(lake: Lake, tmp_path: Path) -> None:
    from index.neardup.textless import export

    put(
        lake,
        tmp_path / "in",
        [(" ".join(words(12, number)), f"2015-03-{number % 28 + 1:02}") for number in range(2_000)],
    )
    indexed(lake)
    out = Lake(str(tmp_path / "witnesses"))
    assert export(lake, out) == 2_000
    size = sum(path.stat().st_size for path in Path(out.location).rglob("*.parquet"))
    assert size / 2_000 < 500
    assert rows(out, "SELECT count(*), count(DISTINCT content_id), min(captured_at)::DATE::VARCHAR FROM captures") == [
        (2_000, 2_000, "2015-03-02")  # a day without a time ends later anywhere else
    ]


def test_killed_anywhere_it_goes_on_and_ends_the_same(lake: Lake, tmp_path: Path) -> None:
    dated = versions(11, 20, 6)
    whole = Lake(str(tmp_path / "whole"))
    for target in (lake, whole):
        for part in range(4):
            put(target, tmp_path / f"in-{target is whole}", dated[part::4])
    started = time.monotonic()
    forked("index", "--lake", whole.location, "--quiet")
    seconds = time.monotonic() - started
    dice = random.Random(5)
    for _ in range(5):
        killed(["index", "--lake", lake.location, "--quiet"], dice.uniform(0.02, seconds), tmp_path / "said")
    indexed(lake)
    assert found(lake) == found(whole)


def test_two_at_once_give_what_one_gives(lake: Lake, tmp_path: Path) -> None:
    dated = versions(12, 20, 6)
    whole = Lake(str(tmp_path / "whole"))
    for target in (lake, whole):
        for part in range(4):
            put(target, tmp_path / f"in-{target is whole}", dated[part::4])
    indexed(whole)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: forked("index", "--lake", lake.location, "--quiet"), range(2)))
    assert [done.returncode for done in both] == [0, 0]
    assert found(lake) == found(whole)
    assert index(lake, workers=1).signed == 0


def test_a_text_that_two_processes_signed_counts_once(lake: Lake, tmp_path: Path) -> None:
    dated = versions(13, 4, 4)
    put(lake, tmp_path / "in", dated)
    indexed(lake)
    before = found(lake)
    (file,) = lake.files(SIGNATURES.name)
    add = lake.read(SIGNATURES.name)
    from archive.files import write_parquet

    assert lake.commit(SIGNATURES, [write_parquet(lake, SIGNATURES, add, "again")], [])
    indexed(lake)
    assert found(lake) == before
    known = texts.load(lake)
    assert len(known) == 2 * known.live.sum()
    assert file in known.segments


def test_stats_show_the_share_of_exact_and_near_duplicates_by_month(lake: Lake, tmp_path: Path) -> None:
    from query import stats

    original = words(200, 1)
    put(
        lake,
        tmp_path / "in",
        [
            (" ".join(original), "2015-01-03"),
            (" ".join(original), "2015-02-03"),
            (" ".join(edited(original, 1, 2)), "2015-02-04"),
            (" ".join(words(200, 9)), "2015-02-05"),
        ],
    )
    indexed(lake)
    assert stats(lake).duplicates_by_month == {
        "2015-01": {"captures": 1, "exact": 0, "near": 0},
        "2015-02": {"captures": 3, "exact": 1, "near": 1},
    }


def test_the_views_exist_before_the_index(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [("some words", "2015-01-01")])
    db = query.connect(lake)
    assert db.execute("SELECT count(*) FROM duplicates").fetchall() == [(0,)]
    assert db.execute("SELECT cluster_id, witness_id, first_seen_near = first_seen FROM documents").fetchall() == [
        (None, None, True)
    ]


def test_an_estimated_pair_is_compared_as_soon_as_the_lake_has_both_texts(lake: Lake, tmp_path: Path) -> None:
    from index.neardup.textless import export

    original = words(500, 1)
    dated = [(" ".join(text), f"201{n}-01-01") for n, text in enumerate((original, edited(original, 2, 2)))]
    put(lake, tmp_path / "in", dated)
    indexed(lake)
    out = Lake(str(tmp_path / "witnesses"))
    export(lake, out)
    indexed(out)
    estimated = "SELECT estimated, shared, total FROM duplicates"
    assert rows(out, estimated)[0][0] is True
    put(out, tmp_path / "again", dated)
    indexed(out)
    assert rows(out, estimated) == rows(lake, estimated)
    assert indexed(out).verified == 0


def test_a_file_of_texts_without_words_does_no_harm(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [("... !!!", "2015-01-01"), ("???", "2015-01-02")])
    assert indexed(lake).texts == 2
    put(lake, tmp_path / "in", [(" ".join(words(50, 1)), "2015-01-01")] * 2)
    assert (indexed(lake).texts, indexed(lake).pairs) == (3, 0)


def test_bands_that_another_process_removed_are_written_again(lake: Lake, tmp_path: Path) -> None:
    dated = versions(14, 4, 4)
    put(lake, tmp_path / "in", dated)
    indexed(lake)
    before = found(lake)
    lake.delta(BANDS.name).delete()
    put(lake, tmp_path / "in", [(" ".join(words(50, 999)), "2015-01-01")])
    indexed(lake)
    assert found(lake)["duplicates"] == before["duplicates"]
    assert set(lake.read(BANDS.name, ["segment"])["segment"].to_pylist()) == set(lake.files(SIGNATURES.name))


def test_a_full_scratch_disk_is_an_error_and_not_a_crash(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index.neardup import shingle_sets

    put(lake, tmp_path / "in", versions(15, 4, 4))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shingle_sets.os, "posix_fallocate", full)
    with pytest.raises(LakeError, match="scratch space, see TMPDIR"):
        indexed(lake)
    monkeypatch.undo()
    assert indexed(lake).pairs > 0


def test_wrong_arguments_are_refused_before_any_work(lake: Lake, tmp_path: Path) -> None:
    from archive.errors import ArchiveError
    from index.neardup.textless import export

    put(lake, tmp_path / "in", [("some words of text", "2015-01-01")])
    indexed(lake)
    with pytest.raises(ArchiveError, match="nowhere"):
        index(lake, workers=1, device="nowhere")
    with pytest.raises(LakeError, match="into itself"):
        export(lake, Lake(lake.location))
