"""Texts in, windows and their vectors out: rounds of some thousand texts, tokenized ahead by a thread."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np

from archive.errors import ArchiveError
from index.embeddings.model import Model, Vectors, kind
from index.embeddings.tokens import Tokens, Windows

#: Most texts of a round, and most characters of them that are read. Windows are sorted by length inside a round.
_TEXTS = {"cpu": 1 << 12, "cuda": 1 << 15}
_CHARACTERS = {"cpu": 1 << 23, "cuda": 1 << 26}

Item = TypeVar("Item")
Result = TypeVar("Result")


def encode(
    texts: Iterable[str], tokens: Tokens, model: Model, done: Callable[[int], None] | None = None
) -> Iterator[tuple[Windows, Vectors]]:
    """Yield the windows of texts and the vectors of these, some thousand texts at a time.

    A thread cuts the next texts into windows while the model computes.

    Args:
        done: is called after each batch with the number of texts, by their tokens, since the last call.

    Raises:
        ArchiveError: the memory of the device does not suffice, or the model gives no numbers that can be stored.
    """
    where = kind(model.device)
    if where == "cuda":  # one process tokenizes for the GPU, so it has all cores
        os.environ["TOKENIZERS_PARALLELISM"] = "true"
    parts = rounds(texts, _TEXTS[where], _CHARACTERS[where], tokens.reach)
    for windows in ahead(tokens.windows, parts):
        yield windows, rounded(model.vectors(windows, _texts_of(windows, done) if done else None), model)
        if done and not len(windows):
            done(windows.texts)


def _texts_of(windows: Windows, done: Callable[[int], None]) -> Callable[[int], None]:
    """Return a function that takes the windows that are computed, in tokens, and reports them as texts."""
    total, tokens, reported = int(windows.lengths.sum()), 0, 0

    def computed(count: int) -> None:
        nonlocal tokens, reported
        tokens += count
        texts = windows.texts * tokens // total
        done(texts - reported)
        reported = texts

    return computed


def rounds(texts: Iterable[str], most: int, characters: int, reach: int) -> Iterator[list[str]]:
    """Yield some texts at a time: at most so many, and about so many characters, of each text as many as are read."""
    taken: list[str] = []
    size = 0
    for text in texts:
        taken.append(text if len(text) <= reach + 1 else text[: reach + 1])
        size += len(taken[-1])
        if len(taken) == most or size >= characters:
            yield taken
            taken, size = [], 0
    if taken:
        yield taken


def rounded(vectors: Vectors, model: Model) -> Vectors:
    """Return vectors as they are stored: in the numbers that 16 bits can express.

    Raises:
        ArchiveError: they are too large for that, or no numbers.
    """
    with np.errstate(over="ignore"):
        out = vectors.astype(np.float16).astype(np.float32)
    if not np.isfinite(out).all():
        what = "no numbers (NaN)" if np.isnan(vectors).any() else "numbers too large for 16 bits; try --normalize"
        raise ArchiveError(f"{model.encoder.name} gives vectors with {what}")
    return out


def ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield what a function returns for each item; a thread calls it for the next item meanwhile."""
    line: queue.Queue[tuple[bool, Any]] = queue.Queue(1)
    stopped = threading.Event()

    def put(done: bool, value: Any) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                line.put((done, value), timeout=0.1)
                return

    def work() -> None:
        try:
            for item in items:
                put(False, function(item))
                if stopped.is_set():
                    return
            put(True, None)
        except BaseException as error:  # the caller must learn of any
            put(True, error)

    thread = threading.Thread(target=work, name="tokens", daemon=True)
    thread.start()
    try:
        while True:
            done, value = line.get()
            if not done:
                yield value
            elif value is None:
                return
            else:
                raise value
    finally:
        stopped.set()
        thread.join()
