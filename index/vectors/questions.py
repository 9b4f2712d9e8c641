"""Computes the vectors of texts that somebody searches for."""

from __future__ import annotations

import threading

import numpy as np

from index.embeddings.encode import encode
from index.embeddings.encoder import Encoder
from index.embeddings.model import Model, threads
from index.embeddings.tokens import Tokens
from index.vectors.files import Matrix

#: How many threads PyTorch has is a setting of the process, so all objects compute one after the other.
_COMPUTING = threading.Lock()


class Questions:
    """A loaded encoder. Any number of threads may use it."""

    def __init__(self, encoder: Encoder) -> None:
        self._tokens, self._model = Tokens(encoder), Model(encoder, "cpu")
        self._dimensions = encoder.dimensions

    def vectors(self, text: str) -> Matrix:
        """Return the vectors of the windows of a text: (windows, dimensions)."""
        text = text.encode("utf-8", "replace").decode()  # half of a surrogate pair is a question mark
        # a text has a few windows, of which several threads would mostly wait for each other
        with _COMPUTING, threads(1):
            parts = [vectors for _, vectors in encode([text], self._tokens, self._model)]
        return np.concatenate(parts) if parts else np.empty((0, self._dimensions), np.float32)
