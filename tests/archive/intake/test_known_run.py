"""A run answers as a set does, touches few pages, and gives no answer from a page that is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.intake import known_run
from archive.intake.known_run import Damaged, Fingerprints, Run, write_run


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_run, "_PAGE", 8)
    monkeypatch.setattr(known_run, "_AT_ONCE", 16)


def _pairs(texts: list[tuple[int, int]]) -> Fingerprints:
    texts = sorted(texts)
    high, low = (np.array([text[which] for text in texts], np.uint64) for which in (0, 1))
    return high, low


def _parts(pairs: Fingerprints, size: int) -> Iterator[Fingerprints]:
    for first in range(0, len(pairs[0]), size):
        yield pairs[0][first : first + size], pairs[1][first : first + size]


def _spread(count: int, seed: int = 1) -> Fingerprints:
    dice = np.random.default_rng(seed)
    high, low = (dice.integers(0, 1 << 64, count, np.uint64, endpoint=False) for _ in range(2))
    return np.sort(high), low


_WORD = st.sampled_from([0, 1, 2, 1 << 60, (1 << 63) + 5, (1 << 64) - 1]) | st.integers(0, (1 << 64) - 1)
_TEXTS = st.sets(st.tuples(_WORD, st.integers(0, 20)), min_size=1, max_size=60)


@pytest.mark.usefixtures("small_pages")
@given(here=_TEXTS, others=_TEXTS, size=st.integers(1, 30))
def test_a_run_answers_as_a_set(
    tmp_path_factory: pytest.TempPathFactory, here: set[tuple[int, int]], others: set[tuple[int, int]], size: int
) -> None:
    path = tmp_path_factory.mktemp("run") / "run"
    pairs = _pairs(list(here))
    written = write_run(path, len(here), _parts(pairs, size))
    asked = sorted(here | others)
    for run in (written, Run(path, len(here), written.sum_of_sums)):
        assert run.has(*_pairs(asked)).tolist() == [text in here for text in asked]
        assert all((one == two).all() for one, two in zip(run.part(0, len(here)), pairs, strict=True))
        for word in {high for high, _ in asked}:
            at = run.position(word)
            assert at == sum(high < word for high, _ in here)
            assert [words.tolist() for words in run.part(at // 2, at)] == [
                words[at // 2 : at].tolist() for words in pairs
            ]


@pytest.mark.usefixtures("small_pages")
def test_of_a_run_with_a_flipped_bit_no_answer_is_wrong(tmp_path: Path) -> None:
    pairs, others = _spread(200), _spread(200, seed=2)
    written = write_run(tmp_path / "run", 200, [pairs])
    data = (tmp_path / "run").read_bytes()
    refused = 0
    for at in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[at] ^= 1 << at % 8
        (tmp_path / "run").write_bytes(damaged)
        try:
            run = Run(tmp_path / "run", 200, written.sum_of_sums)
            assert run.has(*pairs).all(), at
            assert not run.has(*others).any(), at
            run.part(0, 200)
        except Damaged:
            refused += 1
    assert refused >= len(range(0, len(data), 7)) * 0.9, "what nobody looked at may be damaged"


def test_a_look_up_checks_the_pages_that_it_touches_and_no_others(tmp_path: Path) -> None:
    pairs = _spread(300_000)
    written = write_run(tmp_path / "run", 300_000, _parts(pairs, 10_000))
    run = Run(tmp_path / "run", 300_000, written.sum_of_sums)
    assert not run._is_checked.any()
    assert run.has(*(words[:: 300_000 // 50] for words in pairs)).all()
    assert 50 <= run._is_checked.sum() <= 3 * 50
    assert not run.has(*_spread(300, seed=2)).any()
    pages = run._is_checked[: 300_000 // 128].sum()
    assert pages < 50 + 300 * 0.3, "the filter spares most of them the page"


def test_a_run_that_is_longer_or_shorter_than_written_is_refused(tmp_path: Path) -> None:
    written = write_run(tmp_path / "run", 1000, [_spread(1000)])
    data = (tmp_path / "run").read_bytes()
    for wrong in (data[:-1], data + b"0", b"0"):
        (tmp_path / "run").write_bytes(wrong)
        with pytest.raises(Damaged, match="another length"):
            Run(tmp_path / "run", 1000, written.sum_of_sums)
