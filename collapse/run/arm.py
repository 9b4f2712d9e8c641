"""What there is to do in a run: the generations of every regime and seed."""

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
    """All generations of a regime in one seed, one after the other: a task for a worker."""

    out: str
    recipe: Recipe
    seed: int
    regime: str  #: or START
    machine: Machine

    @property
    def generations(self) -> range:
        if self.regime == START:
            return range(1)
        return range(1, Regime.parse(self.regime).generations(self.recipe.generations) + 1)

    def folder(self, generation: int) -> Path:
        """Where a generation's files lie; generation 0 is that of all arms."""
        regime = START if generation == 0 else self.regime.replace(":", "-")
        return folder.steps(self.out) / f"seed-{self.seed}" / regime / f"generation-{generation}"

    def writes(self) -> bool:
        return self.regime == START or Regime.parse(self.regime).writes

    def trained(self) -> int:
        """Tokens that its models are trained on, each as often as it is seen."""
        recipe, total = self.recipe, 0
        for generation in self.generations:
            blocks = recipe.blocks if generation == 0 else Regime.parse(self.regime).blocks(generation, recipe.blocks)
            total += count_blocks(blocks, recipe) * recipe.block
        return total

    def written(self) -> int:
        """Tokens that its models write."""
        return len(self.generations) * self.recipe.blocks * self.recipe.block if self.writes() else 0

    def tokens(self) -> int:
        """How much there is to do."""
        return self.trained() + self.written()


def arms(out: Path, recipe: Recipe, machine: Machine, seed: int) -> list[Arm]:
    """The arms of a seed behind generation 0: those that take longest first."""
    made = [
        Arm(str(out), recipe, seed, str(regime), machine)
        for regime in recipe.parsed_regimes()
        if regime.generations(recipe.generations)
    ]
    return sorted(made, key=Arm.tokens, reverse=True)


def starts(out: Path, recipe: Recipe, machine: Machine) -> list[Arm]:
    """Generation 0 of each seed."""
    seeds = range(recipe.seed, recipe.seed + recipe.seeds)
    return [Arm(str(out), recipe, seed, START, machine) for seed in seeds]
