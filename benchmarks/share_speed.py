"""What `archive share` costs: seconds, CPU seconds of all its processes, and their memory.

    python benchmarks/share_speed.py LAKE [--machine NAME=FILE] [--texts 100 1000 100000] [--workers 2]

The lake may be one that benchmarks/made_lake.py made; it is only read. The numbers say nothing of the estimates there,
since its texts are runs of words of others. Memory is what belongs to all processes together at one time.
"""

from __future__ import annotations

import argparse
import sys

from processes import machine, watched


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake")
    parser.add_argument("--machine", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--texts", type=int, nargs="+", default=[100, 1000, 100_000])
    parser.add_argument("--workers", default="2")
    args = parser.parse_args()
    print(machine())
    print("| --texts | texts in the lake | counted | seconds | CPU seconds | of them the first process | peak, MB |")
    print("| --: | --: | --: | --: | --: | --: | --: |")
    for texts in args.texts:
        sample = [word for each in args.machine for word in ("--machine", each)]
        asked = ["share", args.lake, "--texts", str(texts), "--workers", args.workers, "--json", *sample]
        found = watched([sys.executable, "-m", "archive", *asked])
        held = found["texts"] + sum(found["left_out"].values())
        cells = [f"{texts:,}", f"{held:,}", f"{found['texts']:,}", f"{found['seconds']:.0f}", f"{found['cpu']:.0f}"]
        print("| " + " | ".join([*cells, f"{found['main']:.0f}", f"{found['peak'] / 1e6:,.0f}"]) + " |", flush=True)


if __name__ == "__main__":
    main()
