"""Near vectors propose pairs to the index. Only the similarity of the texts makes near-duplicates of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import rows
from made import Dated, edited, found, put, words
from made_vectors import add, groups

from archive.errors import LakeError
from archive.lake import Lake
from index.minhash.procedure import Parameters
from index.neardup import index
from index.vectors.upkeep import build
from query import clean
from query.sql import VIEWS


@pytest.fixture
def alike(lake: Lake, tmp_path: Path) -> Lake:
    """Ten texts of 2010; copies of 2015 with 3 of 150 words changed (.82); rewritten ones; vectors say all are alike."""
    old = [words(150, seed) for seed in range(10)]
    texts: list[Dated] = [(" ".join(text), "2010-01-01") for text in old]
    texts += [(" ".join(edited(text, 3, 50 + seed)), "2015-01-01") for seed, text in enumerate(old)]
    texts += [(" ".join(words(150, 100 + seed)), "2018-01-01") for seed in range(10)]
    put(lake, tmp_path / "in", texts)
    ids = dict(rows(lake, "SELECT text, content_id FROM documents"))
    centres = groups(10, around=10**6)
    vectors = np.concatenate([centres, centres + 0.01, centres - 0.01])
    add(lake, [ids[text] for text, _ in texts], vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    build(lake, workers=1)
    return lake


def few_bands(lake: Lake, **options: float) -> object:
    """An index whose bands find few pairs at .8."""
    return index(lake, workers=1, bands=2, rows=16, **options)  # type: ignore[arg-type]


def test_vectors_propose_pairs_that_bands_miss_and_the_similarity_decides(alike: Lake) -> None:
    few_bands(alike)
    before = found(alike)
    result = index(alike, workers=1, alike=0.9)
    assert result.alike == 30  # each of three with the two others
    after = found(alike)
    assert len(after["duplicates"]) == 10 > len(before["duplicates"])
    threshold = Parameters().threshold
    assert all(similarity >= threshold for _, _, similarity, *_ in after["duplicates"])
    years = rows(alike, "SELECT year(d.first_seen), year(e.first_seen) FROM duplicates JOIN documents d USING (content_id) "
                        "JOIN documents e ON e.content_id = earlier_id")  # fmt: skip
    assert years == [(2015, 2010)] * 10
    again = index(alike, workers=1, alike=0.9)
    assert (again.alike, again.verified) == (0, 0)
    assert found(alike) == after
    index(alike, workers=1)  # what was proposed stays proposed
    assert found(alike) == after


def test_no_date_and_no_clean_set_depends_on_likenesses(alike: Lake) -> None:
    index(alike, workers=1, alike=0.9)
    questions = (
        "SELECT content_id, first_seen FROM clean('2016-01-01') ORDER BY 1",
        "SELECT content_id, first_seen FROM clean('2019-01-01', near := true) ORDER BY 1",
        "SELECT content_id, first_seen, first_seen_near, witness_id FROM documents ORDER BY 1",
    )
    before = [rows(alike, sql) for sql in questions]
    assert rows(alike, "SELECT count(*) FROM likenesses") == [(20,)]  # the rewritten ones: alike, and not near
    assert rows(alike, "SELECT min(cosine) >= .99, count(DISTINCT least(a, b) || greatest(a, b)) FROM likenesses") == [
        (True, 20)
    ]
    assert index(alike, workers=1, alike=-1.0).alike > 100  # whatever is proposed
    assert [rows(alike, sql) for sql in questions] == before
    readers = [view.name for view in VIEWS if "likenesses" in view.select]
    assert readers == ["likenesses"]
    assert not any("likenesses" in macro for macro in clean.MACROS)


def test_without_vectors_it_says_what_to_do(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [("a text", "2015-01-01")])
    with pytest.raises(LakeError, match="has no vectors yet; `archive embed"):
        index(lake, workers=1, alike=0.9)
