"""The recipe of a run, read from a small TOML file and changed by options of the command."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from archive.errors import CollapseError
from collapse.decoding import Decoding
from collapse.presets import PRESETS
from collapse.regimes import Regime

_FOLDER = Path(__file__).parent / "recipes"
#: The recipes that come with the program.
NAMES = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
#: The most tokens in a block of a preset: each layer keeps a mask of the square of that.
_LONGEST = 8192
#: What a paper's figure may measure.
_MEASURES = ("loss", "perplexity", "ratio", "rise")
#: What it may say without a number.
_SAYINGS = ("worse", "better", "the same")


@dataclass(frozen=True, slots=True)
class Paper:
    """What a paper reports, in a number or in words, and what it is compared with."""

    what: str
    measure: str  #: loss, perplexity, ratio (to generation 0) or rise (of perplexity, in points)
    regime: str
    generation: int  #: from 0 on; -1 is the last
    reported: float = math.nan  #: the number
    says: str = ""  #: or else how it is: worse, better, or the same
    against: str = ""  #: the arm that it is compared with, in place of generation 0
    decoding: str = ""  #: the only decoding for which it is; any if empty
    source: str = ""  #: where it was read

    def __post_init__(self) -> None:
        if self.measure not in _MEASURES:
            raise CollapseError(f"measure {self.measure} of a paper: there are {', '.join(_MEASURES)}")
        if self.says and self.says not in _SAYINGS:
            raise CollapseError(f"{self.what}: a paper says one of {', '.join(_SAYINGS)}")
        if self.generation < -1 or math.isfinite(self.reported) == bool(self.says):
            raise CollapseError(f"{self.what}: a number or a saying is reported, of a generation from -1, the last, on")
        if (self.says or self.against) and self.measure != "ratio":
            raise CollapseError(f"{self.what}: what is said in words, or against another arm, is a ratio")
        object.__setattr__(self, "regime", str(Regime.parse(self.regime)))
        if self.against:
            object.__setattr__(self, "against", str(Regime.parse(self.against)))
        if self.decoding:
            Decoding.parse(self.decoding)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the numbers of a run, except the set."""

    title: str = ""
    source: str = ""  #: the paper that it follows
    model: str = "tiny"  #: a preset, a name on the Hub, a folder or a GGUF file
    vocabulary: int = 0  #: tokens of a preset's tokenizer, so that several sizes can share one; 0: the preset's own
    block: int = 64  #: tokens of a training sequence
    blocks: int = 1000  #: in the set of a generation
    held_out_blocks: int = 500
    generations: int = 3  #: after generation 0
    seeds: int = 3
    regimes: tuple[str, ...] = ("replace", "mix:0.1", "accumulate", "accumulate-subsample", "fresh", "real")
    decoding: str = "temperature:1"
    prompt: int = 32  #: real tokens that a model continues; 0: from the token that ends a text
    epochs: float = 3.0
    batch: int = 16  #: blocks
    learning_rate: float = 2e-3
    warmup: float = 0.1  #: share of the steps
    weight_decay: float = 0.1
    dropout: float = 0.0
    seed: int = 0  #: the first; the others follow it
    paper: tuple[Paper, ...] = field(default=())

    def __post_init__(self) -> None:
        for name, least in (("block", 8), ("blocks", 1), ("held_out_blocks", 1), ("seeds", 1), ("batch", 1)):
            if getattr(self, name) < least:
                raise CollapseError(f"{name} is at least {least}, not {getattr(self, name)}")
        if self.generations < 0:
            raise CollapseError(f"generations is at least 0, not {self.generations}")
        if self.vocabulary and not 300 <= self.vocabulary <= 1 << 20:
            raise CollapseError("vocabulary has 300 to 1,048,576 tokens, or is 0, the preset's own")
        if not 0 <= self.seed < 1 << 32:
            raise CollapseError(f"seed is a whole number from 0 to {(1 << 32) - 1}, not {self.seed}")
        if not (0 < self.epochs < math.inf and 0 < self.learning_rate < math.inf):
            raise CollapseError("epochs and learning_rate are numbers above 0")
        if not 0 <= self.weight_decay < math.inf:
            raise CollapseError("weight_decay is a number from 0 on")
        if not 0 <= self.dropout < 1 or not 0 <= self.warmup <= 1:
            raise CollapseError("dropout is a share from 0 to below 1, warmup one from 0 to 1")
        if not 0 <= self.prompt <= self.block:
            raise CollapseError(f"a prompt has 0 to {self.block} tokens, those of a block")
        if self.model in PRESETS and self.prompt == self.block:  # the context of a preset is a block
            raise CollapseError(f"prompt: {self.model} sees {self.block} tokens; take at most {self.block - 1}")
        Decoding.parse(self.decoding)
        if self.model in PRESETS and self.block > _LONGEST:
            raise CollapseError(f"block: {self.model} takes at most {_LONGEST:,} tokens")
        for regime in self.regimes:
            share = Regime.parse(regime).share
            if share is not None and 0 < share < 1 and round(share * self.blocks) in (0, self.blocks):
                what = "none" if share < 0.5 else "all"
                raise CollapseError(f"{regime}: of {self.blocks:,} blocks that is {what}; take more --blocks")
        names = tuple(str(Regime.parse(regime)) for regime in self.regimes)
        if twice := next((name for n, name in enumerate(names) if name in names[:n]), None):
            raise CollapseError(f"regime {twice} is named twice; name it once")
        object.__setattr__(self, "regimes", names)  # mix:0.10 is mix:0.1, here as in the arms

    def parsed_regimes(self) -> list[Regime]:
        """Return the regimes, parsed."""
        return [Regime.parse(regime) for regime in self.regimes]

    def changed(self, options: Mapping[str, Any]) -> Recipe:
        """Return a recipe with other values; None leaves a value as it is."""
        return replace(self, **{name: value for name, value in options.items() if value is not None})


def load(name: str) -> Recipe:
    """Read a recipe by its name, or from a TOML file.

    >>> load("smoke").model
    'tiny'

    Raises:
        CollapseError: there is no such recipe, or the file is not one.
    """
    path = _FOLDER / f"{name}.toml" if name in NAMES else Path(name)
    if not path.is_file():
        raise CollapseError(f"{name}: no such recipe; there are {', '.join(NAMES)}, or name a TOML file")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        paper = _listed(values.pop("paper", []), dict, "write [[paper]] above each figure of a paper")
        if "regimes" in values:
            values["regimes"] = _listed(values["regimes"], str, 'write regimes = ["replace", "real"], say')
        return Recipe(**_typed(Recipe, values), paper=tuple(Paper(**_typed(Paper, entry)) for entry in paper))
    except OSError as error:
        raise CollapseError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, CollapseError) as error:
        raise CollapseError(f"{path}: {error}") from None


def _listed(values: Any, kind: type, say: str) -> tuple[Any, ...]:
    """Return a list from TOML as a tuple.

    Raises:
        CollapseError: it is no list, or an item is not of the kind.
    """
    if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
        raise CollapseError(say)
    return tuple(values)


def _typed(target: type[Recipe | Paper], values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with the types of a recipe's fields, or of a paper's figure.

    Raises:
        CollapseError: a value has another type, there is no such field, or one without a default is missing.
    """
    name = target.__name__.lower()
    kinds = {item.name: str(item.type) for item in fields(target)}
    if unknown := sorted(values.keys() - kinds.keys()):
        raise CollapseError(f"{unknown[0]} is nothing that a {name} says; it may say {', '.join(sorted(kinds))}")
    needed = {item.name for item in fields(target) if item.default is MISSING and item.default_factory is MISSING}
    if missing := sorted(needed - values.keys()):
        raise CollapseError(f"[[{name}]] must say {', '.join(missing)} too")
    typed = dict(values)
    for key, value in values.items():
        kind = kinds[key]
        wanted: Any = {"int": int, "float": (int, float), "str": str}.get(kind, tuple)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise CollapseError(f"{key} = {value!r}: {kind} is wanted")
        if kind == "float":
            typed[key] = float(value)
    return typed
