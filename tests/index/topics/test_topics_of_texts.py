"""Topics are a function of the texts: order, batches, kills and company change nothing. Later texts get the nearest."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_vectors import ENCODER, Matrix, add, groups, names

from archive.errors import ArchiveError, LakeError
from archive.lake import Lake
from archive.tables import DOCUMENTS
from index import ids
from index.topics import run, train
from index.topics.run import update
from index.topics.vectors import matrix_of, nearest, texts_with_vectors, unit

TEXTS, IDS = groups(400, around=8), names(400)


def kept(lake: Lake) -> tuple[Any, Any]:
    """All that the tables have, sorted."""
    topics = lake.read("topics").sort_by("topic").to_pylist()
    texts = lake.read("text_topics").sort_by([("version", "ascending"), ("content_id", "ascending")]).to_pylist()
    return topics, texts


def filled(folder: Path, parts: Sequence[np.ndarray]) -> Lake:
    lake = Lake(str(folder))
    for part in parts:
        add(lake, [IDS[at] for at in part], TEXTS[part])
    return lake


def test_the_same_texts_give_the_same_topics_in_whatever_order_and_batches(tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(400)
    one = filled(tmp_path / "one", [np.arange(400)])
    other = filled(tmp_path / "other", [order[:7], order[7:150], order[150:]])
    assert update(one, topics=8).is_new
    update(other, topics=8)
    assert kept(one) == kept(other)
    assert len(kept(one)[1]) == 400


def test_a_topic_has_the_texts_of_one_group(lake: Lake) -> None:
    add(lake, IDS, TEXTS)
    update(lake, topics=8)
    table = lake.read("text_topics", ["content_id", "topic"]).to_pydict()
    of = dict(zip(table["content_id"], table["topic"], strict=True))
    centres = np.random.default_rng(99).standard_normal((8, 16))
    group = (TEXTS @ unit(centres.astype(np.float32)).T).argmax(1)
    pairs = {(int(number), of[name]) for name, number in zip(IDS, group, strict=True)}
    assert sum(1 for _ in pairs) <= 12  # nearly one to one: the groups overlap a little
    sizes = np.bincount([of[name] for name in IDS])[1:]
    assert sizes[0] == sizes.max()  # the largest first


def test_later_texts_get_the_nearest_topic_and_earlier_ones_keep_theirs(lake: Lake) -> None:
    add(lake, IDS[:300], TEXTS[:300])
    assert (first := update(lake, topics=8)).assigned == 300
    topics, texts = kept(lake)
    assert update(lake).assigned == 0
    add(lake, IDS[300:], TEXTS[300:])
    later = update(lake)
    assert (first.is_new, later.is_new, later.assigned, later.topics) == (True, False, 100, 8)
    after_topics, after = kept(lake)
    assert after_topics == topics
    assert [row for row in after if row["content_id"] in set(IDS[:300])] == texts
    centres = np.array([row["vector"] for row in topics], np.float32)
    own = {name: 1 + int(number) for name, number in zip(IDS[300:], (TEXTS[300:] @ centres.T).argmax(1), strict=True)}
    assert {row["content_id"]: row["topic"] for row in after if row["content_id"] in own} == own


def test_new_topics_are_made_only_where_one_asks(lake: Lake) -> None:
    add(lake, IDS, TEXTS)
    update(lake, topics=8)
    with pytest.raises(ArchiveError, match="8 were asked for; --again makes 5"):
        update(lake, topics=5)
    again = update(lake, topics=5, again=True)
    assert (again.is_new, again.assigned, again.topics) == (True, 400, 5)
    assert {row["topic"] for row in kept(lake)[0]} == {1, 2, 3, 4, 5}
    update(lake, topics=4, again=True)
    versions = set(lake.read("text_topics", ["version"])["version"].to_pylist())
    assert len(versions) == 2  # the rows of the topics before stay for those who have opened them, older ones do not
    update(lake, topics=4, again=True)
    assert len(lake.read("topics")) == 4


def test_the_vector_of_a_text_is_the_mean_of_its_windows_wherever_row_groups_end(lake: Lake) -> None:
    windows = groups(1200, seed=3)
    of = np.sort(np.random.default_rng(0).integers(200, size=1200))
    texts = names(200)
    parts = [int(at - np.searchsorted(of, each)) for at, each in enumerate(of)]
    add(lake, [texts[each] for each in of], windows, parts)  # in row groups of 512
    wanted = texts_with_vectors(lake, ENCODER)
    found = dict(zip(ids.text(wanted).to_pylist(), matrix_of(lake, ENCODER, wanted), strict=True))
    assert len(found) == len(np.unique(of))
    for each in np.unique(of):
        mean = unit(unit(windows[of == each]).mean(0, keepdims=True))[0]
        np.testing.assert_allclose(found[texts[each]], mean, atol=1e-6)


def test_the_nearest_centre_does_not_depend_on_the_block() -> None:
    centres = unit(groups(40, 64, around=30))
    centres[20:] = centres[:20]  # equally near: the first one counts
    vectors = unit(groups(3000, 64, seed=1) + 0)
    one, similar = nearest(vectors, centres)
    for block in (1, 7, 1000):
        other, also = nearest(vectors[:500], centres, block)
        assert (other == one[:500]).all()
        assert (also == similar[:500]).all()
    assert one.max() < 20


def test_a_text_that_the_lake_no_longer_holds_has_no_topic(lake: Lake) -> None:
    add(lake, IDS, TEXTS)
    lake.delta(DOCUMENTS.name).delete(f"content_id = '{IDS[0]}'")
    assert update(lake).assigned == 399
    assert IDS[0] not in lake.read("text_topics")["content_id"].to_pylist()


def test_without_vectors_it_names_the_command_that_makes_them(lake: Lake) -> None:
    lake.create()
    with pytest.raises(LakeError, match="has no vectors yet; `archive embed"):
        update(lake)


def test_more_topics_than_texts_are_refused_and_equal_texts_are_one(lake: Lake) -> None:
    same: Matrix = np.repeat(TEXTS[:1], 5, 0)
    add(lake, IDS[:5], same)
    with pytest.raises(ArchiveError, match="6 topics: 5 texts have vectors, so there may be 1 to 5"):
        update(lake, topics=6)
    assert update(lake, topics=3).topics == 1
    assert not update(lake, topics=3).is_new  # the same command again


def test_without_pytorch_faiss_finds_the_groups(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    add(lake, IDS, TEXTS)
    monkeypatch.setattr(train, "is_installed", lambda name: name != "torch")
    assert update(lake, topics=8).topics == 8
    monkeypatch.setattr(train, "is_installed", lambda _: False)
    assert update(lake).assigned == 0  # what is there needs neither
    with pytest.raises(ArchiveError, match="needs PyTorch or FAISS"):
        update(lake, again=True)


@pytest.mark.parametrize("again", [False, True])
def test_two_at_once_and_a_kill_in_between_leave_what_one_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    alone, lake = (filled(tmp_path / name, [np.arange(400)]) for name in ("alone", "lake"))
    if again:
        for each in (alone, lake):
            update(each, topics=3)
    update(alone, topics=6, again=again)
    whole = run._replace
    with monkeypatch.context() as patch:  # killed after the texts are written
        patch.setattr(run, "_replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            update(lake, topics=6, again=again)
    assert len(lake.read("topics")) == (3 if again else 0)  # nobody sees it
    barrier = threading.Barrier(2, timeout=60)
    met: list[bool] = []

    def at_once(*args: Any) -> bool:
        if len(met) < 2:  # both have made topics, and only then one may commit them
            met.append(True)
            barrier.wait()
        return whole(*args)

    monkeypatch.setattr(run, "_replace", at_once)
    done: list[int] = []
    runs = [
        threading.Thread(target=lambda: done.append(update(Lake(lake.location), topics=6, again=again).topics))
        for _ in range(2)
    ]
    for each in runs:
        each.start()
    for each in runs:
        each.join()
    assert done == [6, 6]
    topics, texts = kept(lake)
    version = topics[0]["version"]
    assert (topics, [row for row in texts if row["version"] == version]) == (
        kept(alone)[0],
        [row for row in kept(alone)[1] if row["version"] == version],
    )
