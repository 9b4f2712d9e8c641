"""The tasks of a run: the generations of every regime and seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from collapse import folder
from collapse.model.train import count_blocks
from collapse.recipe import Recipe
from collapse.regimes import START, Regime
from collapse.run.machine import Machine


@dataclass(frozen=True, slots=True)
class Arm:
    """All generations of a regime in one seed, which one worker trains one after the other."""

    out: str
    recipe: Recipe
    seed: int
    regime: str  #: or `START`, which is generation 0 alone
    machine: Machine

    @property
    def generations(self) -> range:
        if self.regime == START:
            return range(1)
        return range(1, Regime.parse(self.regime).generations(self.recipe.generations) + 1)

    def folder(self, generation: int) -> Path:
        """Return the folder of a generation; all arms share generation 0."""
        regime = START if generation == 0 else self.regime.replace(":", "-")
        return folder.steps(self.out) / f"seed-{self.seed}" / regime / f"generation-{generation}"

    def writes(self) -> bool:
        """Return whether its models write."""
        return self.regime == START or Regime.parse(self.regime).writes

    def trained(self) -> int:
        """Return how many tokens its models are trained on, each counted as often as it is seen."""
        recipe, total = self.recipe, 0
        for generation in self.generations:
            blocks = recipe.blocks if generation == 0 else Regime.parse(self.regime).blocks(generation, recipe.blocks)
            total += count_blocks(blocks, recipe) * recipe.block
        return total

    def written(self) -> int:
        """Return how many tokens its models write."""
        return len(self.generations) * self.recipe.blocks * self.recipe.block if self.writes() else 0

    def tokens(self) -> int:
        """Return how many tokens its models train on and write."""
        return self.trained() + self.written()


def arms(out: Path, recipe: Recipe, machine: Machine, seed: int) -> list[Arm]:
    """Return the arms of a seed after generation 0, those that take longest first."""
    every = [
        Arm(str(out), recipe, seed, str(regime), machine.for_worker())
        for regime in recipe.parsed_regimes()
        if regime.generations(recipe.generations)
    ]
    return sorted(every, key=Arm.tokens, reverse=True)


def starts(out: Path, recipe: Recipe, machine: Machine) -> list[Arm]:
    """Return generation 0 of each seed."""
    seeds = range(recipe.seed, recipe.seed + recipe.seeds)
    return [Arm(str(out), recipe, seed, START, machine.for_worker()) for seed in seeds]
