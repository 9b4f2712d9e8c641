"""Which blocks of a set are trained on, and which are other real text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")

from collapse.recipe import Recipe
from collapse.run.blocks import Data, _cut, needed

BLOCK = 8


def blocks_of(lengths: list[int]) -> tuple[Data, Any]:
    """Return blocks of documents whose tokens are the number of the document."""
    real, ends = _cut([np.full(length, number, np.int32) for number, length in enumerate(lengths)], BLOCK)
    nothing: Any = np.empty(0)
    return Data(nothing, real, ends, nothing, nothing, nothing, [], [], None, 0, nothing), ends


def recipe(blocks: int, *regimes: str, generations: int = 1) -> Recipe:
    return Recipe(block=BLOCK, prompt=4, blocks=blocks, generations=generations, regimes=("real", *regimes))


@given(st.lists(st.integers(1, 60), min_size=1, max_size=60))
def test_a_block_begins_and_ends_in_the_documents_that_it_is_said_to(lengths: list[int]) -> None:
    data, ends = blocks_of(lengths)
    assert len(data.real) == sum(lengths) // BLOCK
    assert np.array_equal(ends, data.real[:, [0, -1]])


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 60), min_size=40, max_size=80),
    st.integers(1, 12),
    st.sampled_from([(), ("fresh",)]),
    st.integers(0, 9),
)
def test_other_real_text_is_of_documents_of_which_generation_0_saw_nothing(
    lengths: list[int], blocks: int, regimes: tuple[str, ...], seed: int
) -> None:
    data, _ = blocks_of(lengths)
    wanted = recipe(blocks, *regimes, generations=2)
    if len(data.real) < needed(wanted) + 2 * (60 // BLOCK + 2):  # the documents at the two seams
        return
    pools = data.drawn(wanted, seed)
    assert len(pools["real"]) == len(pools["unseen"]) == blocks
    assert len(pools["other"]) == (2 * blocks if regimes else 0)
    seen = set(pools["real"].ravel().tolist())
    assert not seen & set(pools["unseen"].ravel().tolist())
    assert not seen & set(pools["other"].ravel().tolist())


def test_of_a_single_document_other_blocks_are_taken() -> None:
    data, _ = blocks_of([BLOCK * 24])
    data.real[:, 0] = np.arange(24)
    pools = data.drawn(recipe(12), 0)
    assert sorted(np.concatenate([pools["real"], pools["unseen"]])[:, 0].tolist()) == list(range(24))
