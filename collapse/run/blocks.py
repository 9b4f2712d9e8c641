"""The blocks of a run: real text to train on and to evaluate on, and the suspect set. Every worker reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archive.errors import CollapseError
from archive.owned import Owned
from collapse.corpus import Document, SetReport
from collapse.json_form import from_json, to_json
from collapse.model import models, tokenizer
from collapse.model.probe import probe
from collapse.model.tokenizer import Tokenizer
from collapse.presets import PRESETS
from collapse.recipe import Recipe

Blocks = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Data:
    """The blocks in a folder. Large arrays are memory-mapped."""

    tokenizer: Tokenizer
    real: Blocks  #: (blocks, block): all real text that may be trained on, one document after the other
    ends: npt.NDArray[np.int64]  #: (blocks, 2): the documents in which each block of `real` begins and ends
    held_out: Blocks  #: (blocks, block); the last block of a document is filled up with the token that ends a text
    mask: npt.NDArray[np.bool_]  #: (blocks, block - 1): where `held_out` is text
    document: npt.NDArray[np.int64]  #: (blocks,): the held-out document of each block
    domains: list[str | None]  #: of each held-out document
    dates: list[str | None]
    suspect: Blocks | None
    parameters: int  #: of the model
    about: SetReport

    def drawn(self, recipe: Recipe, seed: int) -> dict[str, Blocks]:
        """Return the pools of a seed.

        `real` is generation 0's set. `other` is from documents of which generation 0 saw nothing, and `unseen` as much
        of that as `real` has. `suspect` is from the suspect set. Each seed draws its own blocks, so that the spread
        over seeds includes that of the text.
        """
        draw = np.random.default_rng((seed, 1))
        own, apart = (draw.permutation(part) for part in self._parted(recipe, int(draw.integers(len(self.real)))))
        pools = {"real": self.real[own[: recipe.blocks]], "unseen": self.real[apart[: recipe.blocks]]}
        pools["other"] = self.real[apart[: _other(recipe)]]
        if self.suspect is not None:
            chosen = np.random.default_rng((seed, 2)).permutation(len(self.suspect))[: recipe.blocks]
            pools["suspect"] = self.suspect[chosen]
        return pools

    def _parted(self, recipe: Recipe, start: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the blocks to draw generation 0's set from, and those to draw other real text from.

        The two are from different documents: another block of a document that a model was trained on is about the same
        things, and so not new to it. The documents are in a shuffled order, so the first part is a stretch of them,
        from `start` on and around the end. In a set that is too small without the two documents at its seams, both
        parts have these.
        """
        count, more = len(self.real), _additional(recipe)
        circle = (start + np.arange(count)) % count
        size = min(max(round(count * recipe.blocks / (recipe.blocks + more)), recipe.blocks), count - more)
        own, rest = circle[:size], circle[size:]
        seams = (self.ends[own[0], 0], self.ends[own[-1], 1])
        apart = rest[~np.isin(self.ends[rest], seams).any(axis=1)]
        return own, apart if len(apart) >= more else rest


def needed(recipe: Recipe) -> int:
    """Return how many real blocks a run needs: generation 0's, as many to compare with, and more for some arms."""
    return recipe.blocks + _additional(recipe)


def _additional(recipe: Recipe) -> int:
    """Return how many real blocks a run needs in addition to generation 0's."""
    return max(recipe.blocks, _other(recipe))


def _other(recipe: Recipe) -> int:
    """Return how many of these the arm trains on that needs most."""
    asked = (regime.other_blocks(recipe.generations, recipe.blocks) for regime in recipe.parsed_regimes())
    return max(asked, default=0)


def make(
    folder: Path,
    owned: Owned,
    recipe: Recipe,
    train: Sequence[Document],
    held_out: Sequence[Document],
    suspect: Sequence[Document] | None,
    about: SetReport,
) -> None:
    """Tokenize texts, cut them into blocks, and write the folder atomically.

    Args:
        owned: the run's folder, which contains this one.
        about: what the texts are from; the counts of blocks and tokens are added.

    Raises:
        CollapseError: there is too little text (the message says how much there is and how much is needed), or the
            model does not fit.
    """
    trained = tokenizer.make(recipe.model, [document.text for document in train], recipe.vocabulary)
    real, ends = _cut(trained.encode([document.text for document in train]), recipe.block)
    remedy = "fewer --blocks" + (", or no fresh text (--regimes)" if _other(recipe) > recipe.blocks else "")
    _enough("the set", remedy, len(real), needed(recipe))
    blocks, lengths, numbers = _spread(trained.encode([document.text for document in held_out]), recipe, trained.end)
    _enough("the held-out text", "fewer --held-out-blocks", len(blocks), recipe.held_out_blocks)
    arrays: dict[str, npt.NDArray[Any]] = {
        "real": real,
        "ends": ends,
        "held_out": blocks,
        "lengths": lengths,
        "document": numbers,
    }
    if suspect is not None:
        arrays["suspect"], _ = _cut(trained.encode([document.text for document in suspect]), recipe.block)
        _enough("the suspect set", "fewer --blocks", len(arrays["suspect"]), recipe.blocks)
    # fails before anything is written if the model does not fit
    model = models.Start.of(recipe, trained.size).build(recipe.seed)
    if recipe.model not in PRESETS:
        probe(model, recipe.model)
    about = replace(
        about,
        vocabulary=trained.size,
        blocks={name: len(arrays[name]) for name in ("real", "held_out", "suspect") if name in arrays},
        held_out_tokens=int((lengths - 1).sum()),
        held_out_documents_used=len(np.unique(numbers)),
    )
    kept = {
        "end": trained.end,
        "parameters": models.parameters(model),
        "domains": [document.domain for document in held_out],
        "dates": [document.date for document in held_out],
        "about": to_json(about),
    }
    with owned.atomic_folder(folder) as part:
        trained.save(part / "tokenizer.json")
        for name, array in arrays.items():
            np.save(part / f"{name}.npy", array)
        (part / "data.json").write_text(json.dumps(kept))


def load(folder: Path) -> Data:
    """Read the folder that `make` wrote."""
    kept = json.loads((folder / "data.json").read_text())
    lengths = np.load(folder / "lengths.npy")
    held_out = np.load(folder / "held_out.npy", mmap_mode="r")
    suspect = folder / "suspect.npy"
    return Data(
        tokenizer.load(folder / "tokenizer.json", kept["end"]),
        np.load(folder / "real.npy", mmap_mode="r"),
        np.load(folder / "ends.npy"),
        held_out,
        np.arange(1, held_out.shape[1])[None, :] < lengths[:, None],
        np.load(folder / "document.npy"),
        kept["domains"],
        kept["dates"],
        np.load(suspect, mmap_mode="r") if suspect.exists() else None,
        kept["parameters"],
        from_json(SetReport, kept["about"]),
    )


def _cut(encoded: Sequence[npt.NDArray[np.int32]], block: int) -> tuple[Blocks, npt.NDArray[np.int64]]:
    """Cut the concatenated texts into blocks, and return also the texts in which each block begins and ends.

    Tokens that do not fill a last block are left out.
    """
    tokens = np.concatenate(encoded) if encoded else np.empty(0, np.int32)
    blocks = tokens[: len(tokens) // block * block].reshape(-1, block)
    first = np.arange(len(blocks)) * block
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    return blocks, np.searchsorted(ends, np.stack([first, first + block - 1], axis=1), side="right")


def _spread(
    encoded: list[npt.NDArray[np.int32]], recipe: Recipe, end: int
) -> tuple[Blocks, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return held-out blocks, their lengths in tokens and their documents, from as many documents as possible.

    Documents give blocks in turn, so that a long one does not give all: the fewer documents, the wider the intervals.
    """
    block, wanted = recipe.block, recipe.held_out_blocks
    candidates = []
    for number, tokens in enumerate(encoded):
        starts = np.arange(0, max(len(tokens) - 1, 0), block)
        draw = np.random.default_rng((recipe.seed, 3, number))
        candidates += [(turn, number, int(start)) for turn, start in enumerate(draw.permutation(starts))]
    chosen = sorted(sorted(candidates)[:wanted], key=lambda candidate: candidate[1:])
    blocks = np.full((len(chosen), block), end, np.int32)
    lengths = np.zeros(len(chosen), np.int64)
    for row, (_, number, start) in enumerate(chosen):
        part = encoded[number][start : start + block]
        blocks[row, : len(part)] = part
        lengths[row] = len(part)
    return blocks, lengths, np.array([number for _, number, _ in chosen], np.int64)


def _enough(what: str, remedy: str, have: int, wanted: int) -> None:
    if have < wanted:
        raise CollapseError(f"{what} has {have:,} blocks, {wanted:,} are needed; give more text, or {remedy}")
