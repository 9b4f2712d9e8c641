"""Measurements in processes of their own, each bound to some cores; other interpreters than this one too.

A script has steps, functions of strings that return numbers. `main` runs either one step, or the whole script.
Nothing but the standard library here: interpreters that only have other tools import it as well.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_ALONE = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "RAYON", "POLARS")}

Result = dict[str, Any]


def machine() -> str:
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        model = found[1] if found else model
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def package_version(package: str) -> str:
    try:
        return version(package) if package else ""
    except PackageNotFoundError:
        return ""


def step(python: str, name: str, *words: str, cores: int = 1) -> Result:
    """A step of the script that runs, in a fresh process: what it reports, its seconds and its peak memory."""
    result = measure([python, sys.argv[0], "step", name, *words], cores)
    if "error" not in result:
        result |= json.loads(result.pop("output").strip().splitlines()[-1])
    return result


def measure(command: list[str], cores: int = 1) -> Result:
    """Run a command through a small process, since the kernel counts the memory of the one that starts it too."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "COLUMNS": "200"}
    environment = {**os.environ, **_ALONE, **offline}
    wrap = [sys.executable, __file__, str(cores), *command]
    done = subprocess.run(wrap, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    result: Result = json.loads(done.stdout)
    if result.pop("code"):
        last = (result.pop("output").strip().splitlines() or ["it failed"])[-1]
        if not re.search(r"No module named|ImportError|Please install", last):
            raise SystemExit(f"{' '.join(command)}: {last}")
        reason = last.rpartition(": ")[2].rstrip(")")
        return {"error": f"not installed ({reason})"}
    return result


def wrapped(cores: str, *command: str) -> Result:
    """Run a command on so many cores, and wait for all that it leaves behind."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-int(cores) :])
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans, as of a fork server, come to us
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        code = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT).returncode
        seconds = time.perf_counter() - started
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()
        output.seek(0)
        text = output.read().decode(errors="replace")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    cpu = used.ru_utime + used.ru_stime
    return {"code": code, "seconds": seconds, "cpu": cpu, "peak_mb": peak, "output": text}


def watched(command: list[str]) -> Result:
    """Run a step that starts processes of its own: what it reports, its seconds, and of all processes together the
    CPU seconds and the most memory at one time, looked at ten times a second. `main` are the CPU seconds of the first
    process alone."""
    started, peak = time.perf_counter(), 0
    cpu: dict[int, float] = {}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output)
        while process.poll() is None:
            family = _family(process.pid)
            peak = max(peak, sum(map(_anonymous, family)))
            cpu |= family
            time.sleep(0.1)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}: failed")
        output.seek(0)
        text = output.read()
    result: Result = json.loads(text if text.startswith(b"{") else text.splitlines()[-1])
    used = {"cpu": sum(cpu.values()), "main": cpu[process.pid]}
    return {**result, "seconds": time.perf_counter() - started, "peak": peak, **used}


def _family(root: int) -> dict[int, float]:
    """A process and all below it, with the CPU seconds of each."""
    ticks = os.sysconf("SC_CLK_TCK")
    parents, cpu = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
                cpu[int(entry.name)] = (int(fields[11]) + int(fields[12])) / ticks
    family = [root]
    for pid in family:
        family += [child for child, parent in parents.items() if parent == pid]
    return {pid: cpu.get(pid, 0.0) for pid in family}


def _anonymous(pid: int) -> int:
    """Bytes that are the process's own; pages of mapped files can be dropped at any time."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) * 1024
    return 0


def arguments(doc: str | None, texts: int, rounds: int) -> argparse.ArgumentParser:
    """What all scripts are given."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, nargs="+")
    parser.add_argument("--peers", default=sys.executable, help="an interpreter that has the other tools")
    parser.add_argument("--texts", type=int, default=texts)
    parser.add_argument("--rounds", type=int, default=rounds, help="the fastest of so many counts")
    parser.add_argument("--json", type=Path)
    return parser


def main(
    parser: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], Result],
    steps: dict[str, Callable[..., Result]],
) -> None:
    """Run the step that the command line names, or the script."""
    if sys.argv[1:2] == ["step"]:
        print(json.dumps(steps[sys.argv[2]](*sys.argv[3:])))
        return
    args = parser.parse_args()
    results = run(args)
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    print(json.dumps(wrapped(*sys.argv[1:])))
