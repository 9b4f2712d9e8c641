"""The blocks of a run: real text to train on and to judge by, and the suspect's. Made once, read by every worker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archive.errors import CollapseError
from archive.owned import Owned
from collapse.corpus import Document
from collapse.model import models, tokenizer
from collapse.model.probe import probe
from collapse.model.tokenizer import Tokenizer
from collapse.presets import PRESETS
from collapse.recipe import Recipe

Blocks = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Data:
    """What `make` left in a folder. Arrays are mapped, not read."""

    tokenizer: Tokenizer
    real: Blocks  #: (blocks, block): all real text that may be trained on, document behind document
    ends: npt.NDArray[np.int64]  #: (blocks, 2): the documents in which each block of `real` begins and ends
    held_out: Blocks  #: (blocks, block); the last block of a document is filled up with the token that ends a text
    mask: npt.NDArray[np.bool_]  #: (blocks, block - 1): where `held_out` is text
    document: npt.NDArray[np.int64]  #: (blocks,): the held-out document of each block
    domains: list[str | None]  #: of each held-out document
    dates: list[str | None]
    suspect: Blocks | None
    parameters: int  #: of the model
    about: dict[str, Any]  #: counts for the report

    def drawn(self, recipe: Recipe, seed: int) -> dict[str, Blocks]:
        """The pools of a seed: `real`, generation 0's set; `other`, from documents of which it saw nothing, of which
        `unseen` is as much as `real`; `suspect`.

        Each seed draws its own blocks, so that the spread over seeds has that of the text in it.
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
        """Blocks to draw generation 0's set from, and blocks to draw other real text from: of different documents.

        Another block of a document that a model was trained on is no text that it never saw: it speaks of the same.
        The documents stand in a shuffled order, so the first part is simply a stretch of them, from `start` on and
        round the end. Of a set that is too small without the two documents at its seams, these stand in both.
        """
        count, more = len(self.real), _beside(recipe)
        circle = (start + np.arange(count)) % count
        size = min(max(round(count * recipe.blocks / (recipe.blocks + more)), recipe.blocks), count - more)
        own, rest = circle[:size], circle[size:]
        seams = (self.ends[own[0], 0], self.ends[own[-1], 1])
        apart = rest[~np.isin(self.ends[rest], seams).any(axis=1)]
        return own, apart if len(apart) >= more else rest


def needed(recipe: Recipe) -> int:
    """Real blocks that a run needs: those of generation 0, as many to compare with, and what the arms want more."""
    return recipe.blocks + _beside(recipe)


def _beside(recipe: Recipe) -> int:
    """Real blocks beside those of generation 0."""
    return max(recipe.blocks, _other(recipe))


def _other(recipe: Recipe) -> int:
    """Of these, the blocks that the arm trains on which wants most."""
    asked = (regime.other_blocks(recipe.generations, recipe.blocks) for regime in recipe.parsed_regimes())
    return max(asked, default=0)


def make(
    folder: Path,
    owned: Owned,
    recipe: Recipe,
    train: Sequence[Document],
    held_out: Sequence[Document],
    suspect: Sequence[Document] | None,
    about: dict[str, Any],
) -> None:
    """Tokenize, cut into blocks, and write the folder: whole or not at all.

    Args:
        owned: what the folder lies in.

    Raises:
        CollapseError: there is too little text; says how much is there and how much is needed. Or the model does not
            fit.
    """
    made = tokenizer.make(recipe.model, [document.text for document in train])
    real, ends = _cut(made.encode([document.text for document in train]), recipe.block)
    mend = "fewer --blocks" + (", or no fresh text (--regimes)" if _other(recipe) > recipe.blocks else "")
    _enough("the set", mend, len(real), needed(recipe))
    blocks, lengths, numbers = _spread(made.encode([document.text for document in held_out]), recipe, made.end)
    _enough("the held-out text", "fewer --held-out-blocks", len(blocks), recipe.held_out_blocks)
    arrays: dict[str, npt.NDArray[Any]] = {
        "real": real,
        "ends": ends,
        "held_out": blocks,
        "lengths": lengths,
        "document": numbers,
    }
    if suspect is not None:
        arrays["suspect"], _ = _cut(made.encode([document.text for document in suspect]), recipe.block)
        _enough("the suspect set", "fewer --blocks", len(arrays["suspect"]), recipe.blocks)
    # a model that does not fit is known before anything is kept
    model = models.Start.of(recipe, made.size).build(recipe.seed)
    if recipe.model not in PRESETS:
        probe(model, recipe.model)
    about = {
        **about,
        "vocabulary": made.size,
        "blocks": {name: len(arrays[name]) for name in ("real", "held_out", "suspect") if name in arrays},
        "held_out_tokens": int((lengths - 1).sum()),
        "held_out_documents_used": len(np.unique(numbers)),
    }
    kept = {
        "end": made.end,
        "parameters": models.parameters(model),
        "domains": [document.domain for document in held_out],
        "dates": [document.date for document in held_out],
        "about": about,
    }
    with owned.atomic_folder(folder) as part:
        made.save(part / "tokenizer.json")
        for name, array in arrays.items():
            np.save(part / f"{name}.npy", array)
        (part / "data.json").write_text(json.dumps(kept))


def load(folder: Path) -> Data:
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
        kept["about"],
    )


def _cut(encoded: Sequence[npt.NDArray[np.int32]], block: int) -> tuple[Blocks, npt.NDArray[np.int64]]:
    """All texts one behind the other, in blocks, and the texts in which each begins and ends; what does not fill a last
    block is left out."""
    tokens = np.concatenate(encoded) if encoded else np.empty(0, np.int32)
    blocks = tokens[: len(tokens) // block * block].reshape(-1, block)
    first = np.arange(len(blocks)) * block
    behind = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    return blocks, np.searchsorted(behind, np.stack([first, first + block - 1], axis=1), side="right")


def _spread(
    encoded: list[npt.NDArray[np.int32]], recipe: Recipe, end: int
) -> tuple[Blocks, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Held-out blocks, their lengths in tokens and their documents: from as many documents as there are.

    A long document gives a few blocks, not all, until every document has given as many: an interval over documents is
    as wide as they are few.
    """
    block, wanted = recipe.block, recipe.held_out_blocks
    places = []
    for number, tokens in enumerate(encoded):
        starts = np.arange(0, max(len(tokens) - 1, 0), block)
        draw = np.random.default_rng((recipe.seed, 3, number))
        places += [(turn, number, int(start)) for turn, start in enumerate(draw.permutation(starts))]
    chosen = sorted(sorted(places)[:wanted], key=lambda place: place[1:])
    blocks = np.full((len(chosen), block), end, np.int32)
    lengths = np.zeros(len(chosen), np.int64)
    for row, (_, number, start) in enumerate(chosen):
        part = encoded[number][start : start + block]
        blocks[row, : len(part)] = part
        lengths[row] = len(part)
    return blocks, lengths, np.array([number for _, number, _ in chosen], np.int64)


def _enough(what: str, mend: str, have: int, wanted: int) -> None:
    if have < wanted:
        raise CollapseError(f"{what} has {have:,} blocks, {wanted:,} are needed; give more text, or {mend}")
