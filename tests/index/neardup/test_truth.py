"""The index of real texts, compared with brute force and with the judgement of people."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import rows
from made import indexed, put

from archive.lake import Lake
from archive.text.normalise import normalise
from benchmarks.truth import similar_pairs
from index.minhash.kernel import band_keys, jaccard, shingle_set, sign
from index.minhash.procedure import Parameters


@pytest.mark.slow
def test_of_the_page_versions_every_pair_is_true_few_are_missing_and_dates_are_right(
    data: Path, lake: Lake, tmp_path: Path
) -> None:
    with gzip.open(data / "dated" / "page-versions-2012-2026.jsonl.gz", "rt") as file:
        made = [(row["text"], row["date"]) for row in map(json.loads, file)]
    put(lake, tmp_path / "in", made)
    indexed(lake)
    documents = rows(
        lake, "SELECT content_id, text, first_seen, first_seen_near, witness_id FROM documents ORDER BY first_seen, 1"
    )
    number = {row[0]: at for at, row in enumerate(documents)}
    true = similar_pairs([row[1] for row in documents])
    said = {
        (max(pair), min(pair)): similarity
        for later, earlier, similarity in rows(lake, "SELECT content_id, earlier_id, similarity FROM duplicates")
        for pair in [(number[later], number[earlier])]
    }
    assert said.items() <= true.items()  # no false pair, and the similarity is exact
    keys = band_keys(*sign(pa.array([row[1] for row in documents], pa.large_string())))
    for low in (0.8, 0.85, 0.9, 0.95):
        here = [
            pair for pair, similarity in true.items() if low <= similarity and (similarity < low + 0.05 or low == 0.95)
        ]
        theory = np.mean([Parameters().chance(true[pair]) for pair in here])
        assert np.mean([(keys[later] == keys[earlier]).any() for later, earlier in here]) > theory - 0.02
        # no value is in more than 64 texts, so that all that share one are compared
        assert all(pair in said for pair in here if (keys[pair[0]] == keys[pair[1]]).any())
    earliest: dict[int, int] = {}
    for later, earlier in true:
        earliest[later] = min(earlier, earliest.get(later, later))
    right = 0
    for at, (_, _, first_seen, near, witness) in enumerate(documents):
        best = documents[earliest.get(at, at)][2]
        assert best <= near <= first_seen  # never a date that no similar text has
        assert near == (documents[number[witness]][2] if witness else first_seen)
        right += near == best
    assert right / len(documents) > 0.995


def test_of_the_thousand_articles_all_true_pairs_are_found_and_no_other(data: Path, lake: Lake, tmp_path: Path) -> None:
    lines = (data / "neardup" / "articles_1000.train").read_text().splitlines()
    articles = dict(line.split(" ", 1) for line in lines)
    wanted = {
        frozenset(line.split()) for line in (data / "neardup" / "articles_1000.truth").read_text().splitlines() if line
    }
    put(lake, tmp_path / "in", [(text, "2015-01-01") for text in articles.values()])
    indexed(lake)
    names = {text: name for name, text in articles.items()}
    pairs = rows(
        lake,
        "SELECT a.text, b.text FROM duplicates AS d JOIN documents AS a USING (content_id) "
        "JOIN documents AS b ON b.content_id = d.earlier_id",
    )
    by_normal = {normalise(text): name for text, name in names.items()}
    assert {frozenset((by_normal[a], by_normal[b])) for a, b in pairs} == wanted
    assert len(wanted) == 10


def test_what_people_judged_more_similar_is_more_similar(data: Path) -> None:
    judged = defaultdict(list)
    with gzip.open(data / "neardup" / "copycat-judged-pairs.jsonl.gz", "rt") as file:
        for row in map(json.loads, file):
            left, right = (shingle_set(normalise(row[side])) for side in ("left", "right"))
            judged[row["label"]].append(jaccard(left, right))
    medians = [float(np.median(judged[label])) for label in ("0.5", "1", "2", "3")]
    assert medians == sorted(medians)
    assert medians[0] < 0.55
    assert medians[3] > 0.9
    assert sum(similarity >= 0.8 for similarity in judged["3"]) == 57  # of 70 judged to be the same
    assert sum(similarity >= 0.8 for similarity in judged["0.5"]) == 7  # of 175 judged to be different
