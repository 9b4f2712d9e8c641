"""How long `archive --help` takes, beside Python itself: python benchmarks/start.py"""

from __future__ import annotations

import subprocess
import sys
import time


def seconds(*command: str) -> float:
    """The shortest of ten."""
    times = []
    for _ in range(10):
        started = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return min(times)


if __name__ == "__main__":
    print(f"python -c pass: {seconds('-c', 'pass'):.3f} s")
    print(f"archive --help: {seconds('-m', 'archive', '--help'):.3f} s")
