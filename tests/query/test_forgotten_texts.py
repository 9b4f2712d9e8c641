"""What is computed from a text outlives it, and names it nowhere once its source was forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import rows
from made import edited, put, words
from tiny_encoder import write_encoder

import lowbackground as lb
import query
from archive.lake import Lake
from archive.text.normalise import content_id
from index.embeddings.stage import opened

TEXTS = [words(120, seed) for seed in range(4)]
COPY = edited(TEXTS[0], 2, 7)
GONE, KEPT = " ".join(TEXTS[0]), " ".join(COPY)
OTHERS = [" ".join(each) for each in TEXTS[1:]]
#: The columns with content ids.
COLUMNS = {
    "documents": "content_id, coalesce(witness_id, content_id), coalesce(cluster_id, content_id)",
    "captures": "content_id",
    "duplicates": "content_id, earlier_id",
    "clusters": "content_id, cluster_id",
    "embeddings": "content_id",
    "likenesses": "a, b",
    "quality": "content_id",
    "text_topics": "content_id",
}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield write_encoder(tmp_path_factory.mktemp("encoders") / "tiny")
    opened.cache_clear()


def compute(lake: Lake, encoder: Path) -> lb.EmbedResult:
    options: dict[str, Any] = {"device": "cpu", "dtype": "fp32", "workers": 1}
    result = lb.embed(lake, encoder=str(encoder), **options)
    lb.index(lake, workers=1, passages=True, alike=0.01)
    return result


def named(lake: Lake, encoder: Path) -> dict[str, set[str]]:
    """The content ids that each kind of result names."""
    vectors = lb.open_vectors(lake, model=encoder)
    with lb.Lookup(lake, encoder=encoder) as lookup, lb.PassageIndex(lake) as passages:
        answers = [lookup.text(text, k=9, least_cosine=-1) for text in (GONE, KEPT)]
        quotes = [each for text in (GONE, KEPT) for each in passages.find(text).quotes]
    examples = {each.content_id for topic in lb.topics(lake).topics for each in topic.examples}
    with query.connect(lake) as db:
        tables = {table: {value for row in db.execute(f"SELECT {columns} FROM {table}").fetchall() for value in row}
                  for table, columns in COLUMNS.items()}  # fmt: skip
    return {
        "search": {hit.content_id for hit in vectors.search(GONE, 9)},
        "search before": {hit.content_id for hit in vectors.search(GONE, 9, before="2024-01-01")},
        "lookup": {
            each.content_id
            for found in answers
            for each in (*([found.exact] if found.exact else []), *found.near, *found.quote, *found.alike)
        },
        "passages": {each.content_id for each in quotes},
        "topics": examples,
        **tables,
    }


def test_no_result_names_a_text_that_was_forgotten(lake: Lake, encoder: Path, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(GONE, "2013-01-01")])
    put(lake, tmp_path / "in", [(KEPT, "2014-01-01"), *((text, "2015-01-01") for text in OTHERS)])
    compute(lake, encoder)
    lb.quality(lake, workers=1)
    gone, held = content_id(GONE), {content_id(text) for text in (KEPT, *OTHERS)}
    before = named(lake, encoder)
    assert all(gone in ids for ids in before.values()), {name for name, ids in before.items() if gone not in ids}

    lb.forget(lake, str(tmp_path / "in" / "0.warc"))
    after = named(lake, encoder)
    assert not {name for name, ids in after.items() if not ids <= held}
    assert after["search"] == after["search before"] == after["embeddings"] == held
    with lb.Lookup(lake, encoder=encoder) as lookup:
        assert not [note for note in lookup.text(GONE).notes if "this text" in note]

    again = compute(lake, encoder)
    assert (again.embedded, again.searchable > 0) == (0, True)
    assert not {name for name, ids in named(lake, encoder).items() if not ids <= held}
    assert rows(lake, "SELECT * FROM duplicates") == []

    put(lake, tmp_path / "in", [(GONE, "2016-01-01")])  # it comes in again, later
    compute(lake, encoder)
    back = named(lake, encoder)
    assert all(gone in ids for name, ids in back.items() if name != "quality")
    assert rows(lake, "SELECT content_id, earlier_id FROM duplicates") == [(gone, content_id(KEPT))]
