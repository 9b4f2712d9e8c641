"""Texts as numbers: hashed n-grams of words and letters, and the vectors of an encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import normalize

from archive.extras import require

_GRAMS, _WORDS = 1 << 18, 1 << 15
_TOKEN = r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+"


def grams(texts: Sequence[str]) -> csr_matrix:
    """Return what the classifier reads: words, pairs of words, and three or four letters in a row inside of words.

    Each of the two kinds has length 1 in each text, so that neither hides the other. What one text alone has is left
    out: no other can be recognised by it.
    """
    words = _hashed(texts, n_features=_GRAMS, ngram_range=(1, 2), token_pattern=_TOKEN)
    letters = _hashed(texts, n_features=_GRAMS, ngram_range=(3, 4), analyzer="char_wb")
    return hstack([_of(_damped(each), 2) for each in (words, letters)], format="csr", dtype=np.float32)


def words(texts: Sequence[str]) -> csr_matrix:
    """Return how often a text has each hashed word, damped."""
    return _of(_damped(_hashed(texts, n_features=_WORDS, token_pattern=_TOKEN)), 1)


def vectors(texts: Sequence[str], name: str, done: Callable[[int], None]) -> tuple[str, NDArray[np.float32]]:
    """Return the identity of an encoder, and the vector of each text: the mean of those of its windows, of length 1.

    Raises:
        ArchiveError: there is no such encoder, or it does not run.
    """
    require("archive probe --encoder", "embed", "torch", "transformers", "tokenizers")
    from index.embeddings.encode import encode
    from index.embeddings.encoder import open_encoder
    from index.embeddings.model import Model, open_device
    from index.embeddings.tokens import Tokens

    encoder = open_encoder(name)
    model = Model(encoder, open_device("auto"))
    sums = np.zeros((len(texts), encoder.dimensions), np.float32)
    start = 0
    for windows, found in encode(texts, Tokens(encoder), model, done):
        np.add.at(sums, start + np.asarray(windows.text), found)
        start += windows.texts
    return encoder.id, normalize(sums)  # a text without a token is zeros


def _hashed(texts: Sequence[str], **options: Any) -> csr_matrix:
    return HashingVectorizer(norm=None, alternate_sign=False, dtype=np.float32, **options).transform(texts)


def _of(counts: csr_matrix, texts: int) -> csr_matrix:
    """Keep the columns that so many texts have."""
    return counts[:, np.bincount(counts.indices, minlength=counts.shape[1]) >= texts]


def _damped(counts: csr_matrix) -> csr_matrix:
    counts.data = 1 + np.log(counts.data)
    return normalize(counts)
