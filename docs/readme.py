"""Run the commands that README.md and some pages show, and compare their output with the output that is shown.

    python docs/readme.py --check    fail where they differ
    python docs/readme.py            write what they print into the pages

A comment in front of a block of output names its commands: `<!-- prints: make demo -->`. Times, rates, ports, and roots
that depend on the paths of files are ignored; the folder of the checkout is shown as `…`.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/common-crawl.md", "docs/crawl.md", "docs/scale.md")
_BLOCK = re.compile(r"(<!-- prints: (?P<commands>.+?) -->\n+```text\n)(?P<output>.*?)(?=\n```)", re.DOTALL)
#: Patterns of what differs from run to run or between machines, and what takes their place.
_CHANGES = (
    (r"\d+(\.\d+)? s\b", "# s"),
    (r"\([\d,]+ records/s\)", "(# records/s)"),
    (r"(Merkle root +)[0-9a-f]{64}", r"\1#"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:#"),
    (r"; workers waited .* in all", ""),
    (r"[\d.]+ (responses )?a second", "# a second"),
    (r"(files? ingested(?:, \d+ known already)?: )[\d.]+ kB", r"\1# kB"),  # ids in compressed records
    (r"\b20(2[6-9]|[3-9]\d)-\d\d\b", "#-#"),  # the month of a crawl of today
)


def run(command: str) -> str:
    """Return what a command prints on its standard output, as on a terminal of 80 columns."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "80",
        "VENV": str(Path(sys.executable).parents[1]),
    }
    done = subprocess.run(command, shell=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode > 1:
        sys.exit(f"`{command}` ended with exit status {done.returncode}")
    return done.stdout.replace(str(ROOT), "…")


def tidy(output: str) -> str:
    """Return text without spaces at line ends, and with one empty line at most."""
    lines = [line.rstrip() for line in output.strip("\n").splitlines()]
    return "\n".join(line for line, before in zip(lines, ["", *lines], strict=False) if line or before)


def comparable(output: str) -> list[str]:
    """Return the lines of an output, without what differs from run to run."""
    for pattern, instead in _CHANGES:
        output = re.sub(pattern, instead, output)
    return tidy(output).splitlines()


def main() -> None:
    check = "--check" in sys.argv[1:]
    differs = [page for page in PAGES if not _is_current(page, check)]
    if check and differs:
        sys.exit(f"other output than in {', '.join(differs)}; `python docs/readme.py` writes it again")


def _is_current(page: str, check: bool) -> bool:
    """Run the commands of a page; return whether it shows what they print. Unless `check`, write what differs."""
    current = True

    def replaced(found: re.Match[str]) -> str:
        nonlocal current
        printed = tidy("\n".join(run(command.strip()) for command in found["commands"].split(";")))
        if comparable(printed) == comparable(found["output"]):
            return found[0]
        current = False
        if check:
            before, after = comparable(found["output"]), comparable(printed)
            print("\n".join(difflib.unified_diff(before, after, page, found["commands"], lineterm="")))
        return found[1] + printed

    new, blocks = _BLOCK.subn(replaced, (ROOT / page).read_text())
    if not blocks:
        sys.exit(f"{page} shows the output of no command")
    if not check:
        (ROOT / page).write_text(new)
    return current


if __name__ == "__main__":
    main()
