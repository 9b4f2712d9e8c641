"""Which set each generation of an arm is trained on.

A generation's set is a list of pieces, each from a pool: the real text of generation 0, other real text, what the arm's
models wrote, or a suspect set. Only these lists tell the regimes apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archive.errors import CollapseError

Indexes = npt.NDArray[np.int64]

#: name -> what it is, and who described it
KINDS = {
    "replace": "only what the generation before wrote (Shumailov et al. 2024)",
    "mix": "X: this share of real text, the rest written by the generation before",
    "accumulate": "the real text and what all generations wrote (Gerstgrasser et al. 2024)",
    "accumulate-subsample": "as many blocks as at first, drawn from all of these (Kazdan et al. 2024)",
    "fresh": "new real text each time",
    "real": "the same real text with another seed: the noise floor",
    "suspect": "X: this share from the suspect set, the rest real text; one generation",
}
#: Generation 0, which all arms share; and the arm that trains on its text again with another seed.
START, CONTROL = "start", "real"
#: Where blocks come from.
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
        """From `replace`, `mix:0.1` and the like.

        >>> Regime.parse("mix:0.1")
        Regime(kind='mix', share=0.1)

        Raises:
            CollapseError: there is no such regime, or its share is none.
        """
        kind, colon, number = text.partition(":")
        if kind not in KINDS:
            raise CollapseError(f"regime {text}: there are {', '.join(KINDS)}")
        if kind not in ("mix", "suspect"):
            if colon:
                raise CollapseError(f"regime {text}: {kind} takes no share")
            return Regime(kind)
        try:
            share = float(number)
        except ValueError:
            raise CollapseError(f"regime {text}: write it as {kind}:0.1, say") from None
        if not 0 <= share <= 1:
            raise CollapseError(f"regime {text}: a share lies between 0 and 1")
        return Regime(kind, share + 0.0)  # -0 is 0

    def __str__(self) -> str:
        return self.kind if self.share is None else f"{self.kind}:{self.share:.15g}"

    @property
    def writes(self) -> bool:
        """Whether its models write: to be trained on, or, in the control, to be measured."""
        return self.kind not in ("fresh", "suspect")

    def generations(self, asked: int) -> int:
        """How many generations this arm has, where so many are asked for."""
        return min(asked, 1) if self.kind == "suspect" else asked

    def blocks(self, generation: int, blocks: int) -> int:
        """Blocks of a generation's set."""
        return blocks * (generation + 1) if self.kind == "accumulate" else blocks

    def other_blocks(self, generations: int, blocks: int) -> int:
        """Real blocks that the arm needs beside those of generation 0."""
        return blocks * generations if self.kind == "fresh" else 0

    def pieces(self, generation: int, blocks: int, draw: np.random.Generator) -> list[Piece]:
        """The set of a generation from 1 on; generation 0 is trained on the pool `real`, whole.

        Args:
            generation: 1 for the first after the start.
            blocks: of the pools `real`, `suspect` and of each `written-G`; `other` has as many for each generation.
            draw: decides which.
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
