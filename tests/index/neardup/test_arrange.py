"""Near-duplicates have one order, whether all are put in order or some are put among those that stay."""

from __future__ import annotations

import numpy as np
import pytest

from index.neardup.arrange import arranged, in_time, put_in
from index.neardup.numbered import Numbered
from index.neardup.pair_columns import counted
from index.neardup.verified import Rows


def _texts(dice: np.random.Generator, count: int) -> Numbered:
    """Make texts, many of which have the same date, and some of these the same first word of their ids."""
    ids = dice.integers(0, 1 << 64, (count, 4), np.uint64)
    ids[:, 0] >>= np.uint64(60)
    flags = np.ones(count, bool)
    order = np.lexsort((ids[:, 1], ids[:, 0]))
    return Numbered(ids, np.ones(count, np.int32), order, dice.integers(0, 5, count), flags, flags)


def _near(dice: np.random.Generator, count: int, size: int) -> Rows:
    a, b = dice.integers(0, size, (2, count))
    a, b = np.minimum(a, b)[a != b], np.maximum(a, b)[a != b]
    a, b, _ = counted(a, b, np.ones(len(a), np.int32))
    return {"a": a, "b": b, "shared": np.arange(len(a), dtype=np.int32)}


@pytest.mark.parametrize("seed", range(5))
def test_rows_are_by_the_first_of_their_cluster_then_by_the_later_and_the_earlier_text(seed: int) -> None:
    dice = np.random.default_rng(seed)
    texts, near = _texts(dice, 60), _near(dice, 40, 60)
    rows = arranged(texts, near)
    later, earlier = in_time(rows["a"], rows["b"], texts.first_seen, texts.ids)
    time = [(int(texts.first_seen[text]), *texts.ids[text, :2].tolist()) for text in range(60)]
    assert all(time[x] > time[y] for x, y in zip(later, earlier, strict=True))
    first = list(range(60))  # of the cluster of each text, by going round until nothing changes
    for _ in range(60):
        for x, y in zip(later, earlier, strict=True):
            first[x] = first[y] = min(first[x], first[y], key=lambda text: time[text])
    assert rows["root"].tolist() == [first[x] for x in later]
    places = [(time[first[x]], time[x], time[y]) for x, y in zip(later, earlier, strict=True)]
    assert places == sorted(places)
    pairs = dict(zip(zip(near["a"].tolist(), near["b"].tolist(), strict=True), near["shared"].tolist(), strict=True))
    assert pairs == dict(
        zip(zip(rows["a"].tolist(), rows["b"].tolist(), strict=True), rows["shared"].tolist(), strict=True)
    )


@pytest.mark.parametrize("seed", range(5))
def test_clusters_that_are_put_in_stand_where_they_stand_when_all_are_put_in_order(seed: int) -> None:
    dice = np.random.default_rng(seed)
    texts = _texts(dice, 400)
    whole = arranged(texts, _near(dice, 150, 400))
    for share in (0.0, 0.1, 0.5, 1.0):
        stay = (dice.random(400) >= share)[whole["root"]]
        new = arranged(texts, {name: values[~stay] for name, values in whole.items() if name != "root"})
        rows = put_in(texts, whole, stay, new)
        assert all(np.array_equal(rows[name], values) for name, values in whole.items())
