"""Which set each generation of an arm is trained on.

A generation's set is a list of pieces, each from a pool: the real text of generation 0, other real text, what the arm's
models wrote, or a suspect set. Regimes differ only in these lists.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collapse.kinds import Kind, parse_kind

Indexes = npt.NDArray[np.int64]

#: What each regime trains on, and who described it.
KINDS = {
    "replace": Kind("only what the generation before wrote (Shumailov et al. 2024)"),
    "mix": Kind("X: this share of real text, the rest written by the generation before", (0, 1), 0.1),
    "accumulate": Kind("the real text and what all generations wrote (Gerstgrasser et al. 2024)"),
    "accumulate-subsample": Kind("as many blocks as at first, drawn from all of these (Kazdan et al. 2024)"),
    "fresh": Kind("new real text each time"),
    "real": Kind("the same real text with another seed: the noise floor"),
    "suspect": Kind("X: this share from the suspect set, the rest real text; one generation", (0, 1), 0.1),
}
#: Generation 0, which all arms share; and the arm that trains on its text again with another seed.
START, CONTROL = "start", "real"
#: Pools that blocks come from.
REAL, OTHER, SUSPECT = "real", "other", "suspect"


@dataclass(frozen=True, slots=True)
class Piece:
    """Blocks of a pool: `real`, `other`, `suspect`, or `written-G`, what generation G of the arm wrote."""

    pool: str
    indexes: Indexes


@dataclass(frozen=True, slots=True)
class Regime:
    kind: str
    share: float | None = None

    @staticmethod
    def parse(text: str) -> Regime:
        """Read `replace`, `mix:0.1` and the like.

        >>> Regime.parse("mix:0.1")
        Regime(kind='mix', share=0.1)

        Raises:
            CollapseError: there is no such regime, or its share is out of range.
        """
        return Regime(*parse_kind("regime", text, KINDS))

    def __str__(self) -> str:
        return self.kind if self.share is None else f"{self.kind}:{self.share:.15g}"

    @property
    def writes(self) -> bool:
        """Whether its models write: as training text, or, in the control, to be measured."""
        return self.kind not in ("fresh", "suspect")

    def generations(self, asked: int) -> int:
        """Return how many generations this arm has in a run of so many."""
        return min(asked, 1) if self.kind == "suspect" else asked

    def blocks(self, generation: int, blocks: int) -> int:
        """Return how many blocks a generation is trained on."""
        return blocks * (generation + 1) if self.kind == "accumulate" else blocks

    def other_blocks(self, generations: int, blocks: int) -> int:
        """Return how many real blocks the arm needs in addition to those of generation 0."""
        return blocks * generations if self.kind == "fresh" else 0

    def pieces(self, generation: int, blocks: int, draw: np.random.Generator) -> list[Piece]:
        """Return the set of a generation from 1 on; generation 0 is trained on the whole pool `real`.

        Args:
            generation: 1 for the first after the start.
            blocks: of the pools `real`, `suspect` and of each `written-G`; `other` has as many for each generation.
            draw: chooses the blocks.
        """
        everything = np.arange(blocks)
        written = [Piece(f"written-{before}", everything) for before in range(generation)]
        match self.kind:
            case "replace":
                return [written[-1]]
            case "real":
                return [Piece(REAL, everything)]
            case "fresh":
                return [Piece(OTHER, everything + (generation - 1) * blocks)]
            case "accumulate":
                return [Piece(REAL, everything), *written]
            case "accumulate-subsample":
                chosen = np.sort(draw.choice(blocks * (generation + 1), blocks, replace=False))
                pools = [REAL, *(piece.pool for piece in written)]
                return [Piece(pool, chosen[chosen // blocks == n] % blocks) for n, pool in enumerate(pools)]
            case _:
                share = self.share or 0.0
                count = round(share * blocks)
                if self.kind == "mix":
                    return [_some(REAL, blocks, count, draw), _some(written[-1].pool, blocks, blocks - count, draw)]
                return [_some(SUSPECT, blocks, count, draw), _some(REAL, blocks, blocks - count, draw)]


def _some(pool: str, blocks: int, count: int, draw: np.random.Generator) -> Piece:
    return Piece(pool, np.sort(draw.choice(blocks, count, replace=False)))
