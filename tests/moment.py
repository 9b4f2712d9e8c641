"""Collapse tests that take a moment: their set, their model, their recipe, and how to run them."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forked import forked

from archive.owned import JOURNAL

RECIPE = """
title = "A moment"
block = 16
blocks = 24
held_out_blocks = 8
generations = 2
seeds = 1
regimes = ["replace", "mix:0.50", "fresh", "real"]
prompt = 8
epochs = 2
batch = 12
learning_rate = 1e-2
"""


def page(number: int) -> str:
    """Write a text of a small grammar; no other text has its name."""
    dice = random.Random(number)
    name = f"page{number:04}"
    things = ["the cat", "a dog", "the old house", "my garden", "one river"]
    deeds = ["sees", "likes", "has", "finds", "leaves"]
    sentences = [f"{name} says {dice.choice(things)} {dice.choice(deeds)} {dice.choice(things)}." for _ in range(6)]
    return " ".join(sentences)


def put(path: Path, numbers: range) -> Path:
    lines = [
        {"text": page(n), "url": f"http://site{n % 3}.example.com/{n}", "date": f"20{10 + n % 3}-01-01"}
        for n in numbers
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path


MAKE = """
from pathlib import Path
import json
import torch
from collapse.model import tokenizer
from query.formats.hugging_face import import_transformers
texts = [json.loads(line)["text"] for line in open({source!r})]
made = tokenizer.make("tiny", texts)
transformers = import_transformers()
torch.manual_seed(1)
config = transformers.GPT2Config(vocab_size=made.size, n_positions={context}, n_layer=1, n_embd=32, n_head=2,
                                 bos_token_id=made.end, eos_token_id=made.end)
transformers.GPT2LMHeadModel(config).save_pretrained({folder!r})
made.save_pretrained(Path({folder!r}))
"""


@dataclass(frozen=True, slots=True)
class End:
    status: int  #: -9: killed
    out: str
    err: str


def run(args: Sequence[object], draws: bool = False, **more: Any) -> End:
    """Run `archive collapse` to its end.

    Args:
        draws: the report, which takes longer than all else here.
        more: as of `forked.Command`.
    """
    prepare = ("moment", "quick" if draws else "quick_without_report")
    done = forked(*map(str, args), check=False, server="collapse", prepare=prepare, **more)
    return End(done.returncode, done.stdout, done.stderr)


def call(code: str) -> End:
    """Run a piece of Python where torch is imported."""
    done = forked(check=False, server="collapse", code=code)
    return End(done.returncode, done.stdout, done.stderr)


def quick() -> None:
    """Let an estimate try each kind of step only for a moment; runs in the process of the command."""
    from collapse.run import estimate

    estimate.TRIAL = 0.01


def quick_without_report() -> None:
    from collapse import report

    quick()
    report.write = lambda *_: None
    report.times = lambda _: {}


#: How a journal notes a training: its weights are moved to their name.
_TRAINED = r"os\.(?:link|rename) .*/(\S+)/generation-(\d+)/weights\.safetensors$"


def trained(journal: Path) -> Counter[str]:
    """Return how often each generation of each arm was trained, from a journal."""
    return Counter(" ".join(re.findall(_TRAINED, line)[0]) for line in journal.read_text().splitlines())


class Place:
    """A set, a checkpoint, a recipe, and the runs with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.set = put(folder / "set.jsonl", range(150))
        self.suspect = put(folder / "suspect.jsonl", range(1000, 1060))
        self.recipe = folder / "moment.toml"
        self.recipe.write_text(RECIPE)
        #: Options of a run that is over at once.
        self.short = ["--recipe", folder / "short.toml"]
        (folder / "short.toml").write_text(RECIPE.replace("generations = 2", "generations = 0"))
        self.model = self.made("model", 16)

    def made(self, name: str, context: int) -> Path:
        """Make a checkpoint with random weights."""
        path = self.folder / name
        end = call(MAKE.format(source=str(self.set), folder=str(path), context=context))
        assert end.status == 0, end.err
        return path

    def run(self, name: str, *more: object, workers: int = 1, journal: Path | None = None, **changes: Any) -> End:
        """
        Args:
            journal: a file in which each training is noted, for `trained`.
        """
        args = ["collapse", self.set, "--out", self.folder / name, "--recipe", self.recipe, "--model", self.model]
        if journal is not None:
            changes["journal"] = (str(journal), _TRAINED)
        return run([*args, "--device", "cpu", "--workers", workers, "--quiet", *more], **changes)

    def results(self, name: str) -> bytes:
        return (self.folder / name / "results.json").read_bytes()

    def found(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.results(name))
        return found


def failed(end: End, *says: str) -> None:
    """Assert that a command printed one line with these parts, and exited with 2."""
    assert end.status == 2, end
    assert end.err.startswith("archive: ")
    assert end.err.count("\n") == 1, end.err
    for part in says:
        assert part in end.err


def files(folder: Path) -> dict[str, int]:
    """Return when each finished file was written."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and ".part" not in str(path) and path.name not in (JOURNAL, "times.json")
    }
