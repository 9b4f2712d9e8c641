"""Installs the wheel alone, in an empty environment of each Python, and runs the main job there.

    python tests/wheel.py                       Python 3.11 to 3.14: those on the PATH, of pyenv and of uv
    python tests/wheel.py python3.12 /opt/py/bin/python3
    python tests/wheel.py --wheel dist/lowbackground-0.1.0-py3-none-any.whl

First the base install: `archive demo` ingests, queries, exports and verifies. Then the extra `index`: the same with
near-duplicates. The commands run in an empty folder, with neither the checkout nor the variables of this process, and
without network if `unshare` is allowed. Installing needs a package index. Exits with 1 if anything failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")
IMPORTS = "import archive, collapse, crawler, index, lowbackground, query; lowbackground.Lake"
#: Times with a zone: DuckDB asks Python for it, behind the lock.
QUESTION = ["query", "--lake", "archive-demo/lake", "--format", "csv", "SELECT min(first_seen) AS first FROM documents"]
ANSWER = "first\n2013-06-11T09:30:05Z\n"
#: Lines that show that the main job was done.
BASE = ("8 new texts", "6 texts in 1 shard", "agrees                       6")
NEAR = ("2 pairs of near-duplicates", "5 texts in 1 shard", "agrees                       5")


def build_wheel(folder: Path) -> Path:
    """Build a source distribution, and the wheel from that."""
    subprocess.run([sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def find(name: str) -> str | None:
    """Return an interpreter that runs. One that a version manager puts on the PATH may not."""
    places = [Path.home() / ".pyenv" / "versions", Path.home() / ".local" / "share" / "uv" / "python"]
    found = [shutil.which(name), *(str(path) for place in places for path in sorted(place.glob(f"*/bin/{name}")))]
    for python in found:
        if python and not subprocess.run([python, "-V"], capture_output=True).returncode:
            return python
    return None


def check(python: str, wheel: Path, folder: Path) -> tuple[str, bool]:
    """Run the main job on one Python.

    Returns:
        a line of what was seen, and whether all is well.
    """
    inside = folder / "venv" / "bin" / "python"
    _run([python, "-m", "venv", str(folder / "venv")], folder)
    seen = [_run([str(inside), "-V"], folder).stdout.split()[1].ljust(8)]
    for extra, expected in (("", BASE), ("[index]", NEAR)):
        started = time.monotonic()
        done = _run([str(inside), "-m", "pip", "install", "--quiet", f"{wheel}{extra}"], folder, pip=True)
        if done.returncode:
            return f"{seen[0]} {wheel.name}{extra} cannot be installed:\n{done.stderr}", False
        installed = time.monotonic()
        site = next((folder / "venv" / "lib").glob("python*/site-packages"))
        size = sum(file.stat().st_size for file in site.rglob("*") if file.is_file()) / 1e6
        done = _run([str(inside), "-W", "error", "-c", IMPORTS], folder)
        if done.returncode:
            return f"{seen[0]} {extra or 'base'}: {done.stderr}", False
        done = _run([*_alone(), str(inside.with_name("archive")), "demo"], folder)
        missing = [line for line in expected if line not in done.stdout]
        if done.returncode or missing:
            return (
                f"{seen[0]} {extra or 'base'}: exit status {done.returncode}, {missing}\n{done.stdout}{done.stderr}",
                False,
            )
        demo = time.monotonic() - installed
        done = _run([str(inside.with_name("archive")), *QUESTION], folder)
        if done.stdout != ANSWER:
            return f"{seen[0]} {extra or 'base'}: {done.stdout}{done.stderr}", False
        seen.append(f"{extra or 'base'}: {size:.0f} MB, installed in {installed - started:.0f} s, demo {demo:.0f} s")
    return "  ".join(seen), True


def _alone() -> list[str]:
    """Return what to put in front of a command so that it sees no network, if that can be had."""
    command = ["unshare", "--user", "--map-root-user", "--net", "--"]
    can = shutil.which("unshare") and not subprocess.run([*command, "true"], capture_output=True).returncode
    return command if can else []


def _run(command: list[str], folder: Path, pip: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder with a bare environment; pip keeps the variables that name its index."""
    kept = {name: value for name, value in os.environ.items() if pip and not name.startswith("PYTHON")}
    environment = {**kept, "PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pythons", nargs="*", help="interpreters, by name or path")
    parser.add_argument("--wheel", type=Path, help="a wheel that was built before")
    arguments = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as scratch:
        wheel = (arguments.wheel or build_wheel(Path(scratch))).resolve()
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.2f} MB")
        for number, name in enumerate(arguments.pythons or PYTHONS):
            if (python := find(name)) is None:
                print(f"{name}: not on this machine")
                continue
            folder = Path(scratch) / str(number)
            folder.mkdir()
            line, well = check(python, wheel, folder)
            print(line, flush=True)
            bad += not well
            shutil.rmtree(folder)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
