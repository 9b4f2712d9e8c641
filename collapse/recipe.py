"""What a run does: a recipe, read from a small TOML file and changed by options of the command."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from archive.errors import CollapseError
from collapse.decoding import Decoding
from collapse.regimes import Regime

_FOLDER = Path(__file__).parent / "recipes"
#: The recipes that come with the program.
NAMES = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@dataclass(frozen=True, slots=True)
class Paper:
    """A figure that a paper reports, and which of ours stands beside it."""

    what: str
    reported: float
    measure: str  #: loss, perplexity, ratio (to generation 0) or rise (of perplexity, in points)
    regime: str
    generation: int  #: 0 is the first; -1 the last


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides the numbers of a run, but for the set."""

    title: str = ""
    source: str = ""  #: whose method it follows
    model: str = "tiny"  #: a preset, a name on the Hub, a folder or a GGUF file
    block: int = 64  #: tokens of a training sequence
    blocks: int = 1000  #: in the set of a generation
    held_out_blocks: int = 500
    generations: int = 3  #: after generation 0
    seeds: int = 3
    regimes: tuple[str, ...] = ("replace", "mix:0.1", "accumulate", "accumulate-subsample", "fresh", "real")
    decoding: str = "temperature:1"
    prompt: int = 32  #: real tokens that a model continues; 0: from the token that ends a text
    epochs: float = 4.0
    batch: int = 16  #: blocks
    learning_rate: float = 3e-3
    warmup: float = 0.05  #: share of the steps
    weight_decay: float = 0.1
    dropout: float = 0.0
    seed: int = 0  #: the first; further ones count up
    paper: tuple[Paper, ...] = field(default=())

    def __post_init__(self) -> None:
        for name, least in (("block", 8), ("blocks", 1), ("held_out_blocks", 1), ("seeds", 1), ("batch", 1)):
            if getattr(self, name) < least:
                raise CollapseError(f"{name} is at least {least}, not {getattr(self, name)}")
        if self.generations < 0 or self.epochs <= 0 or self.learning_rate <= 0:
            raise CollapseError("generations is at least 0; epochs and learning_rate lie above 0")
        if not 0 <= self.prompt <= self.block:
            raise CollapseError(f"a prompt has at most {self.block} tokens, those of a block")
        if not 0 <= self.dropout < 1 or not 0 <= self.warmup <= 1:
            raise CollapseError("dropout and warmup are shares, from 0 to below 1")
        if len(set(self.regimes)) < len(self.regimes):
            raise CollapseError("a regime is named twice")
        for regime in self.regimes:
            Regime.parse(regime)
        Decoding.parse(self.decoding)

    def parsed_regimes(self) -> list[Regime]:
        return [Regime.parse(regime) for regime in self.regimes]

    def changed(self, options: Mapping[str, Any]) -> Recipe:
        """With other values where an option was given."""
        return replace(self, **{name: value for name, value in options.items() if value is not None})


def load(name: str) -> Recipe:
    """A recipe by its name, or from a TOML file.

    >>> load("smoke").model
    'tiny'

    Raises:
        CollapseError: there is none of this name, or the file says something that a recipe cannot.
    """
    path = _FOLDER / f"{name}.toml" if name in NAMES else Path(name)
    if not path.is_file():
        raise CollapseError(f"{name}: no such recipe; there are {', '.join(NAMES)}, or name a TOML file")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        paper = tuple(Paper(**entry) for entry in values.pop("paper", ()))
        if "regimes" in values:
            values["regimes"] = tuple(values["regimes"])
        return Recipe(**_typed(values), paper=paper)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        raise CollapseError(f"{path}: {error}") from None


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    """The values as the fields of a recipe want them.

    Raises:
        TypeError: one is of another kind, or there is no such field.
    """
    kinds = {item.name: str(item.type) for item in fields(Recipe)}
    for name, value in values.items():
        kind = kinds.get(name)
        if kind is None:
            raise TypeError(f"{name} is nothing that a recipe says; it may say {', '.join(sorted(kinds))}")
        wanted: Any = {"int": int, "float": (int, float), "str": str}.get(kind, tuple)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise TypeError(f"{name} = {value!r}: {kind} is wanted")
        if kind == "float":
            values[name] = float(value)
    return values
