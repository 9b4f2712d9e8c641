"""Which blocks each generation of each regime is trained on, and how regimes are named."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.errors import CollapseError
from collapse.regimes import KINDS, OTHER, REAL, SUSPECT, Regime

BLOCKS = 40


def pieces(name: str, generation: int, blocks: int = BLOCKS, seed: int = 0) -> dict[str, list[int]]:
    """Return the set of a generation: pool -> numbers of its blocks."""
    made = Regime.parse(name).pieces(generation, blocks, np.random.default_rng((seed, generation)))
    assert len({piece.pool for piece in made}) == len(made)
    return {piece.pool: piece.indexes.tolist() for piece in made}


def size(name: str, generation: int, blocks: int = BLOCKS) -> int:
    return sum(len(indexes) for indexes in pieces(name, generation, blocks).values())


EVERYTHING = list(range(BLOCKS))


@pytest.mark.parametrize("generation", [1, 2, 5])
def test_replace_takes_all_that_the_generation_before_wrote_and_nothing_else(generation: int) -> None:
    assert pieces("replace", generation) == {f"written-{generation - 1}": EVERYTHING}


@pytest.mark.parametrize("generation", [1, 2, 5])
def test_real_takes_the_set_of_generation_0(generation: int) -> None:
    assert pieces("real", generation) == {REAL: EVERYTHING}


@pytest.mark.parametrize("generation", [1, 2, 5])
def test_accumulate_takes_the_real_text_and_all_that_was_written(generation: int) -> None:
    made = pieces("accumulate", generation)
    assert made == {REAL: EVERYTHING} | {f"written-{before}": EVERYTHING for before in range(generation)}


def test_fresh_text_is_never_that_of_generation_0_and_never_comes_again() -> None:
    regime, generations = Regime.parse("fresh"), 4
    seen: list[int] = []
    for generation in range(1, generations + 1):
        made = pieces("fresh", generation)
        assert list(made) == [OTHER]
        seen += made[OTHER]
    assert sorted(seen) == list(range(regime.other_blocks(generations, BLOCKS)))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("generation", [1, 3])
def test_mix_takes_the_share_of_real_text_and_the_rest_of_what_the_generation_before_wrote(
    share: float, generation: int
) -> None:
    made = pieces(f"mix:{share}", generation)
    assert set(made) == {REAL, f"written-{generation - 1}"}
    assert len(made[REAL]) == round(share * BLOCKS)
    assert len(made[f"written-{generation - 1}"]) == BLOCKS - round(share * BLOCKS)


@pytest.mark.parametrize("dose", [0.0, 0.001, 0.1, 1.0])
def test_a_suspect_set_makes_up_its_dose_of_one_generation(dose: float) -> None:
    made = pieces(f"suspect:{dose}", 1, 1000)
    assert set(made) == {SUSPECT, REAL}
    assert len(made[SUSPECT]) == round(dose * 1000)
    assert len(made[REAL]) == 1000 - round(dose * 1000)
    assert Regime.parse(f"suspect:{dose}").generations(7) == 1


def test_a_subsample_is_drawn_evenly_out_of_all_that_there_is() -> None:
    generation, blocks = 3, 2000
    made = pieces("accumulate-subsample", generation, blocks)
    assert set(made) == {REAL, "written-0", "written-1", "written-2"}
    counts = [len(indexes) for indexes in made.values()]
    assert sum(counts) == blocks
    expected = blocks / (generation + 1)
    assert all(abs(count - expected) < 5 * np.sqrt(expected) for count in counts)


@given(
    st.sampled_from(sorted(KINDS)),
    st.floats(0, 1, allow_subnormal=False),
    st.integers(1, 4),
    st.integers(1, 60),
    st.integers(0, 9),
)
def test_a_set_has_the_size_that_is_told_and_no_block_twice(
    kind: str, share: float, generation: int, blocks: int, seed: int
) -> None:
    regime = Regime(kind, share if kind in ("mix", "suspect") else None)
    made = regime.pieces(generation, blocks, np.random.default_rng(seed))
    assert sum(len(piece.indexes) for piece in made) == regime.blocks(generation, blocks)
    for piece in made:
        assert len(set(piece.indexes.tolist())) == len(piece.indexes)
        most = regime.other_blocks(generation, blocks) if piece.pool == OTHER else blocks
        assert all(0 <= index < most for index in piece.indexes)


def test_only_accumulate_grows() -> None:
    sizes = {kind: [size(kind + ":0.5" * (kind in ("mix", "suspect")), g) for g in (1, 2, 3)] for kind in KINDS}
    assert sizes.pop("accumulate") == [2 * BLOCKS, 3 * BLOCKS, 4 * BLOCKS]
    assert set(map(tuple, sizes.values())) == {(BLOCKS, BLOCKS, BLOCKS)}


@pytest.mark.parametrize("name", ["mix:0.5", "accumulate-subsample", "suspect:0.3"])
def test_what_is_drawn_depends_on_the_seed_alone(name: str) -> None:
    assert pieces(name, 1) == pieces(name, 1)
    assert pieces(name, 1) != pieces(name, 1, seed=1)


def test_arms_write_where_what_they_write_is_looked_at() -> None:
    silent = {kind for kind in KINDS if not Regime.parse(kind + ":0.5" * (kind in ("mix", "suspect"))).writes}
    assert silent == {"fresh", "suspect"}


@pytest.mark.parametrize(
    ("text", "name"),
    [("mix:0.10", "mix:0.1"), ("mix:.1", "mix:0.1"), ("mix:1e-1", "mix:0.1"), ("suspect:1", "suspect:1"),
     ("suspect:1.0", "suspect:1"), ("mix:-0", "mix:0"), ("mix:0.1234567", "mix:0.1234567"), ("real", "real")],
)  # fmt: skip
def test_a_regime_has_one_name_however_it_is_written(text: str, name: str) -> None:
    assert str(Regime.parse(text)) == name
    assert Regime.parse(name) == Regime.parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("replce", "regime replce: there are replace, mix"),
        ("", "there are replace"),
        ("mix", "write it as mix:0.1, say"),
        ("mix:", "write it as mix:0.1, say"),
        ("mix:half", "write it as mix:0.1, say"),
        ("suspect", "write it as suspect:0.1, say"),
        ("mix:1.1", "from 0 to 1"),
        ("mix:-0.1", "from 0 to 1"),
        ("mix:nan", "from 0 to 1"),
        ("suspect:inf", "from 0 to 1"),
        ("replace:0.1", "replace takes no value"),
        ("real:", "real takes no value"),
    ],
)
def test_a_name_or_a_share_that_there_is_not_is_told_in_one_line(text: str, says: str) -> None:
    with pytest.raises(CollapseError, match=re.escape(says)) as caught:
        Regime.parse(text)
    assert "\n" not in str(caught.value)
