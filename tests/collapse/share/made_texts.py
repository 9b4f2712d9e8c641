"""Corpora of made-up words whose share of machine text is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from collapse.share.corpus import Corpus, Text, Vocabulary, count_words

JANUARY_2022 = 2022 * 12
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = [a + b + c for a in _LETTERS for b in _LETTERS[:6] for c in _LETTERS[:6]][:800]
#: The half of the rarer words that other topics use.
OTHER_TOPIC = np.arange(100, 800) % 2 == 1


def frequencies(style: float = 0.0, topic: int = 0, writer: int = 0) -> np.ndarray:
    """Return how probable each word is.

    Args:
        style: how far from human style, 0 to 1.
        topic: 0 or 1; they share only the most frequent words.
        writer: each machine has a style of its own.
    """
    plain = 1 / np.arange(1, len(WORDS) + 1)
    plain[100:][OTHER_TOPIC if topic == 0 else ~OTHER_TOPIC] = 0
    tilt = np.random.default_rng(1000 + writer).normal(size=len(WORDS))
    common = np.random.default_rng(999).normal(size=len(WORDS))
    weights = plain * np.exp(style * (0.75 * common + 0.35 * tilt))
    return weights / weights.sum()


HUMAN, MACHINE = frequencies(), frequencies(1.0)


def text(rng: np.random.Generator, weights: np.ndarray, words: int) -> str:
    return " ".join(WORDS[number] for number in rng.choice(len(WORDS), size=words, p=weights))


def texts(
    shares: dict[int, float],
    each: int,
    seed: int = 0,
    *,
    hosts: int | None = None,
    words: Callable[[int], int] = lambda _: 80,
    human: Callable[[int], np.ndarray] = lambda _: HUMAN,
    machine: np.ndarray = MACHINE,
    stratum: str = "en/article",
) -> list[Text]:
    """Return texts by month, of which exactly a share (rounded) is by a machine."""
    rng = np.random.default_rng(seed)
    made = []
    for month, share in shares.items():
        for number in range(each):
            weights = machine if number < round(share * each) else human(month)
            host = f"{stratum}{month}.{number}" if hosts is None else f"h{rng.integers(hosts)}"
            made.append(Text(text(rng, weights, words(month)), month, stratum, host))
    return made


def counted(made: Sequence[Text], vocabulary: Vocabulary | None = None) -> Corpus:
    return count_words(made, vocabulary if vocabulary is not None else Vocabulary())


def months(before: int = 8, after: int = 0) -> list[int]:
    """Return the months of so many half-years before January 2022, and so many months after."""
    return [JANUARY_2022 - 6 * (before - number) for number in range(before)] + [JANUARY_2022 + n for n in range(after)]
