"""The pages of `archive explore` on a large lake, over HTTP: by the clock, and in CPU seconds of the server.

    python benchmarks/explorer_served.py LAKE [--users 10] [--seconds 30]

The caches are in a folder of its own, which is empty when the server starts first. A text, URL, site or word is asked
for once, so that no answer was kept. `explorer.py` calls this too.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx

from archive.lake import Lake
from query.sql import connect

_TICKS = os.sysconf("SC_CLK_TCK")
_ASKED = 20
#: The most seconds that something is waited for.
_MOST = 900.0


@dataclass
class Server:
    """A server, and who asks it."""

    process: subprocess.Popen[str]
    client: httpx.Client
    problems: list[str] = field(default_factory=list)

    @property
    def cpu(self) -> float:
        used = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(used[11]) + int(used[12])) / _TICKS

    @property
    def megabytes(self) -> int:
        """The most memory that the server had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) // 1024

    def get(self, path: str) -> httpx.Response:
        answer = self.client.get(path)
        if answer.status_code != 200:
            self.problems.append(f"{answer.status_code} {path[:60]}")
        return answer

    def data(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(path).json()["data"]
        return found


@contextlib.contextmanager
def served(lake: Lake, caches: str) -> Iterator[Server]:
    command = [sys.executable, "-m", "archive", "explore", "--port", "0", "--lake", lake.location]
    environment = {**os.environ, "XDG_CACHE_HOME": caches}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=caches) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[0]
            with httpx.Client(base_url=address, timeout=120) as client:
                yield Server(process, client)
        finally:
            process.terminate()


def started(lake: Lake, caches: str, which: str) -> None:
    """Time the first page, and what follows in the background."""
    begun = time.perf_counter()
    with served(lake, caches) as server:
        listens = time.perf_counter()
        server.get("/")
        shown = time.perf_counter()
        while server.data("/index.json")["uncounted"]:
            time.sleep(0.5)
        counted = time.perf_counter()
        print(
            f"{which} start: listens after {listens - begun:.1f} s, first page "
            f"{(shown - listens) * 1000:.0f} ms later, all of it counted {counted - listens:.0f} s later, "
            f"{server.cpu:.0f} CPU s, {server.megabytes:,} MB; load {os.getloadavg()[0]:.1f}", flush=True,
        )  # fmt: skip
        begun = time.perf_counter()
        while not server.data("/set.json")["counts"] and time.perf_counter() - begun < _MOST:
            time.sleep(0.5)
        print(f"  the set builder answers {time.perf_counter() - begun:.0f} s later", flush=True)


def timed(server: Server, what: str, paths: list[str], pause: float = 0.0) -> None:
    """Ask for some pages, one after another."""
    times, failed, cpu = [], len(server.problems), server.cpu
    for path in paths:
        begun = time.perf_counter()
        server.get(path)
        times.append(time.perf_counter() - begun)
        time.sleep(pause)
    failed = len(server.problems) - failed
    print(
        f"{what}: {spread(times)}; {(server.cpu - cpu) / len(paths) * 1000:.0f} ms of CPU each"
        f"{f'; {failed} of {len(paths)} FAILED' if failed else ''}; load {os.getloadavg()[0]:.1f}", flush=True,
    )  # fmt: skip


def spread(times: list[float]) -> str:
    times = sorted(times)
    return f"{statistics.median(times) * 1000:.0f} ms (median), {max(times) * 1000:.0f} (longest of {len(times)})"


def set_path(dice: random.Random) -> str:
    """Some position of the controls."""
    parameters = {"before": str(date(2008, 6, 1) + timedelta(dice.randrange(30, 6_400))), "grade": dice.choice("ABCDE")}
    if dice.random() < 0.5:
        parameters["near"] = "1"
    if dice.random() < 0.5:
        parameters["honour_opt_outs"] = "1"
    return f"/set?{httpx.QueryParams(parameters)}"


def some(lake: Lake, dice: random.Random) -> dict[str, list[str]]:
    """Pages of texts, URLs, sites and words, drawn from the lake."""
    with connect(lake, memory="1GB") as db:
        rows = db.execute(
            "SELECT content_id, url, host FROM captures WHERE content_id IS NOT NULL USING SAMPLE 300 ROWS"
        ).fetchall()
        words = db.execute("SELECT text FROM stored_documents LIMIT 200").fetchall()
    dice.shuffle(rows)
    long_ones = sorted({word for (text,) in words for word in text.split() if word.isalpha() and 5 < len(word) < 12})
    pairs = [" ".join(dice.sample(long_ones, 2)) for _ in range(60)]
    return {
        "a URL": [f"/url?{httpx.QueryParams(url=url)}" for _, url, _ in rows[:40]],
        "a site": [f"/site?{httpx.QueryParams(host=host)}" for _, _, host in rows[40:60]],
        "a text": [f"/text/{content_id}" for content_id, _, _ in rows[60:]],
        "a search for two words": [f"/search?{httpx.QueryParams(q=each)}" for each in pairs],
    }


def together(
    server: Server, users: int, seconds: float, path: Callable[[random.Random], str], who: str = "users"
) -> None:
    """Have several users ask at once, each one page after the other."""
    times: list[float] = []
    end, cpu, failed = time.perf_counter() + seconds, server.cpu, len(server.problems)

    def user(number: int) -> None:
        dice = random.Random(100 + number)
        while time.perf_counter() < end:
            begun = time.perf_counter()
            server.get(path(dice))
            times.append(time.perf_counter() - begun)
            time.sleep(dice.uniform(0, 2))

    threads = [threading.Thread(target=user, args=(number,)) for number in range(users)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    print(
        f"{users} {who} for {seconds:.0f} s, each with a second between pages: {spread(times)}; "
        f"{(server.cpu - cpu) / len(times) * 1000:.0f} ms of CPU each; {len(server.problems) - failed} failed; at most "
        f"{server.megabytes:,} MB; load {os.getloadavg()[0]:.1f}", flush=True,
    )  # fmt: skip


def recounted(server: Server, query: str) -> None:
    """Have a set counted in the lake, as a release of a control does."""
    begun, cpu = time.perf_counter(), server.cpu
    while (found := server.data(f"/set.json?{query}&exact=1"))["is_counting"] and time.perf_counter() - begun < _MOST:
        time.sleep(0.5)
    exact, counts = found["exact"], found["counts"]
    same = exact and all(exact[each] == counts[each] for each in ("texts", "captures", "characters", "words"))
    print(
        f"exactly ({query}): {time.perf_counter() - begun:.0f} s, {server.cpu - cpu:.0f} CPU s: "
        f"{'the same numbers' if same else found['exact_problem'] or f'OTHER NUMBERS: {exact}'}; "
        f"at most {server.megabytes:,} MB", flush=True,
    )  # fmt: skip


def measure_served(lake: Lake, users: int, seconds: float = 30.0) -> None:
    dice = random.Random(3)
    pages = some(lake, dice)
    with tempfile.TemporaryDirectory() as caches:
        started(lake, caches, "first")
        started(lake, caches, "second")
        with served(lake, caches) as server:
            while server.data("/index.json")["uncounted"] or not server.data("/set.json")["counts"]:
                time.sleep(0.5)
            timed(server, "the first page", ["/"] * 5)
            server.client.get(pages["a text"].pop())  # opens the index of rows
            timed(server, "a text, while the sites are sorted", [pages["a text"].pop() for _ in range(5)])
            while server.client.get("/search?q=a&as=words").status_code == 202:  # they are sorted in the background
                time.sleep(0.5)
            time.sleep(1)
            for what, paths in pages.items():
                timed(server, what, [paths.pop() for _ in range(_ASKED if what == "a text" else 5)])
            timed(server, "a set", [set_path(dice) for _ in range(_ASKED)], 0.5)
            everything = [*pages["a text"], "/", *pages["a URL"], *pages["a site"]]
            together(server, users, seconds, lambda own: own.choice([own.choice(everything), set_path(own)]))
            searches = pages["a search for two words"]  # one of four is a search, which nobody has asked for before
            together(
                server,
                users,
                seconds,
                lambda own: searches.pop() if own.random() < 0.25 and searches else own.choice(everything),
                "users, who search for words too,",
            )
            recounted(server, "before=2022-01-01")
            recounted(server, "before=2022-01-01&near=1")
            if server.problems:
                print("failed:", *sorted(set(server.problems)), sep="\n  ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake")
    parser.add_argument("--users", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30)
    args = parser.parse_args()
    measure_served(Lake(args.lake), args.users, args.seconds)


if __name__ == "__main__":
    main()
