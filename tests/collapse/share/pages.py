"""Lakes of pages in plain English, of several sites and months, for estimates of machine text."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

from conftest import members, record, take

from archive.lake import Lake
from index.neardup import index

_TEXT = """
the and of to in a is that it was for on are as with his they at be this from have or by one had not but what all
were when we there can an your which their said if do will each about how up out them then she many some so these
would other into has more her two like him see time could no make than first been its who now people my made over
down only way find use may water long little very after words called just where most know
"""
_WORDS = _TEXT.split()


def page(seed: int, words: int = 120, more: str = "") -> str:
    """Return a text as no other seed makes it."""
    dice = random.Random(seed)
    return " ".join([*(dice.choice(_WORDS) for _ in range(words)), more]).strip()


def captured(url: str, text: str, date: str) -> bytes:
    return record(url, f"<html><body><p>{text}</p></body></html>", date=date)


def pages(months: Iterable[str], each: int, sites: int = 4, more: str = "") -> list[bytes]:
    """Return captures of so many pages in each month, each page of one of some sites."""
    return [
        captured(
            f"http://site{number % sites}.example{number % sites}.org/news/{month}/{number}",
            page(hash_of(month, number), more=more),
            f"{month}-15T00:00:00Z",
        )
        for month in months
        for number in range(each)
    ]


def hash_of(month: str, number: int) -> int:
    return int(month.replace("-", "")) * 1000 + number


def lake_of(lake: Lake, folder: Path, records: Iterable[bytes], indexed: bool = True) -> Lake:
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{len(list(folder.iterdir()))}.warc.gz"
    source.write_bytes(members(*records))
    take(lake, str(source))
    if indexed:
        index(lake, workers=1)
    return lake
