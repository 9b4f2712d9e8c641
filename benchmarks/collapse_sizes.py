"""Compare finished collapse tests of several sizes, or with several decodings.

    python benchmarks/collapse_sizes.py FOLDER FOLDER…

Prints what each arm of each run comes to. Of two runs that differ only in the size of the set or of the model, the
first the smaller, it also prints whether what an arm loses grows with the size: the definition of collapse by scaling
laws, which one run cannot decide.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from archive.errors import CollapseError
from collapse.findings import wording
from collapse.findings.results import RunResults
from collapse.findings.scaling import scaling
from collapse.measures.metrics import held_out_loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="the --out of a finished run")
    folders = parser.parse_args().folders
    runs = [RunResults.from_json(json.loads((folder / "results.json").read_text())) for folder in folders]
    for folder, run in zip(folders, runs, strict=True):
        _show(folder, run)
    if len(runs) == 2:
        try:
            for arm, (_, finding) in scaling(*runs).items():
                holds = {True: "yes", False: "no", None: "open"}[finding.holds]
                print(f"{finding.title}, {arm}: {holds}: {finding.because}")
        except CollapseError as error:
            print(f"nothing is said of scaling: {error}")


def _show(folder: Path, run: RunResults) -> None:
    recipe = run.recipe
    start, floor = run.at_start(held_out_loss), wording.ratio(run.noise.high)
    print(f"{folder}: {recipe.model}, {recipe.blocks:,} blocks, {recipe.decoding}, {len(run.seeds)} seeds")
    print(f"  generation 0: {start.value:.3f} nats ({start.low:.3f} to {start.high:.3f}); noise floor ×{floor}")
    for arm in run.regimes:
        changes = [run.change(arm, generation, held_out_loss) for generation in range(1, run.last(arm) + 1)]
        steps = ", ".join(wording.ratio(change.value) for change in changes)
        print(f"  {arm}: ×{steps} (95 %: {wording.between(changes[-1])})")


if __name__ == "__main__":
    main()
