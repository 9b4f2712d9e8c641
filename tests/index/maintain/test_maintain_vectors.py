"""`archive maintain` and vectors: those of forgotten texts go from every file, and searches find what they found."""

from __future__ import annotations

from pathlib import Path

from made_vectors import ENCODER, add, groups, names
from test_maintain import _holding, many, multiset, own_home  # noqa: F401

import lowbackground as lb
from archive.intake.decisions import FORGOTTEN, LEDGER
from archive.lake import Lake
from archive.tables import SOURCES
from index.topics.run import update
from index.vectors import likeness, open_vectors
from index.vectors.files import listed
from index.vectors.upkeep import build


def forget(lake: Lake, texts: list[str]) -> None:
    """Take texts out as a decision of the ledger does."""
    lake.delta("documents").delete(f"content_id IN ({', '.join(map(repr, texts))})")
    ledger = lake.delta("sources")
    count = (ledger.transaction_version(FORGOTTEN) or 0) + 1
    assert lake.commit_to(ledger, SOURCES, [], {FORGOTTEN: count, LEDGER: 1})


def _bytes_of_vectors(lake: Lake) -> bytes:
    return b"".join(path.read_bytes() for path in Path(lake.location, "vectors").rglob("*") if path.is_file())


def test_nothing_of_forgotten_vectors_is_left_and_searches_go_on(lake: Lake, many: None) -> None:  # noqa: F811
    for seed in range(4):
        add(lake, names(30, seed), groups(30, seed=seed, around=4))
    build(lake)
    likeness.propose(lake, 0.5)
    update(lake, topics=3)
    gone = names(30, 0)[:5]
    forget(lake, gone)
    holding = {"embeddings", "likenesses", "text_topics"}
    ids = [bytes.fromhex(name)[:8][::-1] for name in gone]  # as `index.ids` has them in memory
    assert all(each in _bytes_of_vectors(lake) for each in ids)
    assert _holding(lake, set(gone)) >= holding
    opened, question = open_vectors(lake), groups(1, seed=9)[0]
    before = opened.search(question, 200)
    assert len(before) == 115
    pairs = multiset(lake, "likenesses")
    done = lb.maintain(lake, keep="0").done
    swept = {step.of: step.rows for step in done if step.step == "sweep"}
    assert set(swept) == holding
    assert (swept["embeddings"], swept["text_topics"]) == (5, 5)
    assert {step.step for step in done if step.of == "embeddings"} == {"sweep", "merge", "vacuum"}
    assert _holding(lake, set(gone)) == set()
    assert not any(each in _bytes_of_vectors(lake) for each in ids)
    assert len(listed(lake, ENCODER)) == 1
    assert open_vectors(lake).search(question, 200) == before
    assert opened.search(question, 200) == before, "who searched goes on"
    assert [row for row in pairs if not {row[0], row[1]} & set(gone)] == multiset(lake, "likenesses")
    add(lake, gone, groups(30, seed=0, around=4)[:5])
    build(lake)
    likeness.propose(lake, 0.5)
    again = {(row[0], row[1]) for row in multiset(lake, "likenesses")}
    assert again >= {(row[0], row[1]) for row in pairs}, "pairs of what comes again are found again"


def test_a_pair_stays_while_its_texts_have_vectors(lake: Lake) -> None:
    from index.maintain import kinds, sweep

    add(lake, names(20, 0), groups(20, seed=0, around=2))
    build(lake)
    likeness.propose(lake, 0.5)
    before = multiset(lake, "likenesses")
    forget(lake, names(20, 0)[:3])
    (kind,) = [kind for kind in kinds.present(lake, True) if kind.table.name == "likenesses"]
    texts = sweep.forgotten(lake, [kind])
    assert sweep.sweep(lake, kind, texts).commits == 0
    assert multiset(lake, "likenesses") == before
