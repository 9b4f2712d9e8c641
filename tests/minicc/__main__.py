"""Makes a small Common Crawl in a folder, if nothing is there, and serves it until it is stopped."""

from __future__ import annotations

import argparse
import os
import random
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from minicc.make import Capture, captured, page, write_arc_crawl, write_collinfo, write_crawl, write_news
from minicc.serve import KINDS, Fault, Limits, serve

#: Crawls of three years, with times within those that Common Crawl publishes.
CRAWLS = {
    "CC-MAIN-2014-35": ("2014-08-20T04:48:45", "2014-09-03T09:11:02"),
    "CC-MAIN-2019-35": ("2019-08-17T10:26:24", "2019-08-26T11:13:56"),
    "CC-MAIN-2020-34": ("2020-08-03T08:31:23", "2020-08-15T21:47:56"),
}
ARC = {"CC-MAIN-2008-2009": ("2008-05-09T05:37:12", "2009-01-09T20:58:29")}
_LANGUAGES = ("eng", "por", "deu", "por,eng", None)
_TLDS = ("com", "org", "pt", "de")
#: Words of invented pages.
_WORDS = {
    "eng": "the house of a small town where people went every morning to buy bread and talk about their garden before "
    "work because nobody knew what would happen when winter came over hills with rain which always made roads slow",
    "por": "a casa de uma pequena cidade onde as pessoas iam todas manhãs comprar pão e falar sobre o seu jardim antes "
    "do trabalho porque ninguém sabia que aconteceria quando chegasse inverno com chuva não havia estradas então",
    "deu": "das Haus einer kleinen Stadt wo die Leute jeden Morgen Brot kauften und über ihren Garten redeten bevor "
    "sie zur Arbeit gingen weil niemand wusste was geschehen würde wenn der Winter mit Regen über Hügel kam nicht",
}


def real_captures(shared: Path) -> list[Capture]:
    """Return the pages of real Common Crawl files in the shared data; none where it is not there."""
    names = ("CC-MAIN-2020-34-sample.warc.gz", "CC-MAIN-20140820021334-00006-ip-10-180-136-8.ec2.internal.warc")
    found = [shared / "data" / "commoncrawl" / name for name in names]
    return [each for path in found if path.is_file() for each in captured(path)]


def _text(crawl: str, number: int, languages: str | None) -> str:
    """Write a page of words of its language, another one for each number and crawl."""
    words = _WORDS[(languages or "eng")[:3]].split()
    dice = random.Random(f"{crawl} {number}")
    sentences = (" ".join(dice.choices(words, k=12)).capitalize() for _ in range(10))
    return f"{number} / {crawl}. {'. '.join(sentences)}."


def made_captures(crawl: str, begin: datetime, count: int) -> list[Capture]:
    """Return captures of `count` pages of a few hosts in four top-level domains."""
    captures = []
    for number in range(count):
        host = f"www.site{number % 40}.{_TLDS[number % len(_TLDS)]}"
        at = begin + timedelta(seconds=37 * number % 600_000)
        languages, status = _LANGUAGES[number % len(_LANGUAGES)], 404 if number % 50 == 49 else 200
        text = _text(crawl, number, languages)
        captures.append(page(f"http://{host}/page/{number}", text, at, status=status, languages=languages))
    return captures


def make(root: Path, pages: int, files: int, shared: Path) -> None:
    """Write three crawls, one of the ARC era, and a month of news."""
    for crawl, (begin, _) in CRAWLS.items():
        start = datetime.fromisoformat(begin).replace(tzinfo=UTC)
        real = [each for each in real_captures(shared) if each.at.year == start.year]
        write_crawl(root, crawl, made_captures(crawl, start, pages) + real, files=files, block=3000, group=2000)
    for crawl, (begin, _) in ARC.items():
        start = datetime.fromisoformat(begin).replace(tzinfo=UTC) + timedelta(days=2)
        write_arc_crawl(root, crawl, [each for each in made_captures(crawl, start, pages) if each.status == 200], files)
    news = datetime(2019, 8, 1, tzinfo=UTC)
    write_news(
        root, "2019-08", [each for each in made_captures("CC-NEWS-2019-08", news, pages // 4) if each.status == 200]
    )
    write_collinfo(root, CRAWLS | ARC)


def main() -> None:
    parser = argparse.ArgumentParser(prog="minicc", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=int, default=2000, help="of each crawl")
    parser.add_argument("--files", type=int, default=8, help="of each crawl")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, help="a file of JSON lines, one for each request")
    parser.add_argument("--rate", type=float, help="requests a second, above which the answer is 503")
    parser.add_argument("--refuse-after", type=int, help="answers of 503, after which the answer is 403")
    parser.add_argument("--bytes-per-second", type=float)
    parser.add_argument(
        "--fault", action="append", default=[], metavar="KIND[:PATTERN[:TIMES]]", help=f"of: {', '.join(KINDS)}"
    )
    options = parser.parse_args()
    if not (options.folder / "collinfo.json").exists():
        shared = Path(os.environ.get("LOWBACKGROUND_SHARED", Path(__file__).parents[3] / "shared"))
        make(options.folder, options.pages, options.files, shared)
    faults = []
    for text in options.fault:
        kind, pattern, times = (*text.split(":"), "", "")[:3]
        faults.append(Fault(kind, pattern or "*", int(times) if times else 1))
    limits = Limits(options.rate, options.refuse_after, options.bytes_per_second)
    with serve(options.folder, faults, limits, options.log, options.port) as server:
        print(server.address, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
